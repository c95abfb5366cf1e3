"""What every role stands on: the event log, the store, the keys and the clock; embedded or not, one path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ioc.clocks import SystemClock
from ioc.keys import Keys, load_keys
from ioc.messaging.embedded import EmbeddedLog
from ioc.messaging.kafka import KafkaLog
from ioc.ports import Clock, EventLog
from ioc.settings import Settings
from ioc.storage.migrate import require_schema
from ioc.storage.pool import Database
from ioc.storage.server import EmbeddedPostgres


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundations:
    """What is open while a process runs. ``random`` jitters waits and decides nothing."""

    settings: Settings
    clock: Clock
    random: Random
    keys: Keys
    log: EventLog
    database: Database

    @property
    def geo_directory(self) -> Path:
        """Where imported boundaries lie, if any were imported."""
        return self.settings.data_dir / "geo"


@asynccontextmanager
async def open_foundations(
    settings: Settings, *, client_id: str = "ioc", clock: Clock | None = None
) -> AsyncIterator[Foundations]:
    """Open log and store, starting the embedded ones where nothing else is set.

    Raises:
        ConfigurationError: a key is unusable.
        LogUnavailableError, StoreUnavailableError: with what to do about it.
    """
    clock = clock or SystemClock()
    async with (
        open_store(settings) as conninfo,
        Database(conninfo, schema=settings.store.schema_name, max_size=settings.store.pool_size) as database,
        open_log(settings, clock=clock, client_id=client_id) as log,
    ):
        yield Foundations(
            settings=settings, clock=clock, random=Random(), keys=load_keys(settings), log=log, database=database
        )


@asynccontextmanager
async def open_database(settings: Settings, *, max_size: int = 8) -> AsyncIterator[Database]:
    """Open the database for a command, also while the program runs.

    Raises:
        ConfigurationError: its schema is not up to date.
        StoreUnavailableError: it does not answer.
    """
    schema = settings.store.schema_name
    async with open_store(settings) as conninfo, Database(conninfo, schema=schema, max_size=max_size) as database:
        await require_schema(database)
        yield database


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[str]:
    """Give the conninfo of the database; the embedded server lives while somebody on this machine uses it."""
    if settings.store.url is not None:
        yield settings.store.url.get_secret_value()
        return
    async with EmbeddedPostgres(settings.data_dir / "postgres") as server:
        yield server.conninfo


@asynccontextmanager
async def open_log(settings: Settings, *, clock: Clock, client_id: str) -> AsyncIterator[EventLog]:
    """Open the event log that the settings name."""
    wanted = settings.log
    log: EmbeddedLog | KafkaLog
    if wanted.backend == "kafka":
        log = KafkaLog(
            wanted.kafka_bootstrap,
            prefix=wanted.topic_prefix,
            partitions=wanted.partitions,
            client_id=client_id,
            clock=clock,
        )
    else:
        settings.log_folder.mkdir(parents=True, exist_ok=True)
        log = EmbeddedLog(
            settings.log_folder / "events.sqlite3",
            prefix=wanted.topic_prefix,
            partitions=wanted.partitions,
            retention=wanted.retention,
            retention_bytes=wanted.retention_bytes,
            clock=clock,
        )
    async with log:
        yield log
