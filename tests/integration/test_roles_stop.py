"""A role that is told to stop ends, whenever it is told."""

from __future__ import annotations

import asyncio

import pytest

from ioc.storage.migrate import migrate_database
from tests.support.roles import RoleProcess


async def _until(is_so, role: RoleProcess) -> None:
    try:
        async with asyncio.timeout(30):
            while not is_so():
                assert role.is_alive, role.output
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(role.output)


async def test_a_role_that_still_waits_for_the_schema_ends_when_told(tmp_path, plain_postgres_url, fresh_database):
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_LOG_FORM": "json", "IOC_LOG__FOLDER": str(tmp_path / "log"),
        "IOC_STORE__URL": await fresh_database(plain_postgres_url),
    }  # fmt: skip
    role = RoleProcess("run", "process", environment=environment, output=tmp_path / "role.log")
    role.start()
    await _until((tmp_path / "log" / "events.sqlite3").exists, role)
    assert await role.stop() == 0, role.output
    assert "roles.started" not in role.output


@pytest.mark.parametrize("delay_ms", [0, 6, 30])
async def test_a_role_that_has_just_started_ends_when_told(tmp_path, plain_postgres_url, fresh_database, delay_ms):
    address = await fresh_database(plain_postgres_url, prepare=_migrate)
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_LOG_FORM": "json", "IOC_LOG__FOLDER": str(tmp_path / "log"),
        "IOC_STORE__URL": address,
    }  # fmt: skip
    role = RoleProcess("run", "process,deliver", environment=environment, output=tmp_path / "role.log")
    role.start()
    await _until(lambda: "roles.started" in role.output, role)
    await asyncio.sleep(delay_ms / 1000)
    assert await role.stop() == 0, role.output


async def _migrate(url: str) -> None:
    await migrate_database(url, schema="ioc")
