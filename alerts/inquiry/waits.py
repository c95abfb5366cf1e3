"""How long something stood, where a rule is about just that: a state that was reported, a value that does not move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.conditions.standing import StandingState
from alerts.conditions.stuck import Stuck, StuckState
from alerts.memory.series import Series


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch in which something stood; ``needed`` is how long it must for the rule to fire."""

    what: str
    since: datetime
    until: datetime
    needed: timedelta

    @property
    def share(self) -> float:
        """How much of the time that it needs had passed."""
        return (self.until - self.since) / self.needed if self.needed > timedelta(0) else 0.0


def find_waits(evaluator: Any, series: Series | None, now: datetime) -> Iterator[Wait]:
    """Give what stands at an instant: of a state up to now, of a value up to its last report."""
    if isinstance(series, StandingState) and series.stands_since is not None:
        fires_at = evaluator.fires_at(series)
        if fires_at is not None and now >= series.stands_since:
            yield Wait("state", series.stands_since, now, fires_at - series.stands_since)
    elif isinstance(series, StuckState) and isinstance(evaluator.rule.condition, Stuck):
        watched = evaluator.rule.condition.watched
        for place, still in series.still.items():
            kind, _, quantity = place.partition(":")
            how = watched.get(kind, {}).get(quantity)
            if how is not None:
                since, until = (datetime.fromtimestamp(moment, UTC) for moment in (still.since, still.until))
                yield Wait(quantity, since, until, how.after)
