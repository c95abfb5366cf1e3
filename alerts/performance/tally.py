"""What is counted while the journal passes; sums only, so that the order of entries changes nothing."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ioc.domain.alerts import Alert, AlertEvent, ChangeType, Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
BURST = 3
"""An alarm that comes so many times within a minute chatters (EEMUA 191's and ISA-TR18.2.5's first look)."""


def to_us(at: datetime) -> int:
    """Give an instant in microseconds since 1970: whole numbers add up and compare exactly."""
    return (at - _EPOCH) // _MICROSECOND


def to_instant(at_us: int) -> datetime:
    """Give the instant of so many microseconds since 1970."""
    return _EPOCH + at_us * _MICROSECOND


def new_instants() -> array[int]:
    """Make an empty row of instants, eight bytes each."""
    return array("q")


@dataclass(slots=True)
class SourceTally:
    """What one rule said about one thing."""

    rule_id: str
    thing: str
    asset_id: str | None
    count: int = 0
    is_flapping: bool = False
    last: tuple[datetime, int, str, str] | None = None
    fired_us: array[int] = field(default_factory=new_instants)

    def note_title(self, entry: AlertEvent) -> None:
        """Keep the newest title to show."""
        told = (entry.at, entry.revision, entry.alert.title_vi, entry.alert.title_en)
        self.last = told if self.last is None else max(self.last, told)

    def burst_count(self) -> int:
        """Count the alerts that fired within a minute of two others."""
        fired = sorted(self.fired_us)
        in_burst: set[int] = set()
        for first in range(len(fired) - BURST + 1):
            if fired[first + BURST - 1] - fired[first] <= _MINUTE_US:
                in_burst.update(range(first, first + BURST))
        return len(in_burst)


@dataclass(slots=True)
class Tally:
    """The counts of a period; ``instants_us`` are those of the time before it as well."""

    instants_us: array[int] = field(default_factory=new_instants)
    annunciations: Counter[Severity] = field(default_factory=Counter)
    sources: dict[bytes, SourceTally] = field(default_factory=dict)
    fleeting: Counter[str] = field(default_factory=Counter)
    waits_us: defaultdict[Severity, array[int]] = field(default_factory=lambda: defaultdict(new_instants))
    lasted_us: defaultdict[Severity, array[int]] = field(default_factory=lambda: defaultdict(new_instants))
    unanswered: Counter[Severity] = field(default_factory=Counter)
    shelved_count: int = 0
    suppressed_count: int = 0
    shadow_count: int = 0

    def source(self, alert: Alert) -> SourceTally:
        """Give the record of what an alert is about."""
        if (found := self.sources.get(alert.fingerprint)) is None:
            thing = alert.asset_id or alert.zone_id or alert.unit_code or ""
            found = self.sources[alert.fingerprint] = SourceTally(alert.rule_id, thing, alert.asset_id)
        return found

    def annunciate(self, entry: AlertEvent) -> None:
        """Count an annunciation of the period."""
        source = self.source(entry.alert)
        self.annunciations[entry.alert.severity] += 1
        source.count += 1
        source.note_title(entry)
        if entry.type is ChangeType.FIRED:
            source.fired_us.append(to_us(entry.at))


def to_spans(values_us: Iterable[int]) -> list[timedelta]:
    """Give lengths of time in order, the shortest first."""
    return [value * _MICROSECOND for value in sorted(values_us)]
