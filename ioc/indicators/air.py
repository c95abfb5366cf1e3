"""The hourly VN_AQI of every air station, kept from readings in whatever order and however often they come."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.vn_aqi import HOURS_KEPT, HourlyWindow, concentrations_of
from ioc.domain.kinds import AirReading

_WINDOW = timedelta(hours=HOURS_KEPT)


class AirIndex:
    """Windows by station. A reading that comes again (from the store, or redelivered by the log) counts once."""

    def __init__(self) -> None:
        self._windows: dict[str, HourlyWindow] = {}
        self._known: dict[str, dict[datetime, set[datetime]]] = {}

    def add(self, asset_id: str, observed_at: datetime, reading: AirReading) -> None:
        """Take a reading in; late ones improve the index of their hour."""
        hour = observed_at.replace(minute=0, second=0, microsecond=0)
        hours = self._known.setdefault(asset_id, {})
        if hour not in hours:
            newest = max([hour, *hours])
            if hour <= newest - _WINDOW:
                return
            for old in [known for known in hours if known <= newest - _WINDOW]:
                del hours[old]
        known = hours.setdefault(hour, set())
        if observed_at not in known:
            known.add(observed_at)
            self._windows.setdefault(asset_id, HourlyWindow()).add(observed_at, concentrations_of(reading))

    def find(self, asset_id: str, at: datetime) -> int | None:
        """Give a station's hourly index; None while its readings do not suffice."""
        window = self._windows.get(asset_id)
        return None if window is None else window.hourly(at)

    def is_filled(self, asset_id: str, at: datetime) -> bool:
        """Whether that index is the one of the hour of ``at``, not of the hour before."""
        window = self._windows.get(asset_id)
        return window is not None and window.is_filled(at)
