"""The live picture: the newest row of everything that moves or measures, from the store at start, then from the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from geo.zones import ZoneIndex, ZoneKind
from ioc.api.views import to_ms
from ioc.api.wall.channels import MOST_KEYS, Row, StateChannel
from ioc.domain.events import Event
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    Crowd,
    GateCount,
    Payload,
    TruckStep,
    UnitReport,
    VesselPosition,
    WeatherObservation,
)
from ioc.domain.quantities import Quality
from ioc.indicators.air import AirIndex

FIELDS: Mapping[str, Sequence[str]] = {
    "map:vessels": ("id", "lon", "lat", "sog_kn", "cog_deg", "name", "pax_count", "zone", "at", "q"),
    "map:trucks": ("id", "lon", "lat", "step", "lane", "goods", "gate", "at", "q"),
    "map:sensors": ("id", "lon", "lat", "kind", "name", "unit_code", "values", "at", "q"),
    "map:crowd": (
        "id", "lon", "lat", "name", "density_p_m2", "people_count", "capacity_count", "in_count", "out_count", "at",
        "q",
    ),
}  # fmt: skip
MAP_KINDS: Mapping[type[Payload], str] = {
    VesselPosition: "map:vessels",
    TruckStep: "map:trucks",
    AirReading: "map:sensors",
    WeatherObservation: "map:sensors",
    Crowd: "map:crowd",
    GateCount: "map:crowd",
}
GONE_AFTER = timedelta(hours=24)
"""A thing that moves and was not heard of for a day leaves the map; until then it stays, marked as stale."""
TRUCK_GONE_AFTER = timedelta(minutes=10)
KEPT = timedelta(days=7)
"""What stands still stays for a week: a dead sensor must be seen, one that was taken down must go."""
_LAST_STEPS = frozenset({"cross", "exit"})
_MOVING_KN = 0.5
_SHELTERING = frozenset({ZoneKind.PORT, ZoneKind.SHELTER})
_SILENT_STATES = frozenset({Quality.STALE, Quality.BAD})

Names = Callable[[str], str | None]


class Tally:
    """Counts things by what they do, one step per change instead of one look at everything per tick."""

    def __init__(self) -> None:
        self._doing: dict[str, str] = {}
        self.counts: Counter[str] = Counter()

    def set(self, key: str, doing: str | None) -> None:
        """Note what a thing does now; None when it does nothing that is counted, or is gone."""
        before = self._doing.pop(key, None)
        if before is not None:
            self.counts[before] -= 1
        if doing is not None:
            self._doing[key] = doing
            self.counts[doing] += 1


class Picture:
    """Rows of the map channels, and what the key figures count.

    Args:
        channels: the map channels by name.
        zones: for the zone that a vessel is in.
        stale_after: silence after which a kind's reading no longer speaks for the present.
        name_of: Vietnamese name of a fixed asset.
    """

    def __init__(
        self,
        channels: Mapping[str, StateChannel],
        *,
        zones: ZoneIndex,
        stale_after: Mapping[type[Payload], timedelta],
        name_of: Names,
    ) -> None:
        self._channels, self._zones, self._name_of = channels, zones, name_of
        self._stale_after = stale_after
        self._newest: dict[type[Payload], dict[str, Event]] = {kind: {} for kind in LATEST_KINDS}
        self._newest_at: dict[type[Payload], datetime] = {}
        self._air = AirIndex()
        self._shelters = frozenset(zone.zone_id for zone in zones.zones.values() if zone.kind in _SHELTERING)
        self._in_shelter: dict[str, bool] = {}
        self.tally = Tally()

    def quality_of(self, event: Event, now: datetime) -> int:
        """Judge how far an event still speaks for the present."""
        if event.quality in _SILENT_STATES:
            return event.quality
        limit = self._stale_after.get(type(event.data))
        is_stale = limit is not None and now - event.observed_at > limit
        return Quality.STALE.value if is_stale else event.quality

    def heard(self, kind: type[Payload], now: datetime) -> tuple[datetime | None, Quality]:
        """Say when a kind was heard of last, and whether its counts still speak for the present."""
        return self._newest_at.get(kind), self.quality_at(kind, now)

    def quality_at(self, kind: type[Payload], now: datetime) -> Quality:
        """Judge a kind as a whole: when nothing of it comes any more, a count of zero says nothing."""
        newest, limit = self._newest_at.get(kind), self._stale_after.get(kind)
        is_silent = newest is not None and limit is not None and now - newest > limit
        return Quality.STALE if is_silent else Quality.GOOD

    def take(self, events: Iterable[Event], now: datetime) -> None:
        """Take events in; one that is older than what is known changes nothing on the map."""
        vessels: dict[str, Event] = {}
        for event in events:
            kind = type(event.data)
            newest = self._newest[kind]
            if isinstance(event.data, AirReading):
                self._air.add(event.asset_id, event.observed_at, event.data)
            known = newest.get(event.asset_id)
            if known is None:
                if len(newest) >= MOST_KEYS or self._is_gone(event, now):
                    continue
            elif event.observed_at < known.observed_at or event.event_id == known.event_id:
                continue
            newest[event.asset_id] = event
            self._newest_at[kind] = max(event.observed_at, self._newest_at.get(kind, event.observed_at))
            if isinstance(event.data, VesselPosition):
                vessels[event.asset_id] = event
            elif kind in MAP_KINDS:
                self._show(event, now)
        if vessels:
            self._show_vessels(list(vessels.values()), now)

    def learn_air(self, events: Iterable[Event]) -> None:
        """Take air readings of the last hours in: an index needs more than the newest one."""
        for event in events:
            if isinstance(event.data, AirReading):
                self._air.add(event.asset_id, event.observed_at, event.data)

    def show_air(self, now: datetime) -> None:
        """Show every station anew, with the index that is known by now."""
        for event in self._newest[AirReading].values():
            self._show(event, now)

    def sweep(self, now: datetime) -> None:
        """Mark what has fallen silent, and take away what is long gone. Called now and then, not per event."""
        for kind, newest in self._newest.items():
            name = MAP_KINDS.get(kind)
            for asset_id, event in list(newest.items()):
                if self._is_gone(event, now):
                    self._forget(kind, asset_id)
                elif name is not None:
                    row = self._channels[name].rows.get(asset_id)
                    if row is not None and row[-1] != self.quality_of(self._speaker(event), now):
                        self._show(event, now)

    def _forget(self, kind: type[Payload], asset_id: str) -> None:
        del self._newest[kind][asset_id]
        self.tally.set(asset_id, None)
        self._in_shelter.pop(asset_id, None)
        if (name := MAP_KINDS.get(kind)) is not None:
            self._channels[name].drop(asset_id)

    @staticmethod
    def _is_gone(event: Event, now: datetime) -> bool:
        silence = now - event.observed_at
        match event.data:
            case TruckStep(step=step):
                return silence > GONE_AFTER or (step in _LAST_STEPS and silence > TRUCK_GONE_AFTER)
            case VesselPosition():
                return silence > GONE_AFTER
            case _:
                return silence > KEPT

    def _show_vessels(self, vessels: list[Event], now: datetime) -> None:
        placed = [event for event in vessels if event.lon_deg is not None and event.lat_deg is not None]
        lon_deg = np.array([event.lon_deg for event in placed], dtype=np.float64)
        lat_deg = np.array([event.lat_deg for event in placed], dtype=np.float64)
        for event, zones in zip(placed, self._zones.locate(lon_deg, lat_deg), strict=True):
            self._in_shelter[event.asset_id] = not self._shelters.isdisjoint(zones)
            self._show(event, now, zone=zones[0] if zones else None)

    def _show(self, event: Event, now: datetime, *, zone: str | None = None) -> None:
        """Put an event's row on its channel, and count what it does."""
        name = MAP_KINDS[type(event.data)]
        quality = self.quality_of(self._speaker(event), now)
        if event.lon_deg is None or event.lat_deg is None:
            return
        if isinstance(event.data, VesselPosition):
            known = self._channels[name].rows.get(event.asset_id)
            is_same = known is not None and (known[1], known[2]) == _to_place(event)
            zone = known[7] if zone is None and is_same and known is not None else zone
            is_moving = (event.data.sog_kn or 0.0) >= _MOVING_KN
            still = "sheltered" if self._in_shelter.get(event.asset_id) else None
            self.tally.set(event.asset_id, "silent" if quality in _SILENT_STATES else "moving" if is_moving else still)
        self._channels[name].put(event.asset_id, self._to_row(event, zone, quality))

    def _speaker(self, event: Event) -> Event:
        """Give the event that says how old a row is: where a site counts people, its gate's count does not."""
        if isinstance(event.data, GateCount):
            return self._newest[Crowd].get(event.asset_id, event)
        return event

    def _to_row(self, event: Event, zone: str | None, quality: int) -> Row:
        head: Row = [event.asset_id, *_to_place(event)]
        tail: Row = [to_ms(self._speaker(event).observed_at), quality]
        match event.data:
            case VesselPosition() as vessel:
                return [*head, vessel.sog_kn, vessel.cog_deg, vessel.name, vessel.pax_count, zone, *tail]
            case TruckStep() as truck:
                return [*head, truck.step, truck.lane, truck.goods, truck.gate, *tail]
            case AirReading() | WeatherObservation() as reading:
                name = self._name_of(event.asset_id)
                return [*head, reading.KIND, name, event.unit_code, self._values(event), *tail]
            case _:
                return [*head, self._name_of(event.asset_id), *self._counts(event.asset_id), *tail]

    def _values(self, event: Event) -> dict[str, Any]:
        data = event.data
        names = data.__struct_fields__
        values = {name: value for name in names if (value := getattr(data, name)) is not None}
        if isinstance(data, AirReading) and (aqi := self._air.find(event.asset_id, event.observed_at)) is not None:
            values["vn_aqi"] = aqi
        return values

    def _counts(self, asset_id: str) -> list[Any]:
        """Crowd and gate counts of one site share its row."""
        crowd, gate = self._newest[Crowd].get(asset_id), self._newest[GateCount].get(asset_id)
        people = crowd.data if crowd is not None else None
        passing = gate.data if gate is not None else None
        return [
            people.density_p_m2 if isinstance(people, Crowd) else None,
            people.people_count if isinstance(people, Crowd) else None,
            people.capacity_count if isinstance(people, Crowd) else None,
            passing.in_count if isinstance(passing, GateCount) else None,
            passing.out_count if isinstance(passing, GateCount) else None,
        ]


def _to_place(event: Event) -> tuple[float | None, float | None]:
    """Give the place to 0.1 m: more digits are noise, and a third of what a wall would get."""
    if event.lon_deg is None or event.lat_deg is None:
        return None, None
    return round(event.lon_deg, 6), round(event.lat_deg, 6)


LATEST_KINDS: tuple[type[Payload], ...] = (*MAP_KINDS, BorderQueue, UnitReport)
"""Kinds that the picture keeps; others pass it by."""
