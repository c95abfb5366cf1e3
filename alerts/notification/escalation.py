"""Escalation ladders: an alert that nobody acknowledges climbs, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.domain.alerts import Alert, OperatorState


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


@dataclass(frozen=True, slots=True)
class Climb:
    """Levels to tell now (their numbers from 1), how far the alert has come, and when to look again.

    ``look_at`` None: there is nothing more to climb unless the alert changes.
    """

    due: tuple[int, ...]
    reached: int
    look_at: datetime | None


def climb(alert: Alert, ladder: Ladder, *, unacked_at: datetime, reached: int, now: datetime) -> Climb:
    """Say which levels are due at an instant.

    Args:
        alert: as it stands.
        ladder: its ladder.
        unacked_at: since when nobody has acknowledged it.
        reached: how many levels were told since then.
        now: the instant.
    """
    if alert.ended_at is not None or alert.operator in (OperatorState.NORMAL, OperatorState.OUT_OF_SERVICE):
        return Climb((), reached, None)
    if alert.operator in (OperatorState.SHELVED, OperatorState.SUPPRESSED):
        return Climb((), reached, alert.shelved_until)
    if alert.operator is OperatorState.ACKNOWLEDGED:
        if ladder.ack_timeout is None or alert.acked_at is None:
            return Climb((), reached, None)
        expires_at = alert.acked_at + ladder.ack_timeout
        if now < expires_at:
            return Climb((), reached, expires_at)
        # Who took note has not brought it to an end: from here it climbs on as if nobody had.
        unacked_at = max(unacked_at, expires_at)
    due = [
        number for number, level in enumerate(ladder.levels, 1) if number > reached and unacked_at + level.after <= now
    ]
    after = max([reached, *due])
    ahead = ladder.levels[after:]
    return Climb(tuple(due), after, unacked_at + ahead[0].after if ahead else None)
