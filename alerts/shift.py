"""What happened in a shift: what fired and ended, who did what and how fast, what is handed over.

Made from the journal alone, so that its numbers are the journal's.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.language.rule import PROVINCE_TIME
from ioc.domain.alerts import Alert, AlertEvent, ChangeType, OperatorState, Severity

SHIFT = timedelta(hours=12)
_DAY_HOUR = 6
_BY_PEOPLE = frozenset(
    {
        ChangeType.ACKNOWLEDGED, ChangeType.COMMENTED, ChangeType.SHELVED, ChangeType.UNSHELVED, ChangeType.RESOLVED,
        ChangeType.ASSIGNED, ChangeType.SEVERITY_SET, ChangeType.SUPPRESSED, ChangeType.OUT_OF_SERVICE,
        ChangeType.RETURNED,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a person did to an alert, and how long after it was announced: before that nobody could have done it."""

    at: datetime
    actor: str
    type: ChangeType
    reason: str | None
    after: timedelta
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftReport:
    """A shift from ``start`` up to ``end``.

    ``fired`` and ``ended`` count alerts by level, rule and unit; ``mean_to_acknowledge`` and ``mean_to_end`` are over
    those of the shift, None where there was none. ``open`` is what was on the list at the end, the most urgent first.
    """

    start: datetime
    end: datetime
    fired: Mapping[Severity, int]
    ended: Mapping[Severity, int]
    fired_by_rule: Sequence[tuple[str, int]]
    fired_by_unit: Sequence[tuple[str, int]]
    deeds: Sequence[Deed]
    mean_to_acknowledge: timedelta | None
    mean_to_end: timedelta | None
    open: Sequence[Alert]

    @property
    def shelved(self) -> list[Alert]:
        """Alerts of the list that somebody put on the shelf."""
        return [alert for alert in self.open if alert.operator is OperatorState.SHELVED]


def is_of_shift(entry: AlertEvent, start: datetime) -> bool:
    """Whether the report of a shift that begins at ``start`` rests on an entry; most of a journal only moves values."""
    if entry.type is ChangeType.FIRED:
        return True
    return entry.at >= start and (entry.actor is not None or entry.alert.ended_at is not None)


def make_shift_report(
    entries: Iterable[AlertEvent], standing: Sequence[Alert], *, start: datetime, end: datetime
) -> ShiftReport:
    """Count a shift.

    Args:
        entries: the journal's entries of the shift, oldest first, and before them those with which alerts fired that
            stood at its beginning; those of rules in the shadow are left out.
        standing: what was on the operators' list at the end; what was in shadow then is left out.
        start: beginning, inclusive.
        end: end, exclusive.
    """
    fired: dict[str, Alert] = {}
    ended: dict[str, Alert] = {}
    deeds: list[Deed] = []
    announced_at: dict[str, datetime] = {}
    for entry in entries:
        alert, key = entry.alert, str(entry.alert_id)
        if entry.type is ChangeType.FIRED:
            announced_at[key] = entry.at
        if alert.shadow or not start <= entry.at < end:
            continue
        if entry.type is ChangeType.FIRED:
            fired[key] = alert
        if alert.ended_at is not None and start <= alert.ended_at < end:
            ended[key] = alert
        if entry.actor is not None and entry.type in _BY_PEOPLE:
            after = max(timedelta(0), entry.at - announced_at.get(key, alert.started_at))
            deeds.append(
                Deed(at=entry.at, actor=entry.actor, type=entry.type, reason=entry.reason, after=after, alert=alert)
            )
    acknowledged = {
        str(deed.alert.alert_id): deed.after for deed in reversed(deeds) if deed.type is ChangeType.ACKNOWLEDGED
    }
    listed = [alert for alert in standing if not alert.shadow]
    return ShiftReport(
        start=start,
        end=end,
        fired=_by_severity(fired.values()),
        ended=_by_severity(ended.values()),
        fired_by_rule=_rank(alert.rule_id for alert in fired.values()),
        fired_by_unit=_rank(alert.unit_code for alert in fired.values() if alert.unit_code is not None),
        deeds=deeds,
        mean_to_acknowledge=_mean(acknowledged.values()),
        mean_to_end=_mean(alert.ended_at - alert.started_at for alert in ended.values() if alert.ended_at is not None),
        open=sorted(listed, key=lambda alert: (-alert.severity.rank, alert.started_at)),
    )


def _by_severity(alerts: Iterable[Alert]) -> dict[Severity, int]:
    counts = Counter(alert.severity for alert in alerts)
    return {severity: counts[severity] for severity in Severity}


def _rank(names: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))


def _mean(spans: Iterable[timedelta]) -> timedelta | None:
    known = list(spans)
    return sum(known, timedelta(0)) / len(known) if known else None


class ShiftName(enum.StrEnum):
    """Shifts by name: day from 6 to 18, night from 18 to 6, province time.

    ``now`` is the one that runs, ``last`` the newest that is over.
    """

    DAY = "day"
    NIGHT = "night"
    NOW = "now"
    LAST = "last"


def find_shift(name: ShiftName, now: datetime) -> tuple[datetime, datetime]:
    """Give the newest shift of this name that has begun: its beginning and its end, or ``now`` while it runs."""
    local = now.astimezone(PROVINCE_TIME)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = [midnight + timedelta(hours=hours) for hours in (-30, -18, -6, 6, 18)]
    match name:
        case ShiftName.DAY:
            start = max(at for at in begins if at <= local and at.hour == _DAY_HOUR)
        case ShiftName.NIGHT:
            start = max(at for at in begins if at <= local and at.hour != _DAY_HOUR)
        case ShiftName.NOW:
            start = max(at for at in begins if at <= local)
        case ShiftName.LAST:
            start = max(at for at in begins if at + SHIFT <= local)
    return start.astimezone(UTC), min(now, (start + SHIFT).astimezone(UTC))
