"""The rhythm in which each vessel at sea speaks, where its own positions are: one that is silent for longer is missed.

Its water hears of it by a signal, when it is missed and when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from alerts.approaches import Approach, compare
from alerts.conditions.sea_state import SeaPlaces, Whereabouts, newest_vessels, zones_of
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import VesselPosition
from ioc.domain.quantities import Quality

_LONGEST_INTERVAL_S = 600.0
_NEWEST_SHARE = 0.2
"""What the newest interval is of the rhythm; of one that is not known yet it is all."""
_MOORED = frozenset({1, 5})
"""AIS navigational status: at anchor, moored (ITU-R M.1371)."""
_MINUTE = timedelta(minutes=1)


class _Watch(msgspec.Struct):
    """A vessel at sea on its own partition: its rhythm (0: not known yet), its last position and water."""

    interval_s: float
    scope: str
    event: Event


class Rhythm(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="rhythm"):
    """The rhythm of a vessel at sea on its own partition, where a restart would forget it: slow, or not known yet.

    Nearly all speak so often that it makes no difference how often. Nothing is kept of those.
    """

    interval_s: float = 0.0


class Missed(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="missed"):
    """A lost vessel on its own partition, instead of its watch: the water that was told and is to hear that it is back.

    It is kept: whoever goes on after a restart could not tell by the last position that it was missed.
    """

    scope: str
    since: datetime
    interval_s: float = 0.0

    @property
    def heard_until(self) -> datetime | None:
        """When it was heard last."""
        return self.since


class Rhythms:
    """Watches vessels for one rule.

    Args:
        rule: the rule.
        index: its place in the rulebook.
        world: zones, for positions from before a restart.
        places: tells what zones mean for a vessel.
        least: no silence that counts is shorter.
        intervals: after how many of its own a vessel is missed, if that is longer.
    """

    def __init__(
        self, rule: Rule, index: int, world: World, places: SeaPlaces, *, least: timedelta, intervals: float
    ) -> None:
        self._rule, self._index, self._world, self._places = rule, index, world, places
        self._least, self._intervals = least, intervals
        self._quickest_s = least.total_seconds() / intervals
        """The rhythm of all that speak so often that ``least`` counts for them."""

    def take(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a position into its vessel's rhythm; say that it is back."""
        place, key = self._places.find(event, zones), event.asset_id
        watch: _Watch | None = memory.noted[self._index].get(key)
        is_at_sea = _is_at_sea(event, place)
        if watch is None:
            missed = memory.series[self._index].get(key)
            if isinstance(missed, Missed) and is_at_sea and event.lateness >= self._least:
                return  # where it was, as long ago as a silence that counts: it is no more heard than before
            interval_s = self._welcome(memory, missed, event) if isinstance(missed, Missed) else 0.0
            if is_at_sea:
                self._watch(memory, event, place.scope, interval_s)
        elif is_at_sea:
            self._go_on(memory, watch, event)
            watch.scope, watch.event = place.scope, event
            self._arm(memory, key, event)
        else:
            del memory.noted[self._index][key]
            self._keep(memory, key, self._quickest_s)

    def resume(self, memory: PartitionMemory) -> None:
        """Watch the vessels that were at sea before a restart."""
        series, watches = memory.series[self._index], memory.noted[self._index]
        for key, watch in watches.items():  # the process goes on with other rules, and watches on
            self._arm(memory, key, watch.event)
        # Those that are missed are so until they speak.
        known = {key for key, state in series.items() if isinstance(state, Missed)} | watches.keys()
        for event, zones in newest_vessels(memory, self._world, but=known):
            place = self._places.find(event, zones)
            if _is_at_sea(event, place):
                kept = series.get(event.asset_id)
                interval_s = kept.interval_s if isinstance(kept, Rhythm) else self._quickest_s
                self._watch(memory, event, place.scope, interval_s)

    def look(self, memory: PartitionMemory, key: str) -> None:
        """Look whether a vessel has spoken meanwhile; if not, tell its water."""
        memory.armed[self._index].discard(key)
        watch: _Watch | None = memory.noted[self._index].get(key)
        if watch is None:
            return
        event, heard_at, patience = watch.event, _heard_at(memory, watch), self._patience(watch)
        if heard_at + patience > memory.clock:
            memory.armed[self._index].add(key)
            # Its rhythm may have become quicker by then: no silence that counts is shorter than the least.
            memory.wake_at(min(heard_at + patience, memory.clock + self._least), self._index, key)
            return
        del memory.noted[self._index][key]
        memory.series[self._index][key] = Missed(
            shape=self._rule.condition_name, scope=watch.scope, since=event.received_at, interval_s=watch.interval_s
        )
        memory.dirty.add((self._index, key))
        lost = msgspec.structs.replace(event, quality=Quality.STALE, received_at=memory.clock)
        memory.signals.append(Signal(scope=watch.scope, event=lost, to_rule=self._rule.rule_id))

    def say_nearness(self, memory: PartitionMemory, key: str) -> Iterator[Approach]:
        """Say how long a vessel at sea has been silent; of another, why it is not missed."""
        own = memory.readings("", VesselPosition).get(key)
        if own is None:
            return
        watch: _Watch | None = memory.noted[self._index].get(key)
        if watch is None:
            zones = zones_of(memory, self._world, own)
            here, harbour = self._places.find(own, zones), self._places.harbour_of(zones)
            parts = (Part("outside_harbour", harbour is None), Part("under_way", here.is_under_way))
            if not (parts[0].is_met and parts[1].is_met):
                yield Approach(own.observed_at, parts, harbour or here.scope.removeprefix("zone:"), key)
        else:
            silent, patience = memory.clock - _heard_at(memory, watch), self._patience(watch)
            met = (Part("outside_harbour", True), Part("under_way", True))
            asked = (*met, compare_silence(silent / _MINUTE, patience / _MINUTE))
            yield Approach(memory.clock, asked, watch.scope.removeprefix("zone:"), key)

    def _welcome(self, memory: PartitionMemory, missed: Missed, event: Event) -> float:
        """Tell the water that a vessel is back, and give its rhythm: while not known, it may be as slow as that."""
        del memory.series[self._index][event.asset_id]
        memory.dirty.add((self._index, event.asset_id))
        memory.signals.append(Signal(scope=missed.scope, event=event, to_rule=self._rule.rule_id))
        return missed.interval_s or _interval_s(missed.since, event)

    def _watch(self, memory: PartitionMemory, event: Event, scope: str, interval_s: float) -> None:
        """Begin to watch a vessel at sea."""
        memory.noted[self._index][event.asset_id] = _Watch(interval_s, scope, event)
        self._keep(memory, event.asset_id, interval_s)
        self._arm(memory, event.asset_id, event)

    def _go_on(self, memory: PartitionMemory, watch: _Watch, event: Event) -> None:
        """Let the time since its last position move a vessel's rhythm."""
        if passed_s := _interval_s(watch.event.received_at, event):
            share = _NEWEST_SHARE if watch.interval_s else 1.0
            interval_s = max(self._quickest_s, watch.interval_s + (passed_s - watch.interval_s) * share)
            if interval_s != watch.interval_s:
                watch.interval_s = interval_s
                self._keep(memory, event.asset_id, interval_s)

    def _arm(self, memory: PartitionMemory, key: str, event: Event) -> None:
        """Have a vessel looked at when it may be missed, unless that is so already."""
        if key not in memory.armed[self._index]:
            memory.armed[self._index].add(key)
            memory.wake_at(event.received_at + self._least, self._index, key)

    def _keep(self, memory: PartitionMemory, key: str, interval_s: float) -> None:
        """Keep a rhythm that could not be found again after a restart, and no other."""
        series = memory.series[self._index]
        if interval_s != self._quickest_s:
            series[key] = Rhythm(shape=self._rule.condition_name, interval_s=interval_s)
            memory.dirty.add((self._index, key))
        elif key in series:
            del series[key]
            memory.dirty.add((self._index, key))

    def _patience(self, watch: _Watch) -> timedelta:
        return max(self._least, timedelta(seconds=watch.interval_s * self._intervals))


def compare_silence(minutes: float, limit: float) -> Part:
    """Give minutes of silence beside how many there may be."""
    return compare("silent_min", minutes, ">=", limit)


def _heard_at(memory: PartitionMemory, watch: _Watch) -> datetime:
    heard_at = watch.event.received_at
    return heard_at if memory.resumed_from is None else max(heard_at, memory.resumed_from)


def _interval_s(since: datetime, event: Event) -> float:
    """Give the seconds up to an event as far as they may be a vessel's rhythm, else 0."""
    passed_s = (event.received_at - since).total_seconds()
    return passed_s if 0 < passed_s <= _LONGEST_INTERVAL_S else 0.0


def _is_at_sea(event: Event, place: Whereabouts) -> bool:
    """Whether a vessel is outside harbours and under way, or does not tell its speed nor that it lies still."""
    if place.is_sheltered or not isinstance(event.data, VesselPosition):
        return False
    return place.is_under_way or (event.data.sog_kn is None and event.data.nav_status not in _MOORED)
