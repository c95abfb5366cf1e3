"""The edge of the integration tests: the real app over a real database, and people who are signed in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from tests.conftest import FreshDatabase
from tests.support.edge import Edge, open_edge, prepare


@pytest.fixture
async def address(plain_postgres_url: str, fresh_database: FreshDatabase) -> str:
    """Address of a database with the schema that the edge expects."""
    return await fresh_database(plain_postgres_url, prepare=prepare)


@pytest.fixture
async def edge(tmp_path: Path, address: str) -> AsyncIterator[Edge]:
    """The app and the parts behind it."""
    async with open_edge(tmp_path, address) as edge:
        yield edge


@pytest.fixture
def store(edge: Edge) -> PostgresBatchStore:
    """Where a worker of the same deployment writes."""
    return PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))


@pytest.fixture
async def viewer(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who may look."""
    await edge.add_person("xem", "viewer")
    async with edge.signed_in("xem") as client:
        yield client


@pytest.fixture
async def truc(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """An operator."""
    await edge.add_person("truc", "operator")
    async with edge.signed_in("truc") as client:
        yield client


@pytest.fixture
async def boss(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """A supervisor."""
    await edge.add_person("boss", "supervisor")
    async with edge.signed_in("boss") as client:
        yield client
