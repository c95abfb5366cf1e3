"""The real edge for tests: the app over a real database, the file log and the real feeds, with a clock that is set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from ioc.api.app import create_app
from ioc.api.services import ApiServices, IngestServices, Services
from ioc.bootstrap.edge import make_api
from ioc.bootstrap.foundations import Foundations, open_foundations
from ioc.bootstrap.intake import make_ingest
from ioc.ports import Topic
from ioc.settings import Settings
from ioc.storage.migrate import migrate_database

SCHEMA = "ioc"
PASSWORD = "mat-khau-cua-bai-thu"
ROLES = ("kiosk", "viewer", "operator", "supervisor", "department", "admin")
SECTION = {"encryption_key": "A" * 43 + "=", "pseudonym_key": "B" * 43 + "="}


async def prepare(url: str) -> None:
    """Make the schema, for ``fresh_database``."""
    await migrate_database(url, schema=SCHEMA)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    async def sleep(self, delay: timedelta) -> None:
        raise AssertionError("nothing here waits")

    def step(self, **delay: float) -> None:
        self._now += timedelta(**delay)

    def put(self, now: datetime) -> None:
        """Put it where the changes of ``tests.support.alerts`` are, whose days are long over."""
        self._now = now


@dataclass(kw_only=True)
class Edge:
    """An app and the parts behind it."""

    app: FastAPI
    base: Foundations
    clock: SetClock
    api: ApiServices
    ingest: IngestServices

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A caller without cookies. An exception that the app lets out fails the test."""
        transport = httpx.ASGITransport(app=self.app, client=(options.pop("address", "192.0.2.7"), 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://ioc.test", **options) as client:
            yield client

    @asynccontextmanager
    async def signed_in(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        """A person's browser: the cookie, and the CSRF token on every request."""
        async with self.client() as client:
            answer = await client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            yield client

    async def add_person(self, name: str, *roles: str, department: str | None = None) -> None:
        await self.api.accounts.add_account(
            name=name, display_name=f"Cán bộ {name}", password=PASSWORD, roles=roles or (name,), department=department
        )

    async def key(self, *feed_ids: str, days: int = 30) -> str:
        return await self.ingest.keys.add(name="bài thử", feed_ids=feed_ids, lifetime=timedelta(days=days))

    async def count(self, topic: Topic) -> int:
        """Items that the log holds."""
        return sum((await self.base.log.end_offsets((topic,))).values())


@asynccontextmanager
async def open_edge(folder: Path, database_url: str, **sections: dict[str, Any]) -> AsyncIterator[Edge]:
    """Put the edge together as the program does, without a socket and without background work.

    ``sections`` are further sections of the settings.
    """
    settings = Settings.model_validate(
        {"data_dir": folder, "store": {"url": database_url, "schema_name": SCHEMA}, "secrets": SECTION, **sections}
    )
    async with open_foundations(settings) as opened:
        clock = SetClock()
        base = replace(opened, clock=clock)
        api, ingest = make_api(base), make_ingest(base).services
        app = create_app(Services(clock=clock, api=api, ingest=ingest))
        yield Edge(app=app, base=base, clock=clock, api=api, ingest=ingest)
