"""The store's rules: their versions, what was made active when, and the alerts that versions are compared by."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from alerts.backtest import Occurrence
from alerts.fingerprints import sha256_fingerprint
from alerts.rule_versions import split_id
from ioc.domain.alerts import Severity
from ioc.errors import NotFoundError, RefusedActionError
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("rules")
_MOST_HISTORY = 1_000
MOST_OCCURRENCES = 50_000


class Lane(enum.StrEnum):
    """Where a version runs: in force, or beside it with nobody told."""

    LIVE = "live"
    SHADOW = "shadow"


class State(enum.StrEnum):
    """What stands in a lane: a version, the rule as the files have it, or nothing."""

    VERSION = "version"
    FILE = "file"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """One version as it was saved. ``version`` is the hash of its meaning: two numbers may share it."""

    rule_id: str
    number: int
    source: str
    version: str
    tests_count: int
    author: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One change of what is in force. A roll-back ``restores`` an earlier one; None: what was before the first."""

    activation_id: int
    rule_id: str
    lane: Lane
    state: State
    number: int | None
    is_roll_back: bool
    restores: int | None
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to have in a lane, and why. ``expected``: the rule's newest activation that they saw."""

    rule_id: str
    lane: Lane
    state: State
    number: int | None
    actor: str
    reason: str
    at: datetime
    expected: int | None = None


class StaleActivationError(RefusedActionError):
    """Somebody else has changed what is in force of this rule since the caller looked."""

    def __init__(self, rule_id: str, expected: int, current: int) -> None:
        super().__init__(
            "stale_activation",
            f"{rule_id}: activation {expected} is not the newest one, {current} is; look again, then decide",
        )


class RuleStore:
    """Versions and activations. Both only grow; the database refuses everything else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, *, rule_id: str, source: str, version: str, tests_count: int, author: str, reason: str, at: datetime
    ) -> RuleVersion:
        """Add a version; its number is one more than the rule's last."""
        wanted = {
            "rule_id": rule_id, "source": source, "version": version, "tests_count": tests_count, "author": author,
            "reason": reason, "at": at,
        }  # fmt: skip
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["order_changes"])
            [row] = await _fetch(connection, "add_version", wanted)
        return RuleVersion(**row)

    async def versions(self, rule_id: str, *, before: int | None = None, limit: int = 100) -> list[RuleVersion]:
        """Give a rule's versions, newest first; ``before`` is the last number of the page before."""
        return await self._versions(rule_id, before=before, limit=limit)

    async def version(self, rule_id: str, number: int) -> RuleVersion:
        """Give one version.

        Raises:
            NotFoundError: there is none with this number.
        """
        found = await self._versions(rule_id, number=number)
        if not found:
            raise NotFoundError("rule version", f"{rule_id} {number}")
        return found[0]

    async def find_meaning(self, rule_id: str, version: str) -> RuleVersion | None:
        """Give the newest version of a rule that means this; None where none was saved."""
        found = await self._versions(rule_id, version=version, limit=1)
        return found[0] if found else None

    async def newest_activation(self) -> int:
        """Give the id of the last change of what is in force, 0 before the first."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["newest_activation"])).fetchone()
        return int(row[0]) if row else 0

    async def standing(self) -> list[Activation]:
        """Give what counts now, by rule and lane."""
        async with self._database.connection() as connection:
            return [_to_activation(row) for row in await _fetch(connection, "standing", {})]

    async def versions_of(self, activations: Iterable[Activation]) -> dict[tuple[str, int], RuleVersion]:
        """Give the versions that activations name, by rule and number."""
        names = sorted({(item.rule_id, item.number) for item in activations if item.number is not None})
        wanted = {"rule_ids": [name for name, _ in names], "numbers": [number for _, number in names]}
        async with self._database.connection() as connection:
            rows = await _fetch(connection, "versions_in_force", wanted)
        return {(row["rule_id"], row["number"]): RuleVersion(**row) for row in rows}

    async def history(self, rule_id: str) -> list[Activation]:
        """Give what was active of a rule, newest first."""
        async with self._database.connection() as connection:
            return await _history(connection, rule_id)

    async def activate(self, wish: Wish) -> Activation:
        """Put something into a lane. A candidate that comes into force no longer runs beside it.

        Raises:
            StaleActivationError: the newest activation of the rule is not the one that was expected.
            RefusedActionError: it stands there already.
        """
        async with self._database.transaction() as connection:
            history = await _begin(connection, wish.rule_id, wish.expected)
            now = _newest(history, wish.lane)
            before = (State.FILE if wish.lane is Lane.LIVE else State.OFF, None)
            if (wish.state, wish.number) == (before if now is None else (now.state, now.number)):
                raise RefusedActionError("already_active", f"{wish.rule_id}: that is how it is already")
            candidate = _newest(history, Lane.SHADOW)
            if wish.lane is Lane.LIVE and candidate is not None and wish.number == candidate.number is not None:
                await _add(connection, wish, lane=Lane.SHADOW, state=State.OFF, number=None)
            return await _add(connection, wish, lane=wish.lane, state=wish.state, number=wish.number)

    async def roll_back(
        self, rule_id: str, *, actor: str, reason: str, at: datetime, expected: int | None = None
    ) -> Activation:
        """Put in force what was before the activation that counts; again, and it goes one further back.

        Raises:
            StaleActivationError: the newest activation of the rule is not the one that was expected.
            RefusedActionError: there is nothing before it.
        """
        async with self._database.transaction() as connection:
            history = await _begin(connection, rule_id, expected)
            before = find_before([item for item in history if item.lane is Lane.LIVE])
            wish = Wish(
                rule_id=rule_id, lane=Lane.LIVE, state=State.FILE if before is None else before.state,
                number=None if before is None else before.number, actor=actor, reason=reason, at=at,
            )  # fmt: skip
            return await _add(
                connection, wish, lane=Lane.LIVE, state=wish.state, number=wish.number, is_roll_back=True,
                restores=None if before is None else before.activation_id,
            )  # fmt: skip

    async def occurrences(self, rule_ids: Sequence[str], *, start: datetime, end: datetime) -> list[Occurrence]:
        """Give the alerts of rules and candidates that stood in a time, under the rule's own name and identity."""
        wanted = {"rule_ids": list(rule_ids), "start": start, "end": end, "limit": MOST_OCCURRENCES}
        async with self._database.connection() as connection:
            rows = await _fetch(connection, "occurrences", wanted)
        return [_to_occurrence(row) for row in rows]

    async def _versions(
        self,
        rule_id: str,
        *,
        number: int | None = None,
        version: str | None = None,
        before: int | None = None,
        limit: int = 1,
    ) -> list[RuleVersion]:
        wanted = {"rule_id": rule_id, "number": number, "version": version, "before": before, "limit": limit}
        async with self._database.connection() as connection:
            return [RuleVersion(**row) for row in await _fetch(connection, "versions", wanted)]


def find_before(live: Sequence[Activation]) -> Activation | None:
    """Give what was in force before the activation that counts; None: what the files say. Newest first.

    A roll-back stands for the activation that it went back to, so a second one goes further back instead of forth.

    Raises:
        RefusedActionError: nothing was before.
    """
    by_id = {item.activation_id: item for item in live}
    now = live[0] if live else None
    while now is not None and now.is_roll_back:
        now = by_id.get(now.restores) if now.restores is not None else None
    if now is None:
        raise RefusedActionError("nothing_before", "nothing was in force before this that it could go back to")
    earlier = [item for item in live if item.activation_id < now.activation_id]
    return earlier[0] if earlier else None


async def _begin(connection: AsyncConnection, rule_id: str, expected: int | None) -> list[Activation]:
    """Take turns, and see that the rule is still as the caller saw it."""
    await connection.execute(_SQL["order_changes"])
    history = await _history(connection, rule_id)
    current = history[0].activation_id if history else 0
    if expected is not None and expected != current:
        raise StaleActivationError(rule_id, expected, current)
    return history


async def _history(connection: AsyncConnection, rule_id: str) -> list[Activation]:
    rows = await _fetch(connection, "history", {"rule_id": rule_id, "limit": _MOST_HISTORY})
    return [_to_activation(row) for row in rows]


async def _add(
    connection: AsyncConnection,
    wish: Wish,
    *,
    lane: Lane,
    state: State,
    number: int | None,
    is_roll_back: bool = False,
    restores: int | None = None,
) -> Activation:
    wanted = {
        "rule_id": wish.rule_id, "lane": lane.value, "state": state.value, "number": number,
        "is_roll_back": is_roll_back, "restores": restores, "actor": wish.actor, "reason": wish.reason, "at": wish.at,
    }  # fmt: skip
    [row] = await _fetch(connection, "add_activation", wanted)
    return _to_activation(row)


async def _fetch(connection: AsyncConnection, name: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        return list(await (await cursor.execute(_SQL[name], wanted)).fetchall())


def _newest(history: Iterable[Activation], lane: Lane) -> Activation | None:
    return next((item for item in history if item.lane is lane), None)


def _to_activation(row: Mapping[str, Any]) -> Activation:
    return Activation(**{**row, "lane": Lane(row["lane"]), "state": State(row["state"])})


def _to_occurrence(row: Mapping[str, Any]) -> Occurrence:
    rule_id, _ = split_id(row["rule_id"])
    labels = {**row["labels"], "rule": rule_id}
    return Occurrence(
        rule_id=rule_id, fingerprint=sha256_fingerprint(labels.items()), asset_id=row["asset_id"],
        unit_code=row["unit_code"], title_vi=row["title_vi"], title_en=row["title_en"],
        severity=max(map(Severity, row["severities"]), key=lambda severity: severity.rank),
        observed_at=row["observed_at"], started_at=row["started_at"], ended_at=row["ended_at"],
    )  # fmt: skip
