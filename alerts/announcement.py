"""From a decision to a change that people can read: identity, place and texts in both languages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from alerts.fingerprints import Labels, sha256_fingerprint
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Decision, Series, end, rest
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType, ConditionState, ResolveReason, Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Grounds, Part
from ioc.domain.ids import alert_id

_UPDATE_EVERY = timedelta(seconds=60)
_UPDATE_SHARE = 0.1
_MERE = frozenset({ChangeType.UPDATED, ChangeType.RECOVERING})
"""What people need not read one by one while the condition comes and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alert is about: identity labels besides the rule's name, place, and the reading that it rests on.

    ``asked`` tells what the condition asks for, part by part; it is called where a decision is kept, and at once.
    """

    labels: Labels
    event: Event
    asset_id: str | None = None
    unit_code: str | None = None
    zone_id: str | None = None
    lon_deg: float | None = None
    lat_deg: float | None = None
    input_ids: tuple[bytes, ...] = ()
    facts: Mapping[str, str | float] = field(default_factory=dict)
    asked: Callable[[], Iterable[Part]] | None = None


def asset_subject(world: World, event: Event, zone_id: str | None, /, **facts: str | float) -> Subject:
    """Make the subject of a rule about one asset: its own labels, its place, and the unit it is in or next to.

    A fact may have any name: those of a kind's fields are not ours to choose.
    """
    unit_code = event.unit_code
    if unit_code is None and event.lon_deg is not None and event.lat_deg is not None:
        unit_code = world.zones.nearest_unit(np.array([event.lon_deg]), np.array([event.lat_deg]))[0] or None
    return Subject(
        labels=(("asset", event.asset_id),),
        event=event,
        asset_id=event.asset_id,
        unit_code=unit_code,
        zone_id=zone_id,
        lon_deg=event.lon_deg,
        lat_deg=event.lat_deg,
        input_ids=(bytes(event.event_id),),
        facts=facts,
    )


class Announcer:
    """Turns decisions of one rule into changes; drops those that tell people nothing new."""

    def __init__(self, rule: Rule, index: int, world: World) -> None:
        self._rule, self._index, self._world = rule, index, world

    def announce(
        self, memory: PartitionMemory, key: str, decision: Decision, subject: Subject, *, shadow: bool = False
    ) -> None:
        """Write a decision about ``key`` into the running step, if it says something.

        Where another open condition of the rule has the same labels, that is a fault of the rule and no alert.
        """
        series = memory.series[self._index][key]
        if decision.type in _MERE and not self._is_news(memory, series, decision, shadow=shadow):
            return
        change = self._to_change(memory, series, decision, subject, shadow=shadow)
        if series.last is None and not memory.identities.claim(change.fingerprint, self._index, key):
            labels = ", ".join(f"{name}={value}" for name, value in change.labels)
            memory.add_fault(self._rule.rule_id, key, f"two things of the rule have the same labels: {labels}")
            return
        made = _tell_flapping(change, was_flapping=series.last is not None and series.last.flapping)
        memory.changes.extend(made)
        series.last = None if decision.type is ChangeType.RESOLVED else _without_grounds(made[-1])

    def _is_news(self, memory: PartitionMemory, series: Series, decision: Decision, *, shadow: bool) -> bool:
        last = series.last
        if last is None or series.flapping is not last.flapping or last.shadow is not (shadow or self._rule.shadow):
            return True
        if series.flapping:
            return series.flip_count != last.flip_count and memory.clock - last.decided_at >= _UPDATE_EVERY
        if last.condition is not decision.condition:
            return True
        if decision.condition is not ConditionState.FIRING or memory.clock - last.decided_at < _UPDATE_EVERY:
            return False
        if last.value is None or decision.value is None:
            return False
        return abs(decision.value - last.value) >= _UPDATE_SHARE * abs(decision.limit or last.value or 1.0)

    def _to_change(
        self, memory: PartitionMemory, series: Series, decision: Decision, subject: Subject, *, shadow: bool
    ) -> AlertChange:
        rule, texts = self._rule, self._rule.texts
        labels = tuple(sorted((*subject.labels, ("rule", rule.rule_id))))
        event, last = subject.event, series.last
        started_at = last.started_at if last is not None else series.started_at or event.observed_at
        fingerprint = last.fingerprint if last is not None else sha256_fingerprint(labels)
        vi, en = (self._facts(subject, decision, language) for language in (0, 1))
        return AlertChange(
            type=decision.type,
            alert_id=last.alert_id if last is not None else alert_id(fingerprint, started_at),
            fingerprint=fingerprint,
            rule_id=rule.rule_id,
            rule_version=rule.version,
            labels=labels,
            severity=decision.severity,
            condition=decision.condition,
            feed_id=event.feed_id,
            asset_id=subject.asset_id,
            unit_code=subject.unit_code,
            zone_id=subject.zone_id,
            lon_deg=subject.lon_deg,
            lat_deg=subject.lat_deg,
            title_vi=_fill(texts.title_vi, vi),
            title_en=_fill(texts.title_en, en),
            detail_vi=_fill(texts.detail_vi, vi),
            detail_en=_fill(texts.detail_en, en),
            value=decision.value,
            limit=decision.limit,
            quantity_unit=rule.quantity_unit,
            observed_at=event.observed_at,
            received_at=event.received_at,
            decided_at=memory.clock,
            started_at=started_at,
            reason=decision.reason,
            shadow=shadow or rule.shadow,
            input_ids=subject.input_ids,
            flapping=series.flapping,
            flip_count=series.flip_count,
            kind=event.kind if type(event.data) in rule.condition.kinds else rule.condition.kinds[0].KIND,
            grounds=None if decision.type is ChangeType.UPDATED else _find_grounds(subject),
        )

    def _facts(self, subject: Subject, decision: Decision, language: int) -> dict[str, str]:
        names = self._world.name_of
        name = getattr(subject.event.data, "name", None)
        facts = {
            "value": format_number(decision.value, language),
            "limit": format_number(decision.limit, language),
            "asset": name or _to_name(names(subject.asset_id)[language]),
            "unit": names(subject.unit_code)[language],
            "zone": names(subject.zone_id)[language],
            "quantity_unit": self._rule.quantity_unit,
        }
        for key, fact in subject.facts.items():
            facts[key] = fact if isinstance(fact, str) else format_number(fact, language)
        return _Facts(facts)


def _find_grounds(subject: Subject) -> Grounds | None:
    """Work out what the condition asked for; only what a store can keep of it."""
    if subject.asked is None:
        return None
    facts: dict[str, str | float] = {}
    for name, fact in subject.facts.items():
        if isinstance(fact, str):
            facts[name] = fact.replace("\0", "")
        elif math.isfinite(fact):
            facts[name] = fact
    return Grounds(parts=tuple(_to_finite(part) for part in subject.asked()), facts=facts)


def _to_finite(part: Part) -> Part:
    is_finite = part.value is None or math.isfinite(part.value)
    return part if is_finite else part._replace(value=None)


def _without_grounds(change: AlertChange) -> AlertChange:
    """Give a change as it is remembered: what follows from it later rests on something else."""
    return change if change.grounds is None else replace(change, grounds=None)


def _tell_flapping(change: AlertChange, *, was_flapping: bool) -> list[AlertChange]:
    """Give a change together with the beginning or the end of its flapping, each as an entry of its own.

    While it flaps, that the condition recovers is an update like any other.
    """
    if change.flapping is was_flapping:
        is_passing = change.flapping and change.type is ChangeType.RECOVERING
        return [replace(change, type=ChangeType.UPDATED) if is_passing else change]
    kind = ChangeType.FLAPPING if change.flapping else ChangeType.STEADY
    if change.type in _MERE:
        return [replace(change, type=kind)]
    if change.type is ChangeType.RESOLVED:
        return [replace(change, type=kind, condition=ConditionState.RECOVERING, reason=None), change]
    return [replace(change, flapping=was_flapping), replace(change, type=kind)]


def _to_name(name: str) -> str:
    """Give a vessel that has not told its name by its MMSI, as it is called on the radio."""
    return f"MMSI {name.removeprefix('vessel.')}" if name.startswith("vessel.") else name


class _Facts(dict[str, str]):
    """Facts for a template; one that this reading does not have is shown as a dash, never as an error."""

    def __missing__(self, key: str) -> str:
        return "–"


def _fill(template: str, facts: Mapping[str, str]) -> str:
    """Fill a template; NUL is left out, since PostgreSQL keeps none in a text."""
    return template.format_map(facts).replace("\0", "")


FACT_NAMES = frozenset({"value", "limit", "asset", "unit", "zone", "quantity_unit"})
"""What every template may use; conditions add their own."""


def format_number(value: float | None, language: int) -> str:
    """Write a number for people: at most one decimal, with a comma in Vietnamese (language 0)."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.0f}" if value == round(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == 0 else text


def close_deleted(last: AlertChange, at: datetime) -> AlertChange:
    """End an alert whose rule no longer exists or asks something else."""
    return replace(
        last,
        type=ChangeType.RESOLVED,
        condition=ConditionState.INACTIVE,
        reason=ResolveReason.RULE_DELETED,
        decided_at=max(at, last.decided_at),
        flapping=False,
    )


def end_flapping(series: Series, at: datetime) -> list[AlertChange]:
    """Let a condition of which nothing more is heard flap no longer; gives the change that says so, if it did."""
    last, was_flapping = series.last, series.flapping
    rest(series)
    if last is None or not was_flapping:
        return []
    series.last = replace(last, type=ChangeType.STEADY, decided_at=at, flapping=False)
    return [series.last]


def mark_no_data(last: AlertChange, at: datetime) -> AlertChange:
    """Note in the journal that an alert holds on without fresh data."""
    return replace(last, type=ChangeType.NO_DATA, decided_at=at)


def resolve_silent(series: Series, last: AlertChange, at: datetime, reason: ResolveReason) -> AlertChange:
    """End an alert whose rule says that this much silence ends it; the reason says so."""
    end(series)
    series.last = None
    return replace(
        last,
        type=ChangeType.RESOLVED,
        condition=ConditionState.INACTIVE,
        reason=reason,
        decided_at=at,
    )


def plain_decision(kind: ChangeType, severity: Severity, value: float | None, limit: float | None) -> Decision:
    """Make a decision of a rule without levels."""
    is_over = kind is ChangeType.RESOLVED
    return Decision(
        kind,
        ConditionState.INACTIVE if is_over else ConditionState.FIRING,
        severity,
        value,
        limit,
        ResolveReason.CONDITION if is_over else None,
    )
