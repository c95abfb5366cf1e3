"""What of rules was made active when, by whom and why. It only grows; the database refuses everything else."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ioc.errors import RefusedActionError
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("rules")
_MOST_HISTORY = 1_000


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


class ActivationStore:
    """Puts versions into lanes, one change of a rule at a time.

    Args:
        database: the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest_id(self) -> int:
        """Give the id of the last change of what is in force, 0 before the first."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["newest_activation"])).fetchone()
        return int(row[0]) if row else 0

    async def standing(self) -> list[Activation]:
        """Give what counts now, by rule and lane."""
        async with self._database.connection() as connection:
            return [_to_activation(row) for row in await fetch_rows(connection, _SQL["standing"], {})]

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
    rows = await fetch_rows(connection, _SQL["history"], {"rule_id": rule_id, "limit": _MOST_HISTORY})
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
    [row] = await fetch_rows(connection, _SQL["add_activation"], wanted)
    return _to_activation(row)


def _newest(history: Iterable[Activation], lane: Lane) -> Activation | None:
    return next((item for item in history if item.lane is lane), None)


def _to_activation(row: Mapping[str, Any]) -> Activation:
    return Activation(**{**row, "lane": Lane(row["lane"]), "state": State(row["state"])})
