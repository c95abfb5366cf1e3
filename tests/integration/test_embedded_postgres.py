"""The embedded PostgreSQL: shared by programs, outlives their crashes, stops with the last of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ioc.errors import StoreUnavailableError
from ioc.storage.binaries import copy_binaries, find_binaries
from ioc.storage.cluster import PostgresCluster
from ioc.storage.server import EmbeddedPostgres
from tests.support.servers import REPOSITORY, reachable_folder

DEADLINE_S = 30

USER_PROGRAM = """
import asyncio, sys, pathlib
from ioc.storage.server import EmbeddedPostgres

async def main():
    print(await EmbeddedPostgres(pathlib.Path(sys.argv[1])).start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as place:
        yield place / "postgres"


async def test_a_new_server_has_the_products_database_and_a_role_without_special_rights(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        with psycopg.connect(server.conninfo) as connection:
            connection.execute("CREATE TABLE place (name text)")
            assert connection.execute("SELECT current_database(), lower('ĐÔNG TRIỀU')").fetchone() == (
                "ioc",
                "đông triều",
            )
            shown = connection.execute("SELECT current_setting('data_checksums'), current_setting('listen_addresses')")
            assert shown.fetchone() == ("on", "")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("COPY place FROM PROGRAM 'id'")


async def test_what_was_committed_is_there_after_a_restart(folder: Path) -> None:
    async with EmbeddedPostgres(folder) as server:
        _write(server.conninfo)
    assert PostgresCluster(folder).server_pid() is None
    async with EmbeddedPostgres(folder) as server:
        assert _written(server.conninfo) == 1


async def test_the_server_runs_until_its_last_user_stops(folder: Path) -> None:
    first, second = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    assert await first.start() == await second.start()
    await first.stop()
    with psycopg.connect(second.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    conninfo = second.conninfo
    await second.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo, connect_timeout=2)


async def test_two_users_that_start_at_once_share_one_server(folder: Path) -> None:
    users = [EmbeddedPostgres(folder) for _ in range(4)]
    assert len(set(await asyncio.gather(*(user.start() for user in users)))) == 1
    await asyncio.gather(*(user.stop() for user in users))
    assert PostgresCluster(folder).server_pid() is None


async def test_a_program_killed_while_using_it_leaves_the_server_to_the_next(folder: Path) -> None:
    program = await _start_program(folder)
    pid = PostgresCluster(folder).server_pid()
    program.kill()
    await asyncio.wait_for(program.wait(), DEADLINE_S)
    async with EmbeddedPostgres(folder) as server:
        assert PostgresCluster(folder).server_pid() == pid
        _write(server.conninfo)
    assert PostgresCluster(folder).server_pid() is None


async def test_a_server_in_use_by_another_program_is_not_stopped(folder: Path) -> None:
    program = await _start_program(folder)
    async with EmbeddedPostgres(folder):
        pass
    assert PostgresCluster(folder).server_pid() is not None
    program.kill()
    await asyncio.wait_for(program.wait(), DEADLINE_S)
    async with EmbeddedPostgres(folder):
        pass
    assert PostgresCluster(folder).server_pid() is None


async def test_a_killed_server_recovers_what_was_committed(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    await server.start()
    _write(server.conninfo)
    pid = PostgresCluster(folder).server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _wait_for_end_of(pid)
    async with EmbeddedPostgres(folder) as again:
        assert _written(again.conninfo) == 1
    await server.stop()


async def test_a_frozen_server_is_reported_with_what_to_do(folder: Path) -> None:
    async with EmbeddedPostgres(folder):
        pid = PostgresCluster(folder).server_pid()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailableError, match=rf"kill -QUIT {pid}"):
                await EmbeddedPostgres(folder, deadline=timedelta(seconds=1)).start()
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_start_that_is_given_up_leaves_no_server_behind(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await server.start()
    assert PostgresCluster(folder).server_pid() is None
    async with server:
        _write(server.conninfo)


async def test_a_path_too_long_for_a_socket_gets_a_short_folder_of_its_own(folder: Path) -> None:
    deep = folder / ("thu-muc-" * 12) / "postgres"
    deep.parent.mkdir(parents=True, mode=0o711)
    async with EmbeddedPostgres(deep) as server:
        host = Path(str(conninfo_to_dict(server.conninfo)["host"]))
        assert deep not in host.parents
        assert _mode_of(host) & 0o077 == 0
        _write(server.conninfo)
    assert not _exists(host)


async def test_an_unfinished_first_start_is_begun_anew(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(folder) as server:
        _write(server.conninfo)


async def test_data_of_a_version_that_is_not_here_is_refused_with_what_to_do(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(StoreUnavailableError, match="made by PostgreSQL 14"):
        await EmbeddedPostgres(folder).start()


async def test_a_setting_that_the_server_refuses_is_named(folder: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="shared_buffers"):
        await EmbeddedPostgres(folder, settings={"shared_buffers": "a lot"}).start()
    async with EmbeddedPostgres(folder) as server:
        _write(server.conninfo)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
async def test_root_runs_it_as_an_unprivileged_user(folder: Path) -> None:
    async with EmbeddedPostgres(folder):
        pid = PostgresCluster(folder).server_pid()
        assert _owner_of(pid) != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
async def test_root_opens_no_closed_folder_and_says_which_it_is(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(parents=True, mode=0o700)
    with pytest.raises(StoreUnavailableError, match=rf"{closed} is closed to others"):
        await EmbeddedPostgres(closed / "postgres").start()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_programs_in_a_closed_folder_run_from_a_copy_that_is_made_once(folder: Path) -> None:
    folder.mkdir()
    original = find_binaries(major=None)
    copied = copy_binaries(original, folder)
    made_at = _owner_and_birth(copied.folder)
    assert copy_binaries(original, folder) == copied
    assert _owner_and_birth(copied.folder) == made_at
    said = subprocess.run([copied.folder / "initdb", "--version"], capture_output=True, text=True, check=True)
    assert f"(PostgreSQL) {original.major}" in said.stdout


async def _start_program(folder: Path) -> asyncio.subprocess.Process:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        USER_PROGRAM,
        str(folder),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    assert await asyncio.wait_for(program.stdout.readline(), DEADLINE_S)
    return program


def _mode_of(path: Path) -> int:
    return path.stat().st_mode


def _owner_and_birth(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_uid, facts.st_ino


def _exists(path: Path) -> bool:
    return path.exists()


def _owner_of(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def _write(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE place AS SELECT 'Cô Tô' AS name")


def _written(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM place").fetchone()
    assert row is not None
    return int(row[0])


def _wait_for_end_of(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{pid}/cwd").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
