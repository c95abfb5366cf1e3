"""One PostgreSQL data directory: making it, running the server on it, stopping that very server.

As root the server runs as an existing unprivileged account; no account is made and no folder of others is opened.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ioc.errors import StoreUnavailableError
from ioc.storage.binaries import PostgresBinaries, copy_binaries, find_binaries

SUPERUSER = "postgres"
SERVERS_ACCOUNTS = ("postgres", "nobody")
"""Existing accounts that a server started by root may run as, best first."""
POLL_S = 0.02
LOG_TAIL_BYTES = 4096
LOG_TAIL_LINES = 6


class PostgresCluster:
    """PostgreSQL's data in ``directory/data``. Not safe for two callers at once: ``EmbeddedPostgres`` takes turns."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self.owner = _owner_for(self._data)
        """Uid that the server runs as."""

    def start(self, settings: Mapping[str, str], until: float) -> None:
        """Start the server, making the data directory first where there is none; ``until`` is monotonic time.

        Raises:
            StoreUnavailableError: with what the server said last.
        """
        version = self._data / "PG_VERSION"
        major = int(version.read_text(encoding="ascii")) if version.exists() else None
        binaries = self._reachable(find_binaries(major=major))
        if major is None:
            self._make(binaries, until)
        self._clear_after_crash(Path(settings["unix_socket_directories"]), until)
        lines = [f"{key} = '{_quoted(value)}'" for key, value in settings.items()]
        (self._data / "ioc.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.chown(self._data / "ioc.conf", self.owner, -1)
        output = self._data / "start.log"
        output.unlink(missing_ok=True)
        left_s = max(1, int(until - time.monotonic()))
        wait = ["-w", "-t", str(left_s), "-s"]
        # pg_ctl keeps the deadline itself; ours, a little later, is for a pg_ctl that hangs.
        self._call(
            [binaries.folder / "pg_ctl", "start", *wait, "-D", self._data, "-l", output], until=until + 5, output=output
        )

    def stop(self, until: float) -> None:
        """Disconnect everybody, stop ("fast") and wait until the server is gone.

        Raises:
            StoreUnavailableError: it is still there at ``until``.
        """
        pid = self.server_pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        while self.server_pid() == pid:
            if time.monotonic() > until:
                raise StoreUnavailableError(f"PostgreSQL (pid {pid}) does not stop; see {self._data / 'log'}")
            time.sleep(POLL_S)

    def server_pid(self) -> int | None:
        """Return the pid of the server that runs on our data, told from any other process by its working folder."""
        pid = self._noted_pid()
        return pid if pid is not None and self._works_here(pid) else None

    def _noted_pid(self) -> int | None:
        try:
            return int((self._data / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _works_here(self, pid: int) -> bool:
        """Say whether a living process has our data as its working folder. A dead one (a zombie too) has none."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self._data.resolve()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False

    def _clear_after_crash(self, sockets: Path, until: float) -> None:
        """Remove what a killed server left behind, once its last process is gone.

        PostgreSQL would take any process of the noted pid for the old server and refuse to start: a zombie that
        nobody buries, or, after a container's restart, whichever program has the number now.
        """
        if self._noted_pid() is None:
            return
        while any(self._works_here(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            if time.monotonic() > until:
                raise StoreUnavailableError(f"processes of a server that was killed still use {self._data}; end them")
            time.sleep(POLL_S)
        for lock in [self._data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")]:
            lock.unlink(missing_ok=True)

    def _reachable(self, binaries: PostgresBinaries) -> PostgresBinaries:
        """Return programs that the server's user may run; refuse a data folder that it cannot reach."""
        if self.owner == os.geteuid():
            return binaries
        if (closed := _closed_folder(self._directory)) is not None:
            raise StoreUnavailableError(
                f"PostgreSQL refuses to run as root, and the user it runs as instead ({_name_of(self.owner)}) cannot "
                f"reach {self._directory}: {closed} is closed to others. Choose a data folder such as /var/lib/qn-ioc "
                "(IOC_DATA_DIR), or run this program as a normal user"
            )
        if _closed_folder(binaries.folder) is None:
            return binaries
        return copy_binaries(binaries, self._directory)

    def _make(self, binaries: PostgresBinaries, until: float) -> None:
        unfinished = self._directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, self.owner, -1)
        builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        locale = builtin if binaries.major >= 17 else ["--locale=C.UTF-8"]
        options = ["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--data-checksums", *locale]
        self._call([binaries.folder / "initdb", "-D", unfinished, *options], until=until)
        with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n# Written anew at each start by the program that runs this server.\ninclude 'ioc.conf'\n")
        # Only a finished cluster gets the name that later starts look for.
        unfinished.rename(self._data)

    def _call(self, command: Sequence[str | Path], *, until: float, output: Path | None = None) -> None:
        """Run one of PostgreSQL's programs to its end as the server's user."""
        name = Path(command[0]).name
        ours = self.owner == os.geteuid()
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if output is None else subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                timeout=max(1.0, until - time.monotonic()),
                start_new_session=True,
                check=False,
                user=None if ours else self.owner,
                group=None if ours else _group_of(self.owner),
                extra_groups=None if ours else [],
            )
        except subprocess.TimeoutExpired as error:
            raise StoreUnavailableError(f"{name} did not end in time") from error
        except OSError as error:
            raise StoreUnavailableError(f"cannot run {command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            said = done.stdout if output is None else self._log_tail(output)
            raise StoreUnavailableError(f"{name} ended with {done.returncode}: {_telling_line(said)}")

    def _log_tail(self, output: Path) -> bytes:
        """Return the end of what the server last said: its output before the log opened, then today's log."""
        logs = sorted((self._data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        return b"\n".join(path.read_bytes()[-LOG_TAIL_BYTES:] for path in [*logs[-1:], output] if path.exists())


def _telling_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-LOG_TAIL_LINES:]) or "it said nothing"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _owner_for(data: Path) -> int:
    """Return the uid that the server runs as: ours, or as root the owner of existing data, else an existing account."""
    ours = os.geteuid()
    if ours != 0:
        return ours
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid
    for name in SERVERS_ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise StoreUnavailableError(
        "PostgreSQL refuses to run as root, and this system has no account it could use instead "
        f"({', '.join(SERVERS_ACCOUNTS)}); run this program as a normal user"
    )


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _closed_folder(path: Path) -> Path | None:
    """Return the outermost folder on the way to ``path`` that lets no stranger pass; ``None`` if all do."""
    way = [*reversed(path.resolve().parents), path.resolve()]
    return next((folder for folder in way if not folder.stat().st_mode & 0o001), None)
