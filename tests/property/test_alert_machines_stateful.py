"""Random worlds and random operators against a plain model of the two machines (alerting.md, sections 1 and 2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, AlertChange, ChangeType, ConditionState, Severity
from ioc.errors import RefusedActionError
from tests.support.alerts import at, decide

RANK = {"info": 0, "minor": 1, "major": 2, "critical": 3}


class AlertLife(RuleBasedStateMachine):
    """One condition through all its occurrences. The model knows letters (A to E) and whether the world holds."""

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0.0
        self.alert: Alert | None = None
        self.last: AlertChange | None = None
        self.letter, self.holds, self.severity = "A", False, "info"
        self.shelved_until = -1.0
        self.revision = 0
        self.journal: list[Alert] = []

    @initialize(severity=st.sampled_from(list(RANK)))
    def fire_first(self, severity: str) -> None:
        self.began = self.minute
        self._decide(ChangeType.FIRED, severity)
        self.letter, self.holds, self.severity = "B", True, severity

    @rule(minutes=st.floats(0.1, 200))
    def time_passes(self, minutes: float) -> None:
        self.minute += minutes

    @precondition(lambda self: self.holds)
    @rule(severity=st.sampled_from(list(RANK)), value=st.floats(0, 500))
    def the_value_moves(self, severity: str, value: float) -> None:
        self.minute += 1
        self._decide(ChangeType.UPDATED, severity, value=value)
        if self.letter == "C" and RANK[severity] > RANK[self.severity]:
            self.letter = "B"
        self.severity = severity

    @precondition(lambda self: self.holds)
    @rule()
    def the_world_returns(self) -> None:
        self.minute += 1
        self._decide(ChangeType.RESOLVED, self.severity)
        self.letter = {"B": "D", "C": "A"}.get(self.letter, self.letter)
        self.holds = False

    @precondition(lambda self: not self.holds and self.letter == "A")
    @rule(severity=st.sampled_from(list(RANK)))
    def the_condition_comes_back(self, severity: str) -> None:
        self.minute += 1
        self.began, self.alert, self.revision = self.minute, None, 0
        self.journal.clear()
        self._decide(ChangeType.FIRED, severity)
        self.letter, self.holds, self.severity = "B", True, severity

    @rule()
    def the_last_decision_comes_again(self) -> None:
        assert self.alert is not None
        assert self.last is not None
        assert alert_machines.decide_condition(self.alert, self.last) == ()

    @rule()
    def acknowledge(self) -> None:
        after = {"B": "C", "D": "A"}.get(self.letter)
        self._act(ChangeType.ACKNOWLEDGED, is_allowed=after is not None)
        self.letter = after or self.letter

    @rule()
    def a_long_time_passes(self) -> None:
        assert self.alert is not None
        if self.letter == "D" and self.severity in ("minor", "info"):
            self.alert = alert_machines.acknowledge_returned(self.alert, at=at(self.minute))
            self.journal.append(self.alert)
            self.letter = "A"
            return
        with pytest.raises(RefusedActionError):
            alert_machines.acknowledge_returned(self.alert, at=at(self.minute))

    @rule(reason=st.sampled_from(["", " ", "cảm biến hỏng"]))
    def resolve(self, reason: str) -> None:
        is_open = self.holds or self.letter != "A"
        is_allowed = is_open and (not self.holds or reason.strip() != "")
        self._act(ChangeType.RESOLVED, is_allowed=is_allowed, reason=reason)
        if is_allowed:
            self.letter, self.holds = "A", False

    @rule(text=st.sampled_from(["", "ghi chú"]))
    def comment(self, text: str) -> None:
        self._act(ChangeType.COMMENTED, is_allowed=text != "", reason=text)

    @rule(minutes=st.sampled_from([-1.0, 0.0, 0.5, 30.0, 480.0, 480.5]), reason=st.sampled_from([None, "bảo trì"]))
    def shelve(self, minutes: float, reason: str | None) -> None:
        is_open = self.holds or self.letter != "A"
        is_allowed = is_open and self.letter != "E" and reason is not None and 0 < minutes <= 480
        until = at(self.minute) + timedelta(minutes=minutes)
        self._act(ChangeType.SHELVED, is_allowed=is_allowed, reason=reason, until=until)
        if is_allowed:
            self.letter, self.shelved_until = "E", self.minute + minutes

    @rule()
    def unshelve(self) -> None:
        is_allowed = self.letter == "E"
        self._act(ChangeType.UNSHELVED, is_allowed=is_allowed)
        if is_allowed:
            self.letter = "B" if self.holds else "A"

    @invariant()
    def the_alert_is_what_the_model_says(self) -> None:
        if self.alert is None:
            return
        letters = {
            "normal": "A", "unacknowledged": "B", "acknowledged": "C", "returned_unacknowledged": "D", "shelved": "E",
        }  # fmt: skip
        assert letters[self.alert.operator.value] == self.letter
        assert (self.alert.ended_at is None) == self.holds
        assert self.alert.is_open == (self.holds or self.letter != "A")
        assert self.alert.severity.value == self.severity
        assert (self.alert.condition is ConditionState.INACTIVE) == (not self.holds)

    @invariant()
    def facts_that_belong_together_stand_together(self) -> None:
        if self.alert is None:
            return
        assert (self.alert.ended_at is None) == (self.alert.resolve_reason is None)
        assert (self.alert.acked_by is None) == (self.alert.acked_at is None)
        assert (self.alert.shelved_until is not None) == (self.letter == "E")
        assert self.alert.acked_by is not None or self.letter != "C"
        assert self.alert.acked_by is None or self.letter != "B"
        # The boundary minute may be lost to rounding to microseconds, so the model asks well off it.
        if self.letter == "E" and abs(self.minute - self.shelved_until) > 0.01:
            is_over = alert_machines.is_shelf_over(self.alert, at(self.minute))
            assert is_over == (self.minute > self.shelved_until)

    @invariant()
    def the_journal_has_no_gap_and_the_identity_never_changes(self) -> None:
        assert [entry.revision for entry in self.journal] == list(range(1, len(self.journal) + 1))
        assert len({(entry.alert_id, entry.fingerprint, entry.started_at, entry.labels) for entry in self.journal}) <= 1

    def _decide(self, kind: ChangeType, severity: str, *, value: float = 80.0) -> None:
        change = decide(kind, self.minute, began=self.began, severity=Severity(severity), value=value)
        moved = alert_machines.decide_condition(self.alert, change)
        assert len(moved) == 1
        self.alert, self.last = moved[0], change
        self.journal.append(self.alert)

    def _act(self, kind: ChangeType, *, is_allowed: bool, reason=None, until=None) -> None:
        assert self.alert is not None
        try:
            moved = alert_machines.act(self.alert, kind, actor="lan", at=at(self.minute), reason=reason, until=until)
        except RefusedActionError:
            assert not is_allowed
        else:
            assert is_allowed
            self.alert = moved
            self.journal.append(moved)


AlertLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAlertLife = AlertLife.TestCase
