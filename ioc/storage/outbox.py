"""The outbox: deliveries are written with the alert change that causes them, claimed with a lease, settled once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from ioc.domain.alerts import Alert, AlertEvent
from ioc.sealing import Sealer
from ioc.storage.alert_rows import JournalEntry
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("outbox")
LEASE = timedelta(seconds=60)
"""Longer than an attempt may take, so that a lease ends only when its holder died."""

KEPT = timedelta(days=14)
PER_ENDPOINT = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DueDelivery:
    """One attempt to make now. ``secrets`` are all that still sign, the current one first.

    ``attempt`` counts all of the delivery's log, ``turn`` those since it was asked for again, or at all; both from 1.
    """

    delivery_id: int
    webhook_id: str
    subscription_id: UUID
    url: str
    body: bytes
    attempt: int
    turn: int
    secrets: Sequence[str]
    failing_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNote:
    """What the delivery log keeps of an attempt."""

    at: datetime
    outcome: str
    status: int | None
    duration_ms: float
    detail: str


def secret_purpose(subscription_id: UUID) -> str:
    """Name what a subscription's sealed secret is for, so that it opens for no other row."""
    return f"subscription/{subscription_id}"


def encode_body(event: AlertEvent, previous: Alert | None) -> bytes:
    """Write the bytes of a webhook, signed and sent as they are: type, time, and the alert with its state before."""
    shown = msgspec.to_builtins(event.alert)
    del shown["fingerprint"]
    before = None
    if previous is not None:
        before = {"condition": previous.condition, "operator": previous.operator, "severity": previous.severity}
    return msgspec.json.encode(
        {
            "type": f"alert.{event.type}",
            "timestamp": event.at,
            "data": {"alert": shown, "previous_state": before, "actor": event.actor, "reason": event.reason},
        }
    )


async def enqueue(connection: AsyncConnection, entries: Sequence[JournalEntry], events: Sequence[AlertEvent]) -> None:
    """Write the deliveries that follow from journal entries, in the transaction that wrote those."""
    async with connection.cursor(row_factory=class_row(_Wish)) as cursor:
        wishes = await (await cursor.execute(_SQL["list_wishes"])).fetchall()
    found: list[tuple[str, UUID, UUID, int, bytes, datetime]] = []
    for entry, event in zip(entries, events, strict=True):
        subscribers = [wish.subscription_id for wish in wishes if wish.is_met_by(event, entry.previous)]
        body = encode_body(event, entry.previous) if subscribers else b""
        found += [
            (
                f"msg_{event.event_id}_{subscription_id.hex}",
                subscription_id,
                event.alert_id,
                event.revision,
                body,
                event.at,
            )
            for subscription_id in subscribers
        ]
    if found:
        names = ("webhook_ids", "subscription_ids", "alert_ids", "revisions", "bodies", "ats")
        deliveries = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
        await connection.execute(_SQL["supersede"], deliveries, prepare=False)
        await connection.execute(_SQL["enqueue"], deliveries, prepare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What one subscription wants to hear of; None wants everything."""

    subscription_id: UUID
    min_severity: int
    feed_ids: Sequence[str] | None
    rule_ids: Sequence[str] | None
    unit_codes: Sequence[str] | None
    zone_ids: Sequence[str] | None
    change_types: Sequence[str] | None

    def is_met_by(self, event: AlertEvent, previous: Alert | None) -> bool:
        if self.change_types is not None and event.type.value not in self.change_types:
            return False
        # What leaves (it moved to another unit, its rule went on trial) is told once more to those whom it leaves:
        # else nothing would end for them what they know of.
        return self._fits(event.alert) or (previous is not None and self._fits(previous))

    def _fits(self, alert: Alert) -> bool:
        if alert.shadow or alert.severity_reached.rank < self.min_severity:
            return False
        asked = (
            (self.feed_ids, alert.feed_id), (self.rule_ids, alert.rule_id), (self.unit_codes, alert.unit_code),
            (self.zone_ids, alert.zone_id),
        )  # fmt: skip
        return all(wanted is None or found in wanted for wanted, found in asked)


class PostgresOutbox:
    """What is due, and what became of it. Any number of dispatchers share it (``SKIP LOCKED``).

    Args:
        database: the store.
        sealer: opens the subscriptions' secrets.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def claim(self, *, now: datetime, limit: int, failing_limit: int) -> list[DueDelivery]:
        """Take up to ``limit`` due deliveries, in order per endpoint and alert. The attempt counts from here.

        Of endpoints whose last attempt failed, at most ``failing_limit`` deliveries are among them.
        """
        wanted = {
            "now": now, "limit": limit, "failing_limit": failing_limit, "leased_until": now + LEASE,
            "per_endpoint": PER_ENDPOINT,
        }  # fmt: skip
        async with self._database.transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
            # Planned anew each time: the outbox is empty now and has thousands of rows a minute later.
            await cursor.execute(_SQL["claim"], wanted, prepare=False)
            rows = await cursor.fetchall()
        claimed = []
        for row in sorted(rows, key=lambda row: int(row["delivery_id"])):
            purpose = secret_purpose(row["subscription_id"])
            sealed = [row["sealed_secret"], row["sealed_old_secret"]]
            secrets = [self._sealer.open(bytes(secret), purpose=purpose) for secret in sealed if secret is not None]
            claimed.append(
                DueDelivery(
                    delivery_id=row["delivery_id"], webhook_id=row["webhook_id"],
                    subscription_id=row["subscription_id"], url=row["url"], body=bytes(row["body"]),
                    attempt=row["attempts"], turn=row["attempts"] - row["attempts_before"], secrets=secrets,
                    failing_since=row["failing_since"],
                )
            )  # fmt: skip
        return claimed

    async def settle(self, due: DueDelivery, note: AttemptNote, *, state: str) -> None:
        """End a delivery as ``delivered`` or ``failed`` and log the attempt."""
        async with self._database.transaction() as connection:
            await self._note(connection, due, note, succeeded=state == "delivered")
            values = {"delivery_id": due.delivery_id, "attempt": due.attempt, "state": state, "now": note.at}
            await connection.execute(_SQL["settle"], values)

    async def retry(self, due: DueDelivery, note: AttemptNote, *, retry_at: datetime) -> None:
        """Log a failed attempt and put the delivery back until ``retry_at``, or let it give way to a newer revision."""
        async with self._database.transaction() as connection:
            await self._note(connection, due, note, succeeded=False)
            values = {"delivery_id": due.delivery_id, "attempt": due.attempt, "retry_at": retry_at}
            if (await connection.execute(_SQL["retry"], values)).rowcount:
                await connection.execute(_SQL["give_way"], {"delivery_id": due.delivery_id, "now": note.at})

    async def disable(self, due: DueDelivery, note: AttemptNote, *, reason: str) -> None:
        """Stop calling the endpoint. Its queue stays, for when it is enabled again."""
        async with self._database.transaction() as connection:
            await self._note(connection, due, note, succeeded=False)
            values = {"delivery_id": due.delivery_id, "attempt": due.attempt, "retry_at": note.at}
            await connection.execute(_SQL["retry"], values)
            await connection.execute(_SQL["disable"], {"subscription_id": due.subscription_id, "reason": reason})

    async def tidy(self, *, now: datetime) -> None:
        """Give up deliveries that have waited for 14 days, and drop those that were settled 14 days ago."""
        async with self._database.connection() as connection:
            for name in ("give_up_waiting", "forget_settled"):
                await connection.execute(_SQL[name], {"now": now, "before": now - KEPT})

    async def _note(self, connection: AsyncConnection, due: DueDelivery, note: AttemptNote, *, succeeded: bool) -> None:
        await connection.execute(
            _SQL["note_attempt"],
            {
                "delivery_id": due.delivery_id, "attempt": due.attempt, "at": note.at, "outcome": note.outcome,
                "status": note.status, "duration_ms": note.duration_ms, "detail": note.detail,
            },
        )  # fmt: skip
        name = "note_success" if succeeded else "note_failure"
        await connection.execute(_SQL[name], {"subscription_id": due.subscription_id, "now": note.at})
