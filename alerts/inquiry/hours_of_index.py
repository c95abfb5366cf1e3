"""What the hourly air quality index of a station was made of at an instant, hour by hour and pollutant by pollutant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.vn_aqi import HOURS, HourlyWindow, Pollutant, concentrations_of, hour_of, sub_index
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollutantState:
    """What one pollutant came to: its concentration (µg/m³; Nowcast of particulates, the hour's mean of gases).

    ``hours`` are those that were heard: when each began, its mean (µg/m³) and of how many readings. Particulates look
    at all of them, gases at the last.
    """

    pollutant: Pollutant
    concentration_ug_m3: float
    sub_index: float | None
    hours: Sequence[tuple[datetime, float, int]]


def first_hour_of(at: datetime) -> datetime:
    """Give when the first of the twelve hours begins that the index at an instant looks at."""
    return _begin(hour_of(at) - HOURS + 1)


def look_at_hours(events: Sequence[Event], at: datetime) -> list[PollutantState]:
    """Take readings of a station in, in the order of their arrival, and tell what they came to; the worst first.

    As in the engine, a reading that is older than one that came before it is left out. What came at once, such as the
    hours that a station sends when it is connected, came in the order in which it was observed.
    """
    window, newest_at = HourlyWindow(), datetime.min.replace(tzinfo=UTC)
    for event in sorted(events, key=lambda event: (event.received_at, event.observed_at)):
        if isinstance(event.data, AirReading) and event.observed_at > newest_at:
            newest_at = event.observed_at
            window.add(newest_at, concentrations_of(event.data))
    states = [
        PollutantState(
            pollutant=pollutant, concentration_ug_m3=value, sub_index=sub_index(pollutant, value),
            hours=[(_begin(hour), mean, count) for hour, mean, count in window.means(at, pollutant)],
        )
        for pollutant, value in window.concentrations(at).items()
    ]  # fmt: skip
    return sorted(states, key=lambda state: -(state.sub_index or 0.0))


def _begin(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * _HOUR.total_seconds(), UTC)
