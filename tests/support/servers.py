"""Real servers for tests: started once per run, only when a test asks, by ``deploy/dev/servers.py``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "deploy" / "dev" / "servers.py"
SCRIPT_DEADLINE_S = 1800
"""The first run on a machine downloads; later runs take seconds."""
CONNECT_DEADLINE_S = 10
DROP_ATTEMPTS = 5
_DISK, _MEMORY = "/tmp", "/dev/shm"
_MEMORY_ROOM_BYTES = 8 * 1024**3
"""Least room for servers in memory: two runs side by side, three databases each with up to half a gigabyte of WAL."""

Prepare = Callable[[str], Awaitable[None]]


def give_up(part: str, reason: str) -> NoReturn:
    """Skip the test with the reason, or fail it where ``IOC_TEST_REQUIRE`` names the part."""
    required = {word.strip() for word in os.environ.get("IOC_TEST_REQUIRE", "").split(",")}
    if part in required:
        pytest.fail(f"{part} is required (IOC_TEST_REQUIRE) but not available: {reason}")
    pytest.skip(f"{part}: {reason}")


def own_server() -> tuple[str, str] | None:
    """Return the address and edition (plain, apache, timescale) of the server in ``IOC_TEST_DATABASE_URL``, if any."""
    url = os.environ.get("IOC_TEST_DATABASE_URL")
    return (url, edition_of(url)) if url else None


def edition_of(url: str) -> str:
    """Ask a PostgreSQL server whether it carries TimescaleDB and under which licence: plain, apache or timescale."""
    with psycopg.connect(url, connect_timeout=CONNECT_DEADLINE_S) as connection:
        row = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    return str(row[0]) if row and row[0] else "plain"


class DevelopmentServers:
    """Servers of one test run, or of one test that wants to break its own: started on demand, stopped together."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._facts: dict[str, dict[str, Any]] = {}
        # A short name: unix sockets have 107 bytes, and the servers' own user must reach it.
        self._state = Path(tempfile.mkdtemp(prefix="qn-ioc-test-", dir=_DISK if durable else fast_disk()))
        self._state.chmod(0o711)

    def facts(self, part: str) -> dict[str, Any]:
        """Start a part if it does not run yet and return its address, pid and data folder; skip where unavailable."""
        if part not in self._facts:
            said = self._run("up", part, "--with-parent", str(os.getpid()), *(["--durable"] if self._durable else []))
            self._facts[part] = said[part]
        if reason := self._facts[part].get("unavailable"):
            give_up(part, reason)
        return self._facts[part]

    def path_of(self, part: str) -> Path:
        """Return the place of a part that is no server (the browser); skip where unavailable."""
        found = _call_script("fetch", part, "--json")[part]
        if reason := found.get("unavailable"):
            give_up(part, reason)
        return Path(found["path"])

    def stop(self) -> None:
        """Stop what was started, and remove its data."""
        if self._facts:
            subprocess.run(
                [sys.executable, SCRIPT, "down", "--state", self._state],
                stdout=subprocess.DEVNULL,
                timeout=120,
                check=True,
            )
        shutil.rmtree(self._state, ignore_errors=True)

    def _run(self, *arguments: str) -> dict[str, dict[str, Any]]:
        return _call_script(*arguments, "--state", str(self._state))


def _call_script(*arguments: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=SCRIPT_DEADLINE_S, check=False
    )
    try:
        found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"{SCRIPT.name} {' '.join(arguments)}: {done.stderr.strip() or 'no answer'}") from None
    return found


class Databases:
    """Makes databases for tests on any PostgreSQL server, and drops them again."""

    def __init__(self) -> None:
        self._templates: dict[tuple[str, str], str] = {}

    async def create(self, url: str, *, prepare: Prepare | None = None) -> str:
        """Make a new database and return its address.

        ``prepare`` (migrations, say) fills a template once per run and server; each database is then a fast copy.
        """
        template = await self._template(url, prepare) if prepare else None
        return await asyncio.to_thread(_create_database, url, f"test_{uuid4().hex[:16]}", template)

    async def _template(self, url: str, prepare: Prepare) -> str:
        key = (_server_of(url), f"{prepare.__module__}.{getattr(prepare, '__qualname__', repr(prepare))}")
        if key not in self._templates:
            name = f"template_{uuid4().hex[:16]}"
            await prepare(await asyncio.to_thread(_create_database, url, name, None))
            await asyncio.to_thread(_seal, url, name)
            self._templates[key] = name
        return self._templates[key]

    def forget_templates(self) -> None:
        """Drop the templates of this run, where their servers still answer."""
        for (server, _), name in self._templates.items():
            # Our own servers may be gone already, with all their data.
            with contextlib.suppress(psycopg.OperationalError):
                drop_database(make_conninfo(server, dbname=name))
        self._templates.clear()


def drop_database(url: str) -> None:
    """Drop a test's database, with whatever is still connected to it."""
    name = str(conninfo_to_dict(url)["dbname"])
    with _administer(url) as connection:
        for attempt in range(DROP_ATTEMPTS):
            try:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            except psycopg.errors.ObjectInUse:
                # TimescaleDB's scheduler may come back between the disconnect and the drop.
                if attempt == DROP_ATTEMPTS - 1:
                    raise
                _refuse_connections(connection, name)
            else:
                return


def _create_database(url: str, name: str, template: str | None) -> str:
    with _administer(url) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or "template0")))
    return make_conninfo(url, dbname=name)


def _seal(url: str, name: str) -> None:
    """Let nobody into a template any more: it can be copied only while nobody is connected to it."""
    with _administer(url) as connection:
        _refuse_connections(connection, name)


def _refuse_connections(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])


def _administer(url: str) -> psycopg.Connection[Any]:
    server = make_conninfo(url, dbname="postgres")
    return psycopg.connect(server, autocommit=True, connect_timeout=CONNECT_DEADLINE_S)


def _server_of(url: str) -> str:
    return make_conninfo(url, dbname="postgres")


def fast_disk() -> str:
    """Name where servers that need not outlive the machine keep their data: in memory, if there is room.

    A copy of a template is three thousand files, which takes a disk a second and memory a tenth of one.
    """
    try:
        room = os.statvfs(_MEMORY)
    except OSError:
        return _DISK
    has_room = room.f_bavail * room.f_frsize >= _MEMORY_ROOM_BYTES and os.access(_MEMORY, os.W_OK | os.X_OK)
    return _MEMORY if has_room else _DISK


@contextlib.contextmanager
def reachable_folder(below: str = _DISK) -> Iterator[Path]:
    """Give a folder that a server's unprivileged user can reach (pytest's own temporary folders are closed to it)."""
    with tempfile.TemporaryDirectory(prefix="qn-ioc-test-", dir=below) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def data_file(*parts: str) -> Path:
    """Return a file of the recorded data; skip with the reason where it is missing."""
    path = REPOSITORY.parent.joinpath("shared", "data", *parts)
    if not path.exists():
        pytest.skip(f"recorded data ../shared/data/{'/'.join(parts)} is not here")
    return path


def require_words(words: Sequence[str]) -> None:
    """Refuse a mistyped ``IOC_TEST_REQUIRE``: a check that names nothing would check nothing."""
    known = {"kafka", "timescaledb", "timescaledb-community", "mosquitto", "chromium", "postgres", ""}
    if strange := sorted({word.strip() for word in words} - known):
        raise pytest.UsageError(f"IOC_TEST_REQUIRE names unknown parts: {', '.join(strange)}")
