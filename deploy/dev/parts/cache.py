"""Where downloads and unpacked servers live, and the few system calls that bringing them there needs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LOCK_DEADLINE_S = 1800
COMMAND_DEADLINE_S = 900
UNPRIVILEGED_ID = 65534
"""Numeric user and group that servers run as when we are root (``nobody`` on every Linux); no account is created."""


class UnavailableError(Exception):
    """A part cannot be had here. The message is one line that says why and what to do."""


def cache_directory() -> Path:
    """Return the cache: ``$IOC_DEV_CACHE``, else ``$XDG_CACHE_HOME/qn-ioc``, else ``~/.cache/qn-ioc``."""
    if chosen := os.environ.get("IOC_DEV_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return ((Path(base) if base else Path.home() / ".cache") / "qn-ioc").resolve()


def repository_root() -> Path:
    """Return the root of the checkout that this script lies in."""
    return Path(__file__).resolve().parents[3]


class Cache:
    """Downloads (kept for offline use) and unpacked parts (made from downloads, may be lost at any time)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.downloads = root / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the cache for one run; a second run waits for the first (both then find the parts there)."""
        return locked(self.root)

    def home(self) -> Path:
        """Return the folder of unpacked parts: the cache itself, or as root a folder the servers' own user can reach.

        Root's cache often lies below a closed folder. We open no folder that we did not make: a new one below the
        system's temporary folder takes the unpacked parts, and the cache remembers its name.
        """
        if os.geteuid() != 0 or _is_open_to_others(self.root):
            return self.root
        remembered = self.root / "home"
        if remembered.exists():
            home = Path(remembered.read_text(encoding="utf-8").strip())
            if home.is_dir() and not home.is_symlink() and home.stat().st_uid == 0:
                return home
        home = Path(tempfile.mkdtemp(prefix="qn-ioc-parts-", dir="/var/tmp"))
        home.chmod(0o711)
        remembered.write_text(str(home), encoding="utf-8")
        return home

    def part(self, name: str) -> Path:
        """Return the folder of one unpacked part."""
        return self.home() / "parts" / name

    def is_ready(self, name: str, recipe: str) -> bool:
        """Say whether the part was unpacked wholly, by this very recipe, at this very place."""
        marker = self.part(name) / ".complete"
        return marker.exists() and marker.read_text(encoding="utf-8") == _mark(self.part(name), recipe)

    @contextlib.contextmanager
    def unpacking(self, name: str, recipe: str) -> Iterator[Path]:
        """Give an empty folder for the part; mark it whole only if the block ends without an error."""
        place = self.part(name)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, mode=0o755)
        yield place
        (place / ".complete").write_text(_mark(place, recipe), encoding="utf-8")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; the lock ends with the process, however it ends."""
    with (folder / "lock").open("a+") as handle:
        deadline = time.monotonic() + LOCK_DEADLINE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UnavailableError(f"another run has held {folder}/lock for too long") from None
                time.sleep(0.1)
        yield


def _mark(place: Path, recipe: str) -> str:
    return f"{place}\n{recipe}\n"


def _is_open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    deadline_s: float = COMMAND_DEADLINE_S,
) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        UnavailableError: it is not installed, failed, or took longer than ``deadline_s``.
    """
    try:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=deadline_s,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            check=False,
        )
    except FileNotFoundError:
        raise UnavailableError(f"{what}: {command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{what}: {Path(command[0]).name} did not end within {deadline_s:.0f} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        telling = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
        raise UnavailableError(f"{what}: {Path(command[0]).name} ended with {done.returncode}: {telling[:300]}")
    return done.stdout


def as_servers_user(command: Sequence[str | Path]) -> list[str]:
    """Put ``setpriv`` before a command when we are root, so that no server runs as root."""
    words = [str(word) for word in command]
    if os.geteuid() != 0:
        return words
    identity = [f"--reuid={UNPRIVILEGED_ID}", f"--regid={UNPRIVILEGED_ID}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *identity, *words]


def give_to_servers_user(path: Path) -> None:
    """Make ``path`` the servers' own when we are root."""
    if os.geteuid() == 0:
        os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
