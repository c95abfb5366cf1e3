"""The alert changes of a deployment in the order of decisions, written so that two deployments can be compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from ioc.bootstrap.foundations import Foundations
from ioc.domain.alerts import AlertEvent
from ioc.storage.alerts import PostgresAlertStore


async def read_journal(alerts: PostgresAlertStore) -> AsyncIterator[AlertEvent]:
    """Give every journal entry in the order of its decision; entries of one instant in the order of their alerts.

    Partitions commit in no fixed order, so the order of commits says nothing; the order of decisions does.
    """
    entries: list[AlertEvent] = []
    after = 0
    while page := await alerts.events_after(after):
        entries += page
        after = page[-1].event_id
    entries.sort(key=lambda entry: (entry.at, entry.alert.fingerprint, entry.revision))
    for entry in entries:
        yield entry


def encode_change(entry: AlertEvent) -> bytes:
    """Write a journal entry for comparison: everything but the number that the store gave it."""
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name != "event_id"}
    return msgspec.json.encode(fields, order="sorted")


async def write_changes(base: Foundations, path: Path) -> None:
    """Write every alert change of a scratch to a file, a JSON line each, in the order of decisions."""
    lines = [encode_change(entry) async for entry in read_journal(PostgresAlertStore(base.database))]
    await asyncio.to_thread(path.write_bytes, b"".join(line + b"\n" for line in lines))
