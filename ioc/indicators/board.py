"""All indicators of the province together: events in, rows with the last hour's course out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ioc.domain.alerts import Alert, Severity
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading, Crowd, DatabaseCalls, Outage, Payload
from ioc.domain.quantities import Quality
from ioc.indicators.flows import CLEARANCES, AirMax, BadAirHours, CasesOnline, CasesOnTime, Clearance
from ioc.indicators.indicator import Definition, Figure, Indicator
from ioc.indicators.present import CustomersOff, DatabasesHealthy, TasksDone, TrucksInYard, UnitsReporting, Visitors
from ioc.indicators.watch import (
    ACKNOWLEDGED_AFTER,
    ALERTS_CRITICAL,
    ALERTS_MAJOR,
    ALERTS_OPEN,
    ENDED_AFTER,
    VESSELS,
    FeedsFresh,
    MeanTime,
    OpenAlerts,
    VesselCount,
)

COURSE_MINUTES = 60


class Surroundings(NamedTuple):
    """What some indicators are told by others: the live map counts vessels, the intake judges feeds."""

    feeds: Callable[[], Sequence[Mapping[str, Any]]]
    vessels: Callable[[str], int]
    vessels_heard: Callable[[datetime], tuple[datetime | None, Quality]]


class Shown(NamedTuple):
    """An indicator now; ``course`` has a value a minute of the last hour, the newest last."""

    definition: Definition
    figure: Figure
    course: list[float | None]


def make_indicators(around: Surroundings, stale_after: Mapping[type[Payload], timedelta]) -> list[Indicator]:
    """Make every indicator of the province, in the order of their places."""
    vessel_counts = [
        VesselCount(definition, lambda doing=doing: around.vessels(doing), around.vessels_heard)  # type: ignore[misc]
        for doing, definition in VESSELS
    ]
    made: list[Indicator] = [
        OpenAlerts(ALERTS_OPEN, frozenset(Severity)),
        OpenAlerts(ALERTS_CRITICAL, frozenset({Severity.CRITICAL})),
        OpenAlerts(ALERTS_MAJOR, frozenset({Severity.MAJOR})),
        MeanTime(ACKNOWLEDGED_AFTER, _acknowledged_at),
        MeanTime(ENDED_AFTER, _ended_at),
        FeedsFresh(around.feeds),
        UnitsReporting(),
        *vessel_counts,
        Visitors(stale_after.get(Crowd)),
        TrucksInYard(),
        AirMax(stale_after.get(AirReading)),
        BadAirHours(),
        CustomersOff(stale_after.get(Outage)),
        DatabasesHealthy(stale_after.get(DatabaseCalls)),
        *(Clearance(definition, share) for definition, share in CLEARANCES),
        CasesOnTime(),
        CasesOnline(),
        TasksDone(),
    ]
    return sorted(made, key=lambda indicator: indicator.definition.place)


class Board:
    """Hands events to the indicators that need them, and keeps the last hour's course of each."""

    def __init__(self, indicators: Sequence[Indicator]) -> None:
        self._indicators = indicators
        self._by_kind: dict[type[Payload], list[Indicator]] = {}
        for indicator in indicators:
            for kind in indicator.kinds:
                self._by_kind.setdefault(kind, []).append(indicator)
        self._courses: dict[str, deque[float | None]] = {
            indicator.definition.indicator_id: deque(maxlen=COURSE_MINUTES) for indicator in indicators
        }
        self._minute: datetime | None = None

    @property
    def definitions(self) -> list[Definition]:
        """What every indicator is, in the order of their places."""
        return [indicator.definition for indicator in self._indicators]

    @property
    def look_back(self) -> Mapping[type[Payload], timedelta]:
        """How much of the stored readings of which kinds is needed at start."""
        spans: dict[type[Payload], timedelta] = {}
        for indicator in self._indicators:
            for kind in indicator.kinds:
                if indicator.looks_back is not None:
                    spans[kind] = max(indicator.looks_back, spans.get(kind, timedelta(0)))
        return spans

    @property
    def told_by_newest(self) -> frozenset[type[Payload]]:
        """The other kinds: of these the newest reading of each asset is needed at start, however old it is."""
        return frozenset(self._by_kind) - self.look_back.keys()

    def take(self, events: Iterable[Event]) -> None:
        """Take events in."""
        for event in events:
            for indicator in self._by_kind.get(type(event.data), ()):
                indicator.take(event)

    def take_alert(self, alert: Alert) -> None:
        """Take an alert in as it stands since a change."""
        for indicator in self._indicators:
            indicator.take_alert(alert)

    def recall(self, courses: Mapping[str, Sequence[float | None]], minute: datetime) -> None:
        """Take the courses back that were stored before a restart, up to ``minute``."""
        for indicator_id, values in courses.items():
            if indicator_id in self._courses:
                self._courses[indicator_id] = deque(values, maxlen=COURSE_MINUTES)
        self._minute = minute

    def show(self, now: datetime) -> list[Shown]:
        """Give every indicator now."""
        minute = now.replace(second=0, microsecond=0)
        is_new, self._minute = minute != self._minute, minute
        shown = []
        for indicator in self._indicators:
            figure = indicator.figure(now)
            course = self._courses[indicator.definition.indicator_id]
            if is_new or not course:
                course.append(figure.value)
            else:
                course[-1] = figure.value
            shown.append(Shown(indicator.definition, figure, list(course)))
        return shown


def _acknowledged_at(alert: Alert) -> datetime | None:
    return alert.acked_at


def _ended_at(alert: Alert) -> datetime | None:
    return alert.ended_at
