"""A scratch deployment: own topics and own schema on the same log and store, gone afterwards."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ioc.bootstrap.foundations import Foundations, open_foundations, open_log, open_store
from ioc.bootstrap.preparation import apply_topics
from ioc.clocks import SystemClock
from ioc.keys import load_keys
from ioc.messaging.kafka import KafkaLog
from ioc.settings import Settings
from ioc.storage.migrate import drop_schema, migrate_database


@asynccontextmanager
async def scratch(settings: Settings, *, keep: bool = False) -> AsyncIterator[Foundations]:
    """Open a scratch beside the live deployment; with ``keep`` it stays to be looked at.

    Raises:
        LogUnavailableError, StoreUnavailableError: the deployment that the settings name is not there.
    """
    name = f"scratch_{uuid.uuid4().hex[:12]}"
    own = _to_scratch(settings, name)
    load_keys(settings)
    async with open_store(settings) as conninfo:
        await migrate_database(conninfo, schema=name)
        try:
            await apply_topics(own)
            async with open_foundations(own, client_id=name) as base:
                yield base
        finally:
            if not keep:
                await drop_schema(conninfo, schema=name)
                await _drop_log(own)


def _to_scratch(settings: Settings, name: str) -> Settings:
    """Give the settings of the scratch: the same servers, other names. An embedded log gets a file of its own."""
    return settings.model_copy(
        update={
            "log": settings.log.model_copy(
                update={"topic_prefix": f"{name}.", "folder": settings.data_dir / "scratch" / name}
            ),
            "store": settings.store.model_copy(update={"schema_name": name}),
        }
    )


async def _drop_log(own: Settings) -> None:
    if own.log.backend == "embedded":
        shutil.rmtree(own.log_folder, ignore_errors=True)
        return
    async with open_log(own, clock=SystemClock(), client_id=own.store.schema_name) as log:
        if isinstance(log, KafkaLog):
            await log.delete_topics()
