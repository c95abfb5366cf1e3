"""What the engine remembers of one partition: readings, series, timers, and what the running step has made so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappush
from typing import Any

from alerts.memory.identities import Identities
from alerts.memory.lookback import MOST_OF_RULE, Lookback
from alerts.memory.readings import PART_READINGS, Readings
from alerts.memory.series import Series
from ioc.domain.alerts import AlertChange
from ioc.domain.events import Event, Signal

Stretch = tuple[datetime, datetime]
"""From an arrival to a later one of the same asset, between which it was never silent for long enough to be noticed."""

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFault:
    """A rule that could not be evaluated: never an alert, always visible in the rule's health."""

    rule_id: str
    asset_id: str
    reason: str
    at: datetime


class PartitionMemory:
    """Everything of one partition. ``clock`` is its log time; ``series[i]``, ``windows[i]``, the readings that it
    looks back on, ``timers[i]``, a heap, and ``noted[i]``, which can be found again after a restart and is not kept,
    belong to the rule at place i. ``sent_for_all`` says what was sent last of a thing for several rules at once.

    ``seen`` holds the newest reading per scope (empty for the events' own partition), kind and reading key: it tells
    a repetition from news, and silence from speech. ``outbox`` lists fill up during a step. ``located`` has the zones
    of the events that the running step looks at, by their identity; ``identities`` knows whose labels are whose.
    ``speaking`` has stretches in which an asset is known to have spoken although not each of its readings is looked at.
    ``crowded_from`` says, by a rule's place or by kind, from how many things on it is looked again whom to let go.
    """

    def __init__(self, rule_count: int, readings_limit: int = MOST_OF_RULE) -> None:
        self.clock = BEGINNING
        self.next_due = NEVER
        self.timers: list[list[tuple[datetime, str]]] = [[] for _ in range(rule_count)]
        self.series: list[dict[str, Series]] = [{} for _ in range(rule_count)]
        self.windows = [Lookback(readings_limit) for _ in range(rule_count)]
        self.identities = Identities(self.series)
        self.crowded_from: dict[object, int] = {}
        self.armed: list[set[str]] = [set() for _ in range(rule_count)]
        self.seen: dict[str, dict[type[Any], dict[str, Event]]] = {}
        self.noted: list[dict[str, Any]] = [{} for _ in range(rule_count)]
        self.sent_for_all: dict[str, Any] = {}
        self.speaking: Mapping[str, Sequence[Stretch]] = {}
        self.changes: list[AlertChange] = []
        self.signals: list[Signal] = []
        self.faults: list[RuleFault] = []
        self.dirty: set[tuple[int, str]] = set()
        self.dirty_parts: set[tuple[int, str, int]] = set()
        self.kept: dict[tuple[str, str], bytes | None] = {}
        self.resumed_from: datetime | None = None
        self.steps_count = 0
        self.located: dict[int, tuple[str, ...]] = {}

    def wake_at(self, due: datetime, index: int, key: str) -> None:
        """Have the rule at place ``index`` called for ``key`` when log time reaches ``due``."""
        heappush(self.timers[index], (due, key))
        self.next_due = min(self.next_due, due)

    def note_next_due(self) -> None:
        """Find out when the next timer of any rule is due."""
        self.next_due = min((timers[0][0] for timers in self.timers if timers), default=NEVER)

    def speaks_until(self, asset_id: str) -> datetime | None:
        """Give the end of the stretch in which an asset is known to speak now; None: what was seen of it is all.

        What falls due in the instant in which a stretch begins comes before its first reading.
        """
        stretches = self.speaking.get(asset_id, ())
        return max((until for since, until in stretches if since < self.clock <= until), default=None)

    def readings(self, scope: str, kind: type[Any]) -> dict[str, Event]:
        """Give the newest readings of a kind in a scope, by reading key."""
        try:
            return self.seen[scope][kind]
        except KeyError:
            return self.seen.setdefault(scope, {}).setdefault(kind, {})

    def look_back(
        self, rule_id: str, index: int, key: str, readings: Readings, moment: float, values: Sequence[float | None],
        *, span_s: float, most: int, is_loss: bool = True,
    ) -> None:  # fmt: skip
        """Take a reading in, forget what is too old, and note what must be kept anew.

        ``is_loss`` says whether readings beyond ``most`` are missed. Who looks at the last few only misses none, and
        what is too much for them goes by the part.
        """
        times = readings.times
        count, was_short = len(times), readings.is_short
        changed = readings.add(moment, values)
        is_full = was_short or len(times) > most if is_loss else len(times) > most + PART_READINGS
        if is_full or times[0] <= times[-1] - span_s:
            changed = changed | readings.forget(span_s, most)
        self.hold(rule_id, index, key, changed, len(times) - count)
        if is_loss and readings.is_short and not was_short:
            self.add_fault(rule_id, key, f"more than {most} readings within a window: the oldest are let go")

    def hold(self, rule_id: str, index: int, key: str, changed: Iterable[int], grown_by: int) -> None:
        """Note which parts of what a rule holds must be kept anew, and let things go when it holds too much."""
        for part in changed:
            self.dirty_parts.add((index, key, part))
        held = self.windows[index]
        held.readings_count += grown_by
        if held.readings_count > held.limit:
            gone = held.shed(spared=key)
            for gone_key, lost in gone:
                self.dirty_parts.update((index, gone_key, part) for part in lost.parts)
            reason = f"more than {held.limit} readings to look back on: those of {len(gone)} things are let go"
            self.add_fault(rule_id, key, reason)

    def note_failed(self, index: int, key: str) -> None:
        """Note on an open alert that its rule fails, the first time since it was evaluated last."""
        series = self.series[index].get(key)
        if series is None or series.last is None or series.heard_at is None:
            return
        if series.failed_at is None or series.failed_at <= series.heard_at:
            series.failed_at = self.clock
            self.dirty.add((index, key))

    def add_fault(self, rule_id: str, asset_id: str, reason: str) -> None:
        """Note that a rule could not be evaluated."""
        self.faults.append(RuleFault(rule_id=rule_id, asset_id=asset_id, reason=reason, at=self.clock))
