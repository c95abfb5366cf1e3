"""The grounds of an alert of a vessel under a warning: the warning or the wind, and the water that it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from alerts.approaches import compare
from alerts.conditions.sea_state import UNDER_WAY_KN, ZoneWeather, active_warning, take_weather
from alerts.conditions.vessel_warned import VesselWarned
from alerts.inquiry.asking import Fact
from alerts.inquiry.grounds import FoundGrounds, Look
from alerts.memory.readings import MOST_READINGS
from alerts.world import World
from ioc.domain.alerts import Alert, ConditionState
from ioc.domain.events import Event
from ioc.domain.grounds import Grounds, Part
from ioc.domain.kinds import VesselPosition, WeatherObservation, WeatherWarning

_WARNED_FOR = timedelta(days=7)
"""How long before a decision a warning that is in force may have been issued."""
_WIND_FOR = timedelta(hours=1)


class WarnedBasis:
    """Looks for what made the weather over a vessel's water bad.

    Args:
        condition: the rule's condition.
        alert: the alert of a vessel after the decision.
        world: which stations stand for the water, and its names.
        kept: what the journal has of what the condition asked for; None of alerts from before that was kept.
    """

    def __init__(self, condition: VesselWarned, alert: Alert, world: World, kept: Grounds | None) -> None:
        self._condition, self._alert, self._world = condition, alert, world
        self._kept = () if kept is None else kept.parts

    def looks(self) -> Sequence[Look]:
        """Ask for the position, and for the warnings of its water or the winds of the stations that stand for it."""
        alert, until = self._alert, self._alert.decided_at
        looks = [
            Look(VesselPosition.KIND, alert.asset_id, alert.observed_at - timedelta(seconds=1), alert.observed_at, 1)
        ]
        if alert.zone_id is None:
            return looks
        stations = [asset_id for asset_id, zone in self._world.station_zones.items() if zone == alert.zone_id]
        return [
            *looks,
            Look(WeatherWarning.KIND, f"area.{alert.zone_id}", until - _WARNED_FOR, until, MOST_READINGS),
            *(
                Look(WeatherObservation.KIND, asset_id, until - _WIND_FOR, until, MOST_READINGS)
                for asset_id in stations
            ),
        ]

    def find(self, events: Sequence[Event]) -> FoundGrounds:
        """Take the weather in as the engine did: a decision has a value where it was the wind, none at a warning."""
        alert, condition = self._alert, self._condition
        zone_vi, zone_en = self._world.name_of(alert.zone_id)
        facts: dict[str, Fact] = {
            "zone_id": alert.zone_id, "zone_vi": zone_vi, "zone_en": zone_en, "exposure": self._find_exposure(),
            "grace_s": condition.grace.total_seconds(),
        }  # fmt: skip
        parts = [*self._kept]
        positions = [event.data for event in events if isinstance(event.data, VesselPosition)]
        if positions and (speed_kn := positions[-1].sog_kn) is not None:
            parts.insert(0, compare("speed_kn", speed_kn, ">=", UNDER_WAY_KN))
        if self._kept and not any(part.is_met and part.one_of == "weather" for part in self._kept):
            return FoundGrounds(parts=parts, facts=facts)
        weather = [event for event in events if not isinstance(event.data, VesselPosition)]
        part, told = self._find_wind(weather) if alert.value is not None else self._find_warning(weather)
        if part is None or told is None:
            missing = ("weather",) if alert.condition is ConditionState.FIRING else ()
            return FoundGrounds(parts=parts, facts=facts, missing=missing)
        more = _describe(told.data, told) if isinstance(told.data, WeatherWarning) else {}
        facts |= {"weather_asset_id": told.asset_id, **more}
        parts += () if self._kept else (part,)
        return FoundGrounds(parts=parts, facts=facts, events=[told])

    def _find_exposure(self) -> str | None:
        """Say by the severity whether it set out against the weather or was caught out in it."""
        levels = [level.severity for level in self._condition.levels]
        severity = self._alert.rule_severity or self._alert.severity
        if levels.count(severity) != 1:
            return None
        return ("set_out", "caught_out")[levels.index(severity)]

    def _find_warning(self, events: Sequence[Event]) -> tuple[Part | None, Event | None]:
        state, newest = ZoneWeather(shape="vessel_warned"), dict[str, Event]()
        for event in events:
            if isinstance(event.data, WeatherWarning) and event.data.zone_id == self._alert.zone_id:
                take_weather(state, event, event.received_at)
                newest[event.data.warning_key] = event
        # A vessel is judged at its own time, and all of a water when a warning begins.
        moments = self._alert.observed_at, self._alert.decided_at
        warning = next((found for at in moments if (found := active_warning(state, at)) is not None), None)
        return (None, None) if warning is None else (Part("warning", True), newest[warning.warning_key])

    def _find_wind(self, events: Sequence[Event]) -> tuple[Part | None, Event | None]:
        limits = (("wind_m_s", self._condition.wind_m_s), ("gust_m_s", self._condition.gust_m_s))
        for event in reversed(events):
            for name, limit in limits if isinstance(event.data, WeatherObservation) else ():
                if (value := getattr(event.data, name)) == self._alert.value and limit == self._alert.limit:
                    return compare(name, value, ">=", limit), event
        return None, None


def _describe(warning: WeatherWarning, event: Event) -> Mapping[str, Fact]:
    return {
        "warning_key": warning.warning_key, "hazard": warning.hazard, "warning_severity": warning.severity,
        "headline_vi": warning.headline_vi, "headline_en": warning.headline_en,
        "onset_at": warning.onset_at, "expires_at": warning.expires_at, "warning_received_at": event.received_at,
    }  # fmt: skip
