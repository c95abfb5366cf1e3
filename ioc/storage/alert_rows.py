"""Alerts as rows and as journal entries: the mapping, and the two statements that every change ends with."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb

from alerts.performance.annunciations import is_annunciation, stand_of
from ioc.domain.alerts import Alert, AlertEvent, ChangeType, ConditionState, OperatorState, ResolveReason, Severity
from ioc.domain.grounds import Grounds
from ioc.storage.statements import fetch_rows, load_statements
from ioc.telemetry import alert_annunciations

_SQL = load_statements("alerts")
_COLUMNS = tuple(field.name for field in dataclasses.fields(Alert))
_SAVE = _SQL["save"].format(
    columns=sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)),
    values=sql.SQL(", ").join(map(sql.Placeholder, _COLUMNS)),
    assignments=sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in _COLUMNS if name != "alert_id"
    ),
)
_decode_alert = msgspec.json.Decoder(Alert).decode


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change of one alert, not yet written: what happened, who did it, and the alert after it."""

    type: ChangeType
    at: datetime
    alert: Alert
    previous: Alert | None
    actor: str | None = None
    reason: str | None = None
    input_ids: tuple[bytes, ...] = ()
    grounds: Grounds | None = None


Enqueue = Callable[[AsyncConnection, Sequence[JournalEntry], Sequence[AlertEvent]], Awaitable[None]]
"""Writes the deliveries that follow from journal entries, in the same transaction (``ioc.storage.outbox``)."""


def to_alert(row: Mapping[str, Any]) -> Alert:
    """Read a row of the table ``alert``."""
    values = {name: row[name] for name in _COLUMNS}
    values["fingerprint"] = bytes(values["fingerprint"])
    values["labels"] = tuple(sorted(values["labels"].items()))
    values["severity"] = Severity(values["severity"])
    values["condition"] = ConditionState(values["condition"])
    values["operator"] = OperatorState(values["operator"])
    for name in ("rule_severity", "overruled_severity", "highest_severity"):
        values[name] = Severity(values[name]) if values[name] else None
    values["resolve_reason"] = ResolveReason(values["resolve_reason"]) if values["resolve_reason"] else None
    return Alert(**values)


def to_event(row: Mapping[str, Any]) -> AlertEvent:
    """Read a row of the journal, with the alert as it stood then; as text it is read in one go, twice as fast."""
    raw = row["alert"]
    return AlertEvent(
        event_id=row["event_id"],
        alert_id=row["alert_id"],
        revision=row["revision"],
        type=ChangeType(row["type"]),
        at=row["at"],
        actor=row["actor"],
        reason=row["reason"],
        alert=_decode_alert(raw) if isinstance(raw, str) else msgspec.convert(raw, Alert),
    )


async def fetch_alerts(connection: AsyncConnection, name: str, parameters: Mapping[str, object]) -> list[Alert]:
    """Run a statement of ``alerts.sql`` that gives rows of ``alert``."""
    return [to_alert(row) for row in await fetch_rows(connection, _SQL[name], parameters)]


async def fetch_events(connection: AsyncConnection, name: str, parameters: Mapping[str, object]) -> list[AlertEvent]:
    """Run a statement of ``alerts.sql`` that gives journal entries."""
    return [to_event(row) for row in await fetch_rows(connection, _SQL[name], parameters)]


async def write_entries(connection: AsyncConnection, entries: Sequence[JournalEntry]) -> list[AlertEvent]:
    """Save the alerts and add the entries to the journal, inside the caller's transaction.

    Call it as late in the transaction as can be: from here to the commit, other writers of the journal wait.
    """
    latest: dict[UUID, Alert] = {entry.alert.alert_id: entry.alert for entry in entries}
    # Ended alerts first: the index that allows one open alert per fingerprint looks at each row as it comes.
    ordered = sorted(latest.values(), key=lambda alert: alert.ended_at is None)
    async with connection.cursor() as cursor:
        await cursor.executemany(_SAVE, [_to_row(alert) for alert in ordered])
        await cursor.execute(_SQL["order_events"])
        await cursor.executemany(_SQL["add_event"], [_to_entry_row(entry) for entry in entries], returning=True)
        ids: list[int] = []
        while True:
            row = await cursor.fetchone()
            if row is not None:
                ids.append(int(row[0]))
            if not cursor.nextset():
                break
        await cursor.execute(_SQL["notify"])
    for entry in entries:
        # Before the commit: one that fails is tried again, and counted again. Reports count from the journal.
        if is_annunciation(entry.alert, stand_of(entry.previous)):
            alert_annunciations.labels(entry.alert.severity.value).inc()
    return [
        AlertEvent(
            event_id=event_id, alert_id=entry.alert.alert_id, revision=entry.alert.revision, type=entry.type,
            at=entry.at, actor=entry.actor, reason=entry.reason, alert=entry.alert,
        )
        for event_id, entry in zip(ids, entries, strict=True)
    ]  # fmt: skip


def _to_row(alert: Alert) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(alert, name) for name in _COLUMNS}
    row["labels"] = Jsonb(dict(alert.labels))
    for name in ("severity", "condition", "operator", "resolve_reason", "rule_severity", "overruled_severity"):
        value = row[name]
        row[name] = None if value is None else str(value)
    return row


def _to_entry_row(entry: JournalEntry) -> dict[str, object]:
    return {
        "alert_id": entry.alert.alert_id,
        "revision": entry.alert.revision,
        "type": str(entry.type),
        "at": entry.at,
        "actor": entry.actor,
        "reason": entry.reason,
        "alert": Jsonb(msgspec.to_builtins(entry.alert)),
        "input_ids": [UUID(bytes=bytes(value)) for value in entry.input_ids],
        "grounds": None if entry.grounds is None else Jsonb(msgspec.to_builtins(entry.grounds)),
    }
