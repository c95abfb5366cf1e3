"""Before the roles start: the store's schema and the log's topics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ioc.bootstrap.foundations import open_log, open_store
from ioc.clocks import SystemClock
from ioc.keys import load_keys
from ioc.messaging.kafka import KafkaLog
from ioc.settings import Settings
from ioc.storage.migrate import migrate_database


@asynccontextmanager
async def prepared(settings: Settings) -> AsyncIterator[str]:
    """Make keys, schema and topics ready and keep the embedded database up while the block runs; gives its conninfo."""
    load_keys(settings)
    async with open_store(settings) as conninfo:
        await migrate_database(conninfo, schema=settings.store.schema_name)
        await apply_topics(settings)
        yield conninfo


async def migrate_store(settings: Settings) -> str:
    """Bring the schema up to date and say which edition of the store it is."""
    async with open_store(settings) as conninfo:
        edition = await migrate_database(conninfo, schema=settings.store.schema_name)
    return edition.value


async def apply_topics(settings: Settings) -> list[str]:
    """Make the topics as the settings want them; say what was done, a line each."""
    async with open_log(settings, clock=SystemClock(), client_id="ioc-topics") as log:
        if isinstance(log, KafkaLog):
            return await log.apply_topics(replication=settings.log.replication, retention=settings.log.retention)
    return ["the embedded log makes its topics itself"]
