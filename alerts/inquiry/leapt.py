"""The grounds of an alert of a leap: the readings before it, how far it is from them, and what stations nearby said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from alerts.approaches import compare
from alerts.conditions.leaps import room_of
from alerts.conditions.spike import Spike
from alerts.conditions.watched import values_of
from alerts.inquiry.asking import Fact
from alerts.inquiry.grounds import FoundGrounds, Look
from alerts.language.rule import Rule
from alerts.memory.readings import MOST_READINGS
from geo.distance import distance_m
from ioc.domain.alerts import Alert, ResolveReason
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.quantities import Quality

_NEARBY_FOR = timedelta(hours=2)


class LeapBasis:
    """Looks for what a reading was compared with; the alert began with it.

    Args:
        rule: the rule, which says how long a pause may be.
        condition: its condition.
        alert: the alert of a station after the decision.
    """

    def __init__(self, rule: Rule, condition: Spike, alert: Alert) -> None:
        self._rule, self._condition, self._alert = rule, condition, alert
        self._kind, _, self._quantity = dict(alert.labels).get("quantity", "").rpartition(".")

    def looks(self) -> Sequence[Look]:
        """Ask for the station's readings up to the leap, and for the newest of the stations around."""
        leapt_at, decided_at = self._alert.started_at, self._alert.decided_at
        if self._quantity not in self._condition.watched.get(self._kind, {}):
            return ()
        before = leapt_at - self._condition.of * self._rule.gap
        return [
            Look(self._kind, self._alert.asset_id, before, leapt_at, MOST_READINGS),
            Look(self._kind, None, decided_at - _NEARBY_FOR, decided_at, MOST_READINGS),
        ]

    def find(self, events: Sequence[Event]) -> FoundGrounds:
        """Compare the leap with the median of the readings before it, as the engine did when it came."""
        # The newest of all stations are the station's own as well.
        own = list({bytes(item.event_id): item for item in events if item.asset_id == self._alert.asset_id}.values())
        leap = next((event for event in own if event.observed_at == self._alert.started_at), None)
        if leap is None:
            return FoundGrounds(parts=(), facts={"quantity": self._quantity}, missing=("leap",))
        before = self._list_before(own, leap)
        held = [value for event in before for value in values_of(event, (self._quantity,)).values()]
        enough = compare("readings_count", float(len(held)), ">=", float(self._condition.enough))
        near = self._list_near(leap, events)
        facts: dict[str, Fact] = {
            "quantity": self._quantity, "near_km": self._condition.near_km,
            "stations_near": [shown for _, shown in near],
        }  # fmt: skip
        value = values_of(leap, (self._quantity,)).get(self._quantity)
        grounds_events = [leap, *before, *(event for event, _ in near)]
        if value is None or not enough.is_met:
            return FoundGrounds(parts=(enough,), facts=facts, events=grounds_events, missing=("readings_before",))
        middle, room = room_of(held, self._condition.watched[self._kind][self._quantity], self._condition.mads)
        parts = [enough, compare("deviation", abs(value - middle), ">", room)]
        if self._alert.resolve_reason is not ResolveReason.CONDITION:
            parts.append(Part("alone", True))
        return FoundGrounds(parts=parts, facts={**facts, "value": value, "median": middle}, events=grounds_events)

    def _list_before(self, own: Sequence[Event], leap: Event) -> list[Event]:
        """Give the last readings that the leap was compared with: of its station, and there when it came."""
        names = tuple(self._condition.watched[self._kind])
        known = [
            event
            for event in own
            if event.observed_at < leap.observed_at and event.received_at <= leap.received_at
            if event.quality != Quality.BAD and values_of(event, names)
        ]
        return sorted(known, key=lambda event: event.observed_at)[-self._condition.of :]

    def _list_near(self, leap: Event, events: Sequence[Event]) -> list[tuple[Event, dict[str, Fact]]]:
        """Give the newest readings of the stations around, the nearest first."""
        here, found = leap.position, []
        for event in events:
            there = event.position
            if event.asset_id == leap.asset_id or here is None or there is None:
                continue
            if (away_km := distance_m(here, there) / 1_000) <= self._condition.near_km:
                value = values_of(event, (self._quantity,)).get(self._quantity)
                shown: dict[str, Fact] = {
                    "asset_id": event.asset_id, "distance_km": away_km, "value": value, "observed_at": event.observed_at
                }  # fmt: skip
                found.append((away_km, event, shown))
        return [(event, shown) for _, event, shown in sorted(found, key=lambda item: (item[0], item[1].asset_id))]
