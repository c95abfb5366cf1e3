"""What reaches over the whole test tree: the log, and real servers, each started once per run and when asked for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from ioc.errors import StoreUnavailableError
from ioc.storage.server import EmbeddedPostgres
from tests.support.servers import (
    Databases,
    DevelopmentServers,
    Prepare,
    drop_database,
    fast_disk,
    give_up,
    own_server,
    reachable_folder,
    require_words,
)

FreshDatabase = Callable[..., Awaitable[str]]


def pytest_configure(config: pytest.Config) -> None:
    require_words(os.environ.get("IOC_TEST_REQUIRE", "").split(","))
    # No test asserts a time: on a machine that others use an example may take any.
    hypothesis.settings.register_profile("unhurried", deadline=None)
    hypothesis.settings.load_profile("unhurried")


LONGEST = ("test_killed_worker.py", "test_wall_page.py", "test_wall_live.py", "test_city_messages.py", "test_yagi.py")
"""Begun first: two workers end together only if nothing long is left for the last minute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Leave the log as it was: a command that a test runs in this process sets it up for itself."""
    handlers, said = list(logging.getLogger().handlers), structlog.get_config()
    yield
    logging.getLogger().handlers = handlers
    structlog.configure(**said)


@pytest.fixture(scope="session")
def development_servers() -> Iterator[DevelopmentServers]:
    """Servers of this run, without fsync. A test that breaks its server makes ``DevelopmentServers`` of its own."""
    servers = DevelopmentServers()
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(development_servers: DevelopmentServers) -> str:
    """Address of a real Kafka, ``host:port``; topics are not made by themselves."""
    return str(development_servers.facts("kafka")["bootstrap"])


@pytest.fixture(scope="session")
def mosquitto_url(development_servers: DevelopmentServers) -> str:
    """Address of a real MQTT broker that lets anybody in, ``mqtt://host:port``."""
    return str(development_servers.facts("mosquitto")["url"])


@pytest.fixture(scope="session")
def mosquitto_password_url(development_servers: DevelopmentServers) -> str:
    """Address of the same broker where it asks for a password, ``mqtt://user:password@host:port``."""
    return str(development_servers.facts("mosquitto")["password_url"])


@pytest.fixture(scope="session")
def chromium_path(development_servers: DevelopmentServers) -> Path:
    """Program of a real browser, for playwright's ``executable_path``."""
    return development_servers.path_of("chromium")


@pytest.fixture(scope="session")
def timescaledb_apache_url(development_servers: DevelopmentServers) -> str:
    """Address of PostgreSQL 17 with TimescaleDB, Apache edition, as superuser. Take a ``fresh_database`` of it."""
    return _own_server_of("apache") or str(development_servers.facts("timescaledb")["url"])


@pytest.fixture(scope="session")
def timescaledb_community_url(development_servers: DevelopmentServers) -> str:
    """Address of PostgreSQL 17 with TimescaleDB, Community edition, as superuser. Take a ``fresh_database`` of it."""
    return _own_server_of("timescale") or str(development_servers.facts("timescaledb-community")["url"])


@pytest.fixture(scope="session")
def plain_postgres_url() -> Iterator[str]:
    """Address of a PostgreSQL without TimescaleDB, as superuser: the embedded deployment's own server."""
    if own := _own_server_of("plain"):
        yield own
        return
    settings = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "max_wal_size": "512MB"}
    with reachable_folder(fast_disk()) as folder:
        server = EmbeddedPostgres(folder / "postgres", settings=settings)
        try:
            asyncio.run(server.start())
        except StoreUnavailableError as error:
            give_up("postgres", error.reason)
        yield server.admin_conninfo
        asyncio.run(server.stop())


@pytest.fixture(params=["plain", "timescaledb_apache", "timescaledb_community"])
def each_edition_url(request: pytest.FixtureRequest) -> str:
    """Run the test against each of the three editions of the store."""
    names = {"plain": "plain_postgres_url"}
    return str(request.getfixturevalue(names.get(request.param, f"{request.param}_url")))


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Templates of this run."""
    made = Databases()
    yield made
    made.forget_templates()


@pytest.fixture
async def fresh_database(databases: Databases) -> AsyncIterator[FreshDatabase]:
    """Make databases of the test's own: ``await fresh_database(url, prepare=migrate)``; dropped at its end."""
    made: list[str] = []

    async def create(url: str, *, prepare: Prepare | None = None) -> str:
        made.append(await databases.create(url, prepare=prepare))
        return made[-1]

    yield create
    for address in made:
        await asyncio.to_thread(drop_database, address)


def _own_server_of(edition: str) -> str | None:
    found = own_server()
    return found[0] if found and found[1] == edition else None
