"""What rules share that need the wind near a place: which winds are sent where they meet, and which counts there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from geo.distance import distance_m
from geo.position import Position
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import WeatherObservation

_AGAIN = timedelta(minutes=10)
GOOD_FOR = timedelta(minutes=40)
"""A wind is believed that long; it is sent on every ten minutes."""


class Sent(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="sent"):
    """What a station told last of itself to where stations meet, and when: a restart must not make it tell again."""

    does: bool = False
    at: datetime | None = None


def wind_of(event: Event, *, gusts: bool) -> float | None:
    """Give the wind that an observation tells, with gusts the stronger of both."""
    data = event.data
    if not isinstance(data, WeatherObservation):
        return None
    told = [value for value in (data.wind_m_s, data.gust_m_s if gusts else None) if value is not None]
    return max(told, default=None)


def send_wind(
    memory: PartitionMemory, rule: Rule, index: int, scope: str, event: Event, matters: Callable[[float], bool], *,
    gusts: bool,
) -> None:  # fmt: skip
    """Send a wind on when it begins or ceases to matter, and every ten minutes: the nearest station must be known."""
    wind = wind_of(event, gusts=gusts)
    if wind is None or event.position is None or event.received_at - event.observed_at > rule.lateness:
        return
    if is_news(memory, rule, index, event, matters(wind)):
        memory.signals.append(Signal(scope=scope, event=event))


def is_news(memory: PartitionMemory, rule: Rule, index: int, event: Event, does: bool) -> bool:
    """Say whether a station must tell of itself, and note that it does."""
    mine, key = memory.series[index], f"{event.asset_id}\x1fsent"
    sent = mine.get(key)
    if isinstance(sent, Sent) and sent.does is does and sent.at is not None and event.observed_at - sent.at < _AGAIN:
        return False
    mine[key] = Sent(shape=rule.condition_name, does=does, at=event.observed_at)
    memory.dirty.add((index, key))
    return True


def nearest_wind(stations: Iterable[Event], place: Position, at: datetime, near_km: float) -> Event | None:
    """Give the fresh observation of the station nearest to a place, if one is near."""
    near = [
        (distance_m(place, there), station.asset_id, station)
        for station in stations
        if isinstance(station.data, WeatherObservation) and at - station.observed_at <= GOOD_FOR
        if (there := station.position) is not None
    ]
    near = [item for item in near if item[0] <= near_km * 1_000]
    return min(near, key=lambda item: item[:2])[2] if near else None
