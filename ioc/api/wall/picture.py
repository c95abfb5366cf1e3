"""The live picture: the newest row of everything that moves or measures, from the store at start and the log ever after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alerts.vn_aqi import HourlyWindow
from geo.zones import ZoneIndex
from ioc.api.views import to_ms
from ioc.api.wall.channels import Row, StateChannel
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

FIELDS: Mapping[str, Sequence[str]] = {
    "map:vessels": ("id", "lon", "lat", "sog_kn", "cog_deg", "name", "pax_count", "zone", "at", "q"),
    "map:trucks": ("id", "lon", "lat", "step", "lane", "goods", "gate", "at", "q"),
    "map:sensors": ("id", "lon", "lat", "kind", "name", "unit_code", "values", "at", "q"),
    "map:crowd": (
        "id", "lon", "lat", "name", "density_p_m2", "people_count", "capacity_count", "in_count", "out_count", "at", "q",
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
_LAST_STEPS = frozenset({"cross", "exit"})
_SILENT_STATES = frozenset({Quality.STALE, Quality.BAD})

Names = Callable[[str], str | None]


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
        self._newest: dict[tuple[type[Payload], str], Event] = {}
        self._air: dict[str, tuple[HourlyWindow, datetime]] = {}
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in channels}

    def newest(self, kind: type[Payload]) -> list[Event]:
        """Give the newest event of every asset that reports this kind."""
        return [event for (known, _), event in self._newest.items() if known is kind]

    def aqi_values(self) -> list[tuple[int, datetime]]:
        """Give the hourly VN_AQI of every station that has one, with its time."""
        found = []
        for event in self.newest(AirReading):
            row = self._rows["map:sensors"].get(event.asset_id)
            if row is not None and row[-1] < Quality.STALE and (aqi := row[6].get("vn_aqi")) is not None:
                found.append((aqi, event.observed_at))
        return found

    def take(self, events: Iterable[Event], now: datetime) -> None:
        """Take events in; one that is older than what is known changes nothing."""
        vessels: list[Event] = []
        for event in events:
            key = (type(event.data), event.asset_id)
            known = self._newest.get(key)
            if known is not None and event.observed_at < known.observed_at:
                continue
            self._newest[key] = event
            if isinstance(event.data, VesselPosition):
                vessels.append(event)
            elif (name := MAP_KINDS.get(key[0])) is not None and event.lon_deg is not None:
                self._put(name, event, self._to_row(event, now))
        if vessels:
            self._take_vessels({event.asset_id: event for event in vessels}, now)

    def learn_air(self, events: Iterable[Event], now: datetime) -> None:
        """Take the readings of the last hours in, oldest first: an index needs more than the newest one."""
        windows: dict[str, tuple[HourlyWindow, datetime]] = {}
        for event in events:
            if isinstance(event.data, AirReading):
                window = windows.get(event.asset_id, (HourlyWindow(), None))[0]
                window.add(event.observed_at, event.data)
                windows[event.asset_id] = (window, event.observed_at)
        self._air.update(windows)
        for event in self.newest(AirReading):
            if event.asset_id in windows and event.lon_deg is not None:
                self._put("map:sensors", event, self._to_row(event, now))

    def sweep(self, now: datetime) -> None:
        """Mark what has fallen silent, and take away what is long gone. Called now and then, not per event."""
        for (kind, asset_id), event in list(self._newest.items()):
            silence = now - event.observed_at
            name = MAP_KINDS.get(kind)
            if name is None:
                continue
            row = self._rows[name].get(asset_id)
            if self._is_gone(event, silence):
                del self._newest[kind, asset_id]
                self._rows[name].pop(asset_id, None)
                self._channels[name].drop(asset_id)
            elif row is not None and row[-1] != (quality := self._judge(event, now)):
                self._put(name, event, [*row[:-1], quality])

    def quality_of(self, event: Event, now: datetime) -> int:
        """Give how far an event speaks for the present."""
        return self._judge(event, now)

    def _is_gone(self, event: Event, silence: timedelta) -> bool:
        if isinstance(event.data, TruckStep):
            return silence > GONE_AFTER or (event.data.step in _LAST_STEPS and silence > TRUCK_GONE_AFTER)
        return isinstance(event.data, VesselPosition) and silence > GONE_AFTER

    def _judge(self, event: Event, now: datetime) -> int:
        if event.quality in _SILENT_STATES:
            return event.quality
        limit = self._stale_after.get(type(event.data))
        is_stale = limit is not None and now - event.observed_at > limit
        return Quality.STALE.value if is_stale else event.quality

    def _put(self, name: str, event: Event, row: Row) -> None:
        self._rows[name][event.asset_id] = row
        self._channels[name].put(event.asset_id, row)

    def _take_vessels(self, vessels: Mapping[str, Event], now: datetime) -> None:
        placed = [event for event in vessels.values() if event.lon_deg is not None and event.lat_deg is not None]
        if not placed:
            return
        lon_deg = np.array([event.lon_deg for event in placed], dtype=np.float64)
        lat_deg = np.array([event.lat_deg for event in placed], dtype=np.float64)
        for event, zones in zip(placed, self._zones.locate(lon_deg, lat_deg), strict=True):
            data = event.data
            if isinstance(data, VesselPosition):
                row = [
                    event.asset_id, event.lon_deg, event.lat_deg, data.sog_kn, data.cog_deg, data.name, data.pax_count,
                    zones[0] if zones else None, to_ms(event.observed_at), self._judge(event, now),
                ]  # fmt: skip
                self._put("map:vessels", event, row)

    def _to_row(self, event: Event, now: datetime) -> Row:
        head: Row = [event.asset_id, event.lon_deg, event.lat_deg]
        tail: Row = [to_ms(event.observed_at), self._judge(event, now)]
        match event.data:
            case TruckStep() as truck:
                return [*head, truck.step, truck.lane, truck.goods, truck.gate, *tail]
            case AirReading() | WeatherObservation() as reading:
                return [
                    *head, reading.KIND, self._name_of(event.asset_id), event.unit_code, self._values(event), *tail,
                ]  # fmt: skip
            case _:
                return [*head, self._name_of(event.asset_id), *self._counts(event.asset_id), *tail]

    def _values(self, event: Event) -> dict[str, Any]:
        data = event.data
        names = data.__struct_fields__
        values = {name: value for name in names if (value := getattr(data, name)) is not None}
        if isinstance(data, AirReading):
            window, last_at = self._air.get(event.asset_id, (HourlyWindow(), None))
            if last_at is None or event.observed_at > last_at:
                window.add(event.observed_at, data)
                self._air[event.asset_id] = (window, event.observed_at)
            if (aqi := window.hourly(event.observed_at)) is not None:
                values["vn_aqi"] = aqi
        return values

    def _counts(self, asset_id: str) -> list[Any]:
        """Crowd and gate counts of one site share its row."""
        crowd, gate = self._newest.get((Crowd, asset_id)), self._newest.get((GateCount, asset_id))
        people = crowd.data if crowd is not None else None
        passing = gate.data if gate is not None else None
        return [
            people.density_p_m2 if isinstance(people, Crowd) else None,
            people.people_count if isinstance(people, Crowd) else None,
            people.capacity_count if isinstance(people, Crowd) else None,
            passing.in_count if isinstance(passing, GateCount) else None,
            passing.out_count if isinstance(passing, GateCount) else None,
        ]


LATEST_KINDS: tuple[type[Payload], ...] = (*MAP_KINDS, BorderQueue, UnitReport)
"""Kinds that the picture keeps; others pass it by."""
