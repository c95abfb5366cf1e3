"""The store of the contract's tests: a database on each edition, a worker's side and the API's side of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ioc.storage.alert_actions import AlertActions
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import enqueue
from ioc.storage.pool import Database
from tests.conftest import FreshDatabase
from tests.support.alerts import apply, decide


@pytest.fixture
async def address(each_edition_url: str, fresh_database: FreshDatabase) -> str:
    """Address of an empty database that is migrated, on each edition."""
    return await fresh_database(each_edition_url, prepare=migrate_database)


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    """The database, open, for as many at once as the tests have compete."""
    async with Database(address, max_size=12) as database:
        yield database


@pytest.fixture
def store(database: Database) -> PostgresBatchStore:
    """Where the worker writes."""
    return PostgresBatchStore(database, alerts=AlertWriter(enqueue))


@pytest.fixture
def alerts(database: Database) -> PostgresAlertStore:
    """Where the API reads."""
    return PostgresAlertStore(database)


@pytest.fixture
def actions(database: Database) -> AlertActions:
    """Where people and time act."""
    return AlertActions(database, enqueue)


@pytest.fixture
async def fired(store: PostgresBatchStore) -> None:
    """The alert of ``decide()`` has fired."""
    await apply(store, decide())
