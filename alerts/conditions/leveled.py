"""What conditions with levels share: running a series, its alert, and the silence after which data is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.announcement import Announcer, Subject, end_flapping, mark_no_data, plain_decision, resolve_silent
from alerts.fingerprints import Labels, sha256_fingerprint
from alerts.language.rule import NoDataPolicy, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Policy, Series, Verdict, evaluate
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType, ConditionState, ResolveReason, Severity
from ioc.domain.events import Event
from ioc.domain.ids import alert_id
from ioc.domain.kinds import Observation, WeatherWarning

_SILENCE = "\x1fno_data"


COMPOUND_KINDS = frozenset({Observation, WeatherWarning})
"""Kinds under which one asset reports several things; of all others the asset is the key."""


def reading_key(event: Event) -> str:
    """Tell readings of one asset apart where it reports several things under one kind."""
    data = event.data
    if isinstance(data, Observation):
        return f"{event.asset_id}\x1f{data.quantity}"
    if isinstance(data, WeatherWarning):
        return f"{event.asset_id}\x1f{data.warning_key}"
    return event.asset_id


def _tell_apart(subject: Subject) -> Subject:
    """Give the subject of a rule about one asset with what tells its readings apart, as ``reading_key`` does.

    Two alerts of the same labels would be one for the store, and each would end the other.
    """
    event, data = subject.event, subject.event.data
    if subject.labels != (("asset", event.asset_id),):
        return subject
    if isinstance(data, Observation):
        return replace(subject, labels=(*subject.labels, ("quantity", data.quantity)))
    if isinstance(data, WeatherWarning):
        return replace(subject, labels=(*subject.labels, ("warning", data.warning_key)))
    return subject


class LeveledEvaluator:
    """Base of the evaluators whose alerts follow levels: threshold, index, growth, zone."""

    state_type: type[Series] = Series
    uses_zones = False

    def __init__(self, rule: Rule, index: int, world: World) -> None:
        self.rule, self.index, self.world = rule, index, world
        self._policy = Policy(rule.condition.levels, rule.keep_firing_for, rule.gap)
        self._announcer = Announcer(rule, index, world)

    def judge(
        self,
        memory: PartitionMemory,
        key: str,
        subject: Subject,
        verdicts: Sequence[Verdict],
        at: datetime,
    ) -> None:
        """Evaluate a series at ``at``, announce what follows, and keep or drop its state."""
        if type(subject.event.data) in COMPOUND_KINDS:
            subject = _tell_apart(subject)
        mine = memory.series[self.index]
        series = mine.get(key)
        if series is None:
            series = mine[key] = self.new_series()
        self.note_heard(memory, key, series, subject.event)
        was_open = series.is_open
        decision = evaluate(series, self._policy, verdicts, at)
        if decision is not None:
            self._announcer.announce(memory, key, decision, subject)
        memory.dirty.add((self.index, key))
        if series.is_open and not was_open:
            memory.wake_at(subject.event.received_at + self.rule.silence, self.index, key)
        self.drop_if_idle(memory, key, series)

    def note_heard(self, memory: PartitionMemory, key: str, series: Series, event: Event) -> None:
        """Note that a thing was heard: its silence ends, and from here on the next one is waited for."""
        quiet = memory.series[self.index].get(key + _SILENCE)
        if quiet is not None and quiet.last is not None:
            self._end_silence(memory, key + _SILENCE, quiet.last, event)
        if series.silent:
            memory.wake_at(event.received_at + self.rule.silence, self.index, key)
        series.heard_at, series.silent = event.received_at, False

    @property
    def looks_up_newest(self) -> bool:
        """Whether it asks what else a thing has told: to say why an alert ends that nothing was evaluated for."""
        return self.rule.no_data.policy is NoDataPolicy.RESOLVE

    def new_series(self) -> Series:
        """Make the state of a thing that was not looked at before."""
        return Series(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Forget a series that holds nothing."""
        if series.is_idle and not self._is_active(series):
            del memory.series[self.index][key]

    @staticmethod
    def _is_active(series: Series) -> bool:
        return any(active_at is not None for active_at in series.active_at)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of restored series again."""
        for key, series in memory.series[self.index].items():
            if series.is_open and not series.silent and series.heard_at is not None and not key.endswith(_SILENCE):
                memory.wake_at(series.heard_at + self.rule.silence, self.index, key)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Apply the rule's policy to an alert that has had no data for the time that the rule gives."""
        series = memory.series[self.index].get(key)
        if series is None or series.last is None or series.silent or series.heard_at is None:
            return
        heard_at = series.heard_at if memory.resumed_from is None else max(series.heard_at, memory.resumed_from)
        really_due = heard_at + self.rule.silence
        if really_due > due:
            memory.wake_at(really_due, self.index, key)
            return
        series.silent = True
        memory.dirty.add((self.index, key))
        memory.changes.extend(end_flapping(series, memory.clock))
        last = series.last
        if self.rule.clear_if_quiet_for is not None or self.rule.no_data.policy is NoDataPolicy.RESOLVE:
            reason = self._why_unjudged(memory, key, series.heard_at, series.failed_at)
            memory.changes.append(resolve_silent(series, last, memory.clock, reason))
            self.drop_if_idle(memory, key, series)
            return
        series.last = mark_no_data(last, memory.clock)
        memory.changes.append(series.last)
        if self.rule.no_data.policy is NoDataPolicy.ALERT:
            self._start_silence(memory, key, due)

    def _why_unjudged(
        self, memory: PartitionMemory, key: str, heard_at: datetime, failed_at: datetime | None
    ) -> ResolveReason:
        """Say why nothing was evaluated since ``heard_at``: the rule failed, or the thing told no such thing."""
        if failed_at is not None and failed_at > heard_at:
            return ResolveReason.ERROR
        if self.rule.clear_if_quiet_for is not None:
            return ResolveReason.CONDITION
        asset_id = key.partition("\x1f")[0]
        for kind in self.rule.condition.kinds:
            newest = memory.readings("", kind)
            own = newest.values() if kind in COMPOUND_KINDS else [newest[asset_id]] if asset_id in newest else ()
            if any(event.asset_id == asset_id and event.received_at > heard_at for event in own):
                return ResolveReason.MISSING_SERIES
        return ResolveReason.NO_DATA

    def _start_silence(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        last = memory.series[self.index][key].last
        if last is None:
            return
        labels = tuple(sorted((*last.labels, ("no_data", "true"))))
        twin = Series(shape=self.rule.condition_name, condition=ConditionState.FIRING, started_at=due)
        twin.last = _to_silence(last, labels, due)
        memory.series[self.index][key + _SILENCE] = twin
        memory.changes.append(twin.last)
        memory.dirty.add((self.index, key + _SILENCE))

    def _end_silence(self, memory: PartitionMemory, key: str, last: AlertChange, event: Event) -> None:
        decision = plain_decision(ChangeType.RESOLVED, Severity.MINOR, None, None)
        memory.changes.append(
            replace(
                last,
                type=decision.type,
                condition=decision.condition,
                reason=decision.reason,
                observed_at=event.observed_at,
                received_at=event.received_at,
                decided_at=memory.clock,
            )
        )
        del memory.series[self.index][key]
        memory.dirty.add((self.index, key))


def _to_silence(last: AlertChange, labels: Labels, due: datetime) -> AlertChange:
    fingerprint = sha256_fingerprint(labels)
    return replace(
        last,
        type=ChangeType.FIRED,
        alert_id=alert_id(fingerprint, due),
        fingerprint=fingerprint,
        labels=labels,
        severity=Severity.MINOR,
        title_vi="Mất dữ liệu: " + last.title_vi,
        title_en="No data: " + last.title_en,
        decided_at=due,
        started_at=due,
        flip_count=0,
    )
