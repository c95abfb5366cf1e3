"""Keeping a partition's state and taking it over: rules get back what was kept, alerts of rules that are gone end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.announcement import close_deleted
from alerts.engine.rounds import RULE_ERRORS
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import read_part_key, to_part_key
from alerts.memory.series import Series, carry_over, severities_of
from ioc.domain.alerts import Severity, StateKey

CLOCK = StateKey("", "clock")
"""Where a partition's log time is kept: with it, a restart is no different from none."""

_STATE_ERRORS = (*RULE_ERRORS, msgspec.MsgspecError)
_encode = msgspec.msgpack.Encoder().encode
_decode_series = msgspec.msgpack.Decoder(Series).decode
_decode_clock = msgspec.msgpack.Decoder(tuple[datetime, datetime | None]).decode


class Handover:
    """Restores memories for the rules of one engine.

    Args:
        rules: in the order of the rulebook.
        evaluators: theirs, in the same order.
        is_behind: the rules are known not to be the newest; what is kept of others is left for those who have them.
    """

    def __init__(self, rules: Sequence[Rule], evaluators: Sequence[Any], *, is_behind: bool) -> None:
        self._rules, self._evaluators, self._is_behind = rules, evaluators, is_behind
        self._severities = [severities_of(rule.condition.levels) for rule in rules]
        self._index_of = {rule.rule_id: index for index, rule in enumerate(rules)}

    def keep(self, memory: PartitionMemory, *, has_heard: bool) -> dict[StateKey, bytes | None]:
        """Give what a step changed as it must be kept; None is to be deleted.

        What cannot be kept is a fault of its rule, and harms no other. Log time is kept with whatever it has decided,
        else what is decided after a restart would seem to be older. Where nothing was heard and nothing decided,
        nothing is kept: that is so every second of an idle partition.
        """
        state: dict[StateKey, bytes | None] = {StateKey(*key): kept for key, kept in memory.kept.items()}
        for index, key in memory.dirty:
            series = memory.series[index].get(key)
            try:
                kept = None if series is None else _encode(series)
            except _STATE_ERRORS as error:
                self._note_fault(memory, index, key, "what it remembers cannot be kept", error)
                continue
            state[StateKey(self._rules[index].rule_id, key)] = kept
        for index, key, part in memory.dirty_parts:
            readings = memory.windows[index].get(key)
            try:
                kept = None if readings is None else readings.pack(part)
            except _STATE_ERRORS as error:
                self._note_fault(memory, index, key, "what it looks back on cannot be kept", error)
                continue
            state[StateKey(self._rules[index].rule_id, to_part_key(key, part))] = kept
        if has_heard or state or memory.changes or memory.signals:
            state[CLOCK] = _encode((memory.clock, memory.resumed_from))
        return state

    def restore(self, memory: PartitionMemory, state: Mapping[StateKey, bytes], before: Sequence[Rule] = ()) -> None:
        """Give every rule what was kept of it. Log time goes on from where it was, and behind nothing it decided.

        ``before`` are the rules that decided until now, where they are known.
        """
        known = {rule.rule_id: severities_of(rule.condition.levels) for rule in before}
        if (clock := state.get(CLOCK)) is not None:
            memory.clock, memory.resumed_from = _decode_clock(clock)
        for key, kept in state.items():
            if (part := read_part_key(key.key)) is not None:
                self._restore_part(memory, key, part, kept)
            elif key != CLOCK:
                self._restore_series(memory, key, kept, known.get(key.rule_id, ()))

    def resume(self, memory: PartitionMemory) -> None:
        """Let the rules set their timers again, now that everything is there."""
        for index, (evaluator, held) in enumerate(zip(self._evaluators, memory.windows, strict=True)):
            held.recount()
            try:
                evaluator.resume(memory)
            except _STATE_ERRORS as error:
                self._note_fault(memory, index, "", "it cannot go on from what was kept", error)

    def carry_sent_over(self, memory: PartitionMemory, old: PartitionMemory, before: Sequence[Rule]) -> None:
        """Let what a rule has sent stay sent where the rule means the same; another one sends what it must anew.

        What one rule sends for several stays sent while all of them have heard it. What a rule has noted of the world
        and not by its own limits (``notes_outlast_versions``) stays noted whatever it means now.
        """
        same = {
            old_index: index
            for old_index, rule in enumerate(before)
            if (index := self._index_of.get(rule.rule_id)) is not None and self._rules[index].version == rule.version
        }
        senders = {index for index, evaluator in enumerate(self._evaluators) if hasattr(evaluator, "forwards")}
        if senders <= set(same.values()):
            memory.sent_for_all = old.sent_for_all
        for old_index, rule in enumerate(before):
            index = self._index_of.get(rule.rule_id)
            if index is not None and (old_index in same or self._keeps_notes(index, rule)):
                memory.noted[index] = old.noted[old_index]

    def _keeps_notes(self, index: int, before: Rule) -> bool:
        is_same_kind = self._rules[index].condition_name == before.condition_name
        return is_same_kind and getattr(self._evaluators[index], "notes_outlast_versions", False)

    def _carry_levels_over(self, memory: PartitionMemory, index: int, key: str, before: Sequence[Severity]) -> None:
        """Let what a severity has reached go on where a rule has other levels than those that its state is of.

        What an older version kept does not tell: it is of the levels ``before``, or if nobody knows them of these.
        """
        series, now = memory.series[index][key], self._severities[index]
        was = series.severities or before or now
        if was != now:
            carry_over(series, was, self._rules[index].condition.levels)
            memory.dirty.add((index, key))
        elif len(series.active_at) == len(now):
            series.severities = now

    def _restore_series(self, memory: PartitionMemory, key: StateKey, kept: bytes, before: Sequence[Severity]) -> None:
        """Give a rule what it remembers of a thing; an alert of a rule that is gone or asks something else ends."""
        index = self._index_of.get(key.rule_id)
        try:
            if index is not None and (series := self._read(index, kept)) is not None:
                self._take_back(memory, index, key.key, series, before)
            elif not self._is_behind:
                old = _decode_series(kept)
                memory.kept[key.rule_id, key.key] = None
                if old.last is not None:
                    memory.changes.append(close_deleted(old.last, max(memory.clock, old.last.decided_at)))
        except _STATE_ERRORS as error:
            self._set_aside(memory, index, key.key, error)
            if index is not None and (series := self._read_without_alert(index, kept)) is not None:
                self._take_back(memory, index, key.key, series, before)

    def _read(self, index: int, kept: bytes) -> Series | None:
        """Give what was kept as the rule's own state; None if it is another condition's."""
        try:
            series: Series = msgspec.msgpack.decode(kept, type=self._evaluators[index].state_type)
        except msgspec.ValidationError:
            return None
        return series if series.shape == self._rules[index].condition_name else None

    def _read_without_alert(self, index: int, kept: bytes) -> Series | None:
        """Give a state without its alert, if only that cannot be read: it is the same again if the condition holds."""
        try:
            told = msgspec.msgpack.decode(kept)
            del told["last"]
            return self._read(index, _encode(told))
        except _STATE_ERRORS:
            return None

    def _take_back(
        self, memory: PartitionMemory, index: int, key: str, series: Series, before: Sequence[Severity]
    ) -> None:
        memory.series[index][key] = series
        self._carry_levels_over(memory, index, key, before)
        memory.clock = max(memory.clock, series.heard_at or memory.clock)
        if series.last is not None:
            memory.identities.claim(series.last.fingerprint, index, key)
            memory.clock = max(memory.clock, series.last.decided_at)

    def _restore_part(self, memory: PartitionMemory, key: StateKey, part: tuple[str, int], kept: bytes) -> None:
        """Give a rule its part of what it looked back on; a rule that does not look back any more has it deleted."""
        index = self._index_of.get(key.rule_id)
        restore = None if index is None else getattr(self._evaluators[index], "restore_part", None)
        try:
            is_kept = restore is not None and restore(memory, *part, kept)
        except _STATE_ERRORS as error:
            self._set_aside(memory, index, part[0], error)
            return
        if not is_kept and not self._is_behind:
            memory.kept[key.rule_id, key.key] = None

    def _set_aside(self, memory: PartitionMemory, index: int | None, key: str, error: Exception) -> None:
        """Go on without what nobody can read. It stays where it is kept, and the rule's fault tells of it."""
        if index is not None:
            self._note_fault(memory, index, key, "what was kept of it cannot be read", error)

    def _note_fault(self, memory: PartitionMemory, index: int, key: str, what: str, error: Exception) -> None:
        memory.add_fault(self._rules[index].rule_id, key, f"{what}: {type(error).__name__}: {error}")
