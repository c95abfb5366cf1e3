"""Departments' webhook subscriptions, and the log of everything that was sent to them."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from ioc.domain.alerts import Severity
from ioc.errors import NotFoundError
from ioc.ports import Clock
from ioc.sealing import Sealer
from ioc.storage.outbox import secret_purpose
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("outbox")
OLD_SECRET_GOOD_FOR = timedelta(hours=24)


class Wants(enum.StrEnum):
    """What a subscription hears: every change of an alert, for systems, or what the policy says its people are told."""

    CHANGES = "changes"
    NOTIFICATIONS = "notifications"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """What a department asks for. A filter that is None lets everything through."""

    department: str
    url: str
    description: str = ""
    min_severity: Severity = Severity.INFO
    feed_ids: Sequence[str] | None = None
    rule_ids: Sequence[str] | None = None
    unit_codes: Sequence[str] | None = None
    zone_ids: Sequence[str] | None = None
    change_types: Sequence[str] | None = None
    wants: Wants = Wants.CHANGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription as it stands; its secret is never shown again."""

    subscription_id: UUID
    department: str
    url: str
    description: str
    min_severity: Severity
    feed_ids: Sequence[str] | None
    rule_ids: Sequence[str] | None
    unit_codes: Sequence[str] | None
    zone_ids: Sequence[str] | None
    change_types: Sequence[str] | None
    wants: Wants
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    created_by: str


class SubscriptionStore:
    """Subscriptions with their deliveries.

    Args:
        database: the open pool.
        sealer: seals secrets at rest.
        clock: time of changes.
        make_secret: gives a new signing secret.
    """

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, *, make_secret: Callable[[], str]) -> None:
        self._database, self._sealer, self._clock, self._new_secret = database, sealer, clock, make_secret

    async def add(self, wanted: NewSubscription, *, created_by: str) -> tuple[Subscription, str]:
        """Make a subscription; give it with its secret, the only time that the secret can be seen."""
        subscription_id = uuid4()
        secret, sealed = self._make_secret(subscription_id)
        row: dict[str, Any] = {
            "subscription_id": subscription_id,
            "department": wanted.department,
            "url": wanted.url,
            "description": wanted.description,
            "min_severity": wanted.min_severity.rank,
            "feed_ids": _to_list(wanted.feed_ids),
            "rule_ids": _to_list(wanted.rule_ids),
            "unit_codes": _to_list(wanted.unit_codes),
            "zone_ids": _to_list(wanted.zone_ids),
            "change_types": _to_list(wanted.change_types),
            "wants": wanted.wants.value,
            "sealed_secret": sealed,
            "created_at": self._clock.now(),
            "created_by": created_by,
        }
        async with self._database.connection() as connection:
            await connection.execute(_SQL["add_subscription"], row)
        return await self.get(subscription_id), secret

    async def page(self, *, department: str | None) -> list[Subscription]:
        """Give a department's subscriptions, or everybody's for None."""
        return await self._fetch(department=department, subscription_id=None)

    async def get(self, subscription_id: UUID, *, department: str | None = None) -> Subscription:
        """Give one subscription.

        Raises:
            NotFoundError: there is none, or it is another department's.
        """
        found = await self._fetch(department=department, subscription_id=subscription_id)
        if not found:
            raise NotFoundError("subscription", str(subscription_id))
        return found[0]

    async def remove(self, subscription_id: UUID) -> None:
        """Remove a subscription with its deliveries."""
        await self._change("remove_subscription", {"subscription_id": subscription_id})

    async def set_enabled(self, subscription_id: UUID, *, enabled: bool, reason: str = "") -> None:
        """Let deliveries flow again, or hold them; what waits is kept."""
        name = "enable" if enabled else "disable"
        await self._change(name, {"subscription_id": subscription_id, "reason": reason})

    async def rotate(self, subscription_id: UUID) -> str:
        """Give a new secret; for a day both sign, so that the receiver can change over."""
        secret, sealed = self._make_secret(subscription_id)
        until = self._clock.now() + OLD_SECRET_GOOD_FOR
        await self._change(
            "rotate_secret", {"subscription_id": subscription_id, "sealed_secret": sealed, "old_until": until}
        )
        return secret

    async def send_test(self, subscription_id: UUID) -> str:
        """Put a test event into the outbox; give its webhook id."""
        now = self._clock.now()
        webhook_id = f"test_{secrets.token_hex(12)}"
        body = msgspec.json.encode(
            {"type": "subscription.test", "timestamp": now, "data": {"subscription_id": subscription_id}}
        )
        delivery = {
            "webhook_ids": [webhook_id], "subscription_ids": [subscription_id], "alert_ids": [None],
            "revisions": [None], "bodies": [body], "ats": [now],
        }  # fmt: skip
        await self._change("enqueue", delivery)
        return webhook_id

    async def deliveries(
        self, subscription_id: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Give the newest deliveries, newest first; ``before`` is the last id of the page before."""
        wanted = {"subscription_id": subscription_id, "before": before, "limit": limit}
        return await self._rows("list_deliveries", wanted)

    async def attempts(self, delivery_ids: Sequence[int]) -> Mapping[int, list[dict[str, Any]]]:
        """Give every attempt at deliveries, oldest first."""
        found: dict[int, list[dict[str, Any]]] = {delivery_id: [] for delivery_id in delivery_ids}
        for row in await self._rows("list_attempts", {"delivery_ids": list(delivery_ids)}):
            found[row["delivery_id"]].append({name: value for name, value in row.items() if name != "delivery_id"})
        return found

    async def redeliver(
        self, subscription_id: UUID, *, delivery_id: int | None = None, since: datetime | None = None
    ) -> int:
        """Send settled deliveries again, with the same ids and bytes; give how many."""
        wanted = {
            "subscription_id": subscription_id, "delivery_id": delivery_id, "since": since, "now": self._clock.now(),
        }  # fmt: skip
        async with self._database.connection() as connection:
            return (await connection.execute(_SQL["redeliver"], wanted)).rowcount

    def _make_secret(self, subscription_id: UUID) -> tuple[str, bytes]:
        secret = self._new_secret()
        return secret, self._sealer.seal(secret, purpose=secret_purpose(subscription_id))

    async def _fetch(self, *, department: str | None, subscription_id: UUID | None) -> list[Subscription]:
        rows = await self._rows("list_subscriptions", {"department": department, "subscription_id": subscription_id})
        by_rank = {severity.rank: severity for severity in Severity}
        return [
            Subscription(**{**row, "min_severity": by_rank[row["min_severity"]], "wants": Wants(row["wants"])})
            for row in rows
        ]

    async def _rows(self, name: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with self._database.connection() as connection:
            return await fetch_rows(connection, _SQL[name], wanted)

    async def _change(self, name: str, wanted: Mapping[str, Any]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_SQL[name], wanted)


async def list_told(database: Database) -> list[str]:
    """Give the departments that hear of alerts now: those with a subscription that is enabled."""
    async with database.connection() as connection:
        rows = await (await connection.execute(_SQL["list_told"])).fetchall()
    return [department for (department,) in rows]


def _to_list(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
