"""Absence: a station that has fallen silent is noticed where its own readings are (partitions of ``events``).

Where its unit's signals meet it is judged (``blackouts``), a short while later: stations that fall silent together are
judged together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from alerts.approaches import Approach
from alerts.conditions.blackouts import Units, UnitState, scope_of
from alerts.conditions.together import read_texts
from alerts.language.files import Table
from alerts.language.rule import Level, Rule, Texts
from alerts.memory.partition import PartitionMemory
from alerts.world import World
from ioc.domain.alerts import Severity
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality

FACTS = frozenset({"minutes", "silent", "total"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Silence of stations of some kinds, each after its own time; ``share`` of a unit's stations makes a blackout."""

    kinds: tuple[type[Payload], ...]
    after: dict[str, timedelta]
    levels: tuple[Level, ...]
    blackout_severity: Severity
    blackout_share: float
    blackout_least: int
    settle: timedelta
    blackout_texts: Texts
    facts: frozenset[str] = field(default=FACTS)

    def bind(self, rule: Rule, index: int, world: World) -> AbsenceEvaluator:
        """Make the evaluator."""
        return AbsenceEvaluator(rule, index, world, self)


def read_absence(table: Table) -> Absence:
    """Read the keys of an absence rule."""
    after: dict[str, timedelta] = {}
    part = table.table("after")
    if part is not None:
        for name in part.names:
            if name not in KINDS:
                part.fault(f"no kind {name!r}; there are {', '.join(KINDS)}")
            after[name] = part.duration(name)
        part.finish()
    kinds = tuple(KINDS[name].payload for name in after if name in KINDS)
    severity = table.severity("severity")
    blackout = table.table("blackout")
    level, share, least, texts = Severity.MAJOR, 0.3, 3, Texts(title_vi="", title_en="", detail_vi="", detail_en="")
    if blackout is not None:
        level = blackout.severity("severity")
        share, least = blackout.number("share"), int(blackout.number("least"))
        texts = read_texts(blackout, FACTS)
        blackout.finish()
    return Absence(
        kinds=kinds,
        after=after,
        levels=(Level(severity=severity),),
        blackout_severity=level,
        blackout_share=share,
        blackout_least=least,
        settle=table.duration("settle", timedelta(seconds=60)),
        blackout_texts=texts,
    )


class AbsenceEvaluator:
    """Notices silence where the asset's own readings are, and has it judged where its unit's signals meet."""

    uses_zones = False
    looks_up_newest = True
    state_type = UnitState

    def __init__(self, rule: Rule, index: int, world: World, condition: Absence) -> None:
        self.rule, self._index, self._condition = rule, index, condition
        self._units = Units(rule, index, world, condition)
        self.shortest_silence = min(condition.after.values(), default=timedelta.max)
        """It asks of readings only whether they come, and no silence shorter than this is one."""

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Note that a station speaks; tell its unit when that is news, and the one that was told of its silence.

        What is noted of a station is None while it speaks, else the scope that heard last of it.
        """
        asset_id, noted = event.asset_id, memory.noted[self._index]
        silent_in: str | None = noted.get(asset_id, "")
        if silent_in is None and asset_id in memory.armed[self._index]:
            return
        if asset_id not in memory.armed[self._index]:
            memory.armed[self._index].add(asset_id)
            memory.wake_at(event.received_at + self._after(event), self._index, asset_id)
        if silent_in is not None:
            noted[asset_id], scope = None, scope_of(event)
            memory.signals.append(Signal(scope=scope, event=event, to_rule=self.rule.rule_id))
            if silent_in not in {"", scope}:
                memory.signals.append(Signal(scope=silent_in, event=event, to_rule=self.rule.rule_id))

    def resume(self, memory: PartitionMemory) -> None:
        """Watch the stations that spoke before a restart, and the units of which some had just fallen silent."""
        for scope, state in memory.series[self._index].items():
            if isinstance(state, UnitState):
                self._units.wake(memory, scope, state)
        for kind in self._condition.kinds:
            for event in memory.readings("", kind).values():
                memory.armed[self._index].add(event.asset_id)
                memory.wake_at(event.received_at + self._after(event), self._index, event.asset_id)
        for asset_id in memory.armed[self._index] - memory.noted[self._index].keys():
            # Whether it was silent is not known any more, only who would have been told.
            if (newest := self._newest(memory, asset_id)) is not None:
                memory.noted[self._index][asset_id] = scope_of(newest)

    def on_timer(self, memory: PartitionMemory, key: str, due: object) -> None:
        """Look whether a station has spoken meanwhile, or judge a unit."""
        if isinstance(memory.series[self._index].get(key), UnitState):  # an asset may be called as scopes are
            self._units.judge(memory, key)
            return
        event = self._newest(memory, key)
        if event is None:
            memory.armed[self._index].discard(key)
            return
        if (speaks_until := memory.speaks_until(key)) is not None:
            memory.wake_at(speaks_until + self.shortest_silence, self._index, key)
            return
        heard_at = event.received_at if memory.resumed_from is None else max(event.received_at, memory.resumed_from)
        if (late_at := heard_at + self._after(event)) > memory.clock:
            memory.wake_at(late_at, self._index, key)
            return
        memory.armed[self._index].discard(key)
        memory.noted[self._index][key] = scope = scope_of(event)
        silent = msgspec.structs.replace(event, quality=Quality.STALE, received_at=memory.clock)
        memory.signals.append(Signal(scope=scope, event=silent, to_rule=self.rule.rule_id))

    def _newest(self, memory: PartitionMemory, asset_id: str) -> Event | None:
        newest, own = None, memory.seen.get("", {})
        for kind in self._condition.kinds:
            event = own[kind].get(asset_id) if kind in own else None
            if event is not None and (newest is None or event.received_at > newest.received_at):
                newest = event
        return newest

    def _after(self, event: Event) -> timedelta:
        return self._condition.after[event.kind]

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take note of a station that fell silent or speaks again, here or by now in another unit."""
        if scope.startswith(("unit:", "province")):
            self._units.take(memory, scope, event)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how much of a unit is silent."""
        return self._units.say_nearness(memory, place, asset_id)
