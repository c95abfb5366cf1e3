"""Escalation ladders: an alert that nobody acknowledges climbs, level by level."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.notification.suppression import LOOK_AT_HELD
from ioc.domain.alerts import Alert, OperatorState

_SET_ASIDE = (OperatorState.SHELVED, OperatorState.SUPPRESSED, OperatorState.OUT_OF_SERVICE)


@dataclass(frozen=True, slots=True)
class Level:
    """Who is told when an alert has stood unacknowledged for so long."""

    after: timedelta
    departments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Levels in order. An acknowledgement counts for ``ack_timeout``; None means for ever."""

    ladder_id: str
    levels: tuple[Level, ...]
    ack_timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Where an alert stands on its ladder.

    ``unacked_at`` is since when nobody has taken note, ``reached`` how many levels were told since then.
    ``is_paused``: at the last look somebody had taken note, or the alert was set aside.
    """

    unacked_at: datetime
    reached: int = 0
    is_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """Levels to tell now (their numbers from 1), where the alert stands after it, and when to look again.

    ``look_at`` None: there is nothing more to climb unless the alert changes; ``is_over``: whatever happens to it.
    """

    due: tuple[int, ...] = ()
    rung: Rung
    look_at: datetime | None = None
    is_over: bool = False


class Waits(enum.StrEnum):
    """Why an alert does not climb this moment."""

    NEXT_LEVEL = "next_level"
    ACKNOWLEDGED = "acknowledged"
    SET_ASIDE = "set_aside"
    HELD = "held"
    OFF_ROUTE = "off_route"
    AT_TOP = "at_top"


def why_it_waits(alert: Alert, ladder: Ladder, rung: Rung, *, is_held: bool, is_off_route: bool = False) -> Waits:
    """Say why an alert on a ladder stands where it does, for people who ask; ``climb`` decides."""
    if alert.operator in _SET_ASIDE:
        return Waits.SET_ASIDE
    if alert.operator is OperatorState.ACKNOWLEDGED and rung.is_paused:
        expires_at = _expiry(alert, ladder)
        if expires_at is None or rung.unacked_at < expires_at:
            return Waits.ACKNOWLEDGED
    if is_held:
        return Waits.HELD
    if is_off_route:
        return Waits.OFF_ROUTE
    return Waits.NEXT_LEVEL if rung.reached < len(ladder.levels) else Waits.AT_TOP


def climb(alert: Alert, ladder: Ladder, rung: Rung, *, now: datetime, is_held: bool = False) -> Climb:
    """Say which levels are due at an instant.

    Args:
        alert: as it stands.
        ladder: its ladder.
        rung: where it stood at the last look.
        now: the instant.
        is_held: a silence, a maintenance window or another alert keeps it quiet, or no route with this ladder takes it
            any more, such as after it has fallen; from the end of that the time of its next level is counted.
    """
    if alert.ended_at is not None or alert.operator is OperatorState.NORMAL:
        return Climb(rung=rung, is_over=True)
    if alert.operator in _SET_ASIDE:
        return Climb(rung=replace(rung, is_paused=True), look_at=alert.shelved_until or alert.suppressed_until)
    if alert.operator is OperatorState.ACKNOWLEDGED:
        rung = replace(rung, is_paused=True)
        expires_at = _expiry(alert, ladder)
        if expires_at is None or now < expires_at:
            return Climb(rung=rung, look_at=expires_at)
        if rung.unacked_at < expires_at:
            # Who took note has not brought it to an end: it climbs from the ground again, as if nobody had.
            rung = replace(rung, unacked_at=expires_at, reached=0)
    elif rung.is_paused:
        # It asks for attention anew, so everybody is told anew.
        rung = Rung(unacked_at=now)
    if is_held:
        return Climb(rung=replace(rung, unacked_at=now), look_at=now + LOOK_AT_HELD)
    due = tuple(
        number
        for number, level in enumerate(ladder.levels, 1)
        if number > rung.reached and rung.unacked_at + level.after <= now
    )
    rung = replace(rung, reached=max([rung.reached, *due]))
    ahead = ladder.levels[rung.reached :]
    return Climb(due=due, rung=rung, look_at=rung.unacked_at + ahead[0].after if ahead else None)


def _expiry(alert: Alert, ladder: Ladder) -> datetime | None:
    """Give when an acknowledgement counts no longer; None: it counts for ever."""
    if ladder.ack_timeout is None or alert.acked_at is None:
        return None
    return alert.acked_at + ladder.ack_timeout
