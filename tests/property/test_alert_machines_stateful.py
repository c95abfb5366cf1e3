"""Random worlds and people against a plain model of the two machines (alerting.md, sections 1 and 2)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.notification.matchers import Matchers
from alerts.notification.register import RegisterEntry, find_cover, place
from ioc.domain import alert_machines, supervision
from ioc.domain.alerts import Alert, AlertChange, ChangeType, ConditionState, OperatorState, Severity
from ioc.errors import RefusedActionError
from tests.support.alerts import at, decide

LEVELS = ["info", "minor", "major", "critical"]
RANK = {level: number for number, level in enumerate(LEVELS)}
LETTERS = {
    "normal": "A", "unacknowledged": "B", "acknowledged": "C", "returned_unacknowledged": "D", "shelved": "E",
    "suppressed": "F", "out_of_service": "G",
}  # fmt: skip
SCOPES = {
    "rule=air-pm25": LEVELS,
    "asset=air.hong-gai severity=minor": ["minor"],
    "unit=06652 severity!=critical": ["info", "minor", "major"],
    "asset=air.elsewhere": [],
}
"""What an entry of the register says, and the severities of our alert that it speaks of."""


class AlertLife(RuleBasedStateMachine):
    """One condition through all its occurrences. The model knows letters, severities by name, and scopes by list."""

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0.0
        self.alert: Alert | None = None
        self.last: AlertChange | None = None
        self.letter, self.holds = "A", False
        self.said, self.shown, self.said_when_overruled = "info", "info", None
        self.owner: str | None = None
        self.shelved_until = -1.0
        self.held_by: int | None = None
        self.scopes: dict[int, tuple[str, list[str]]] = {}
        self.register: dict[int, RegisterEntry] = {}
        self.entry_count = 0
        self.journal: list[Alert] = []

    @initialize(severity=st.sampled_from(LEVELS))
    def fire_first(self, severity: str) -> None:
        self._fire(severity)

    @rule(minutes=st.floats(0.1, 200))
    def time_passes(self, minutes: float) -> None:
        self.minute += minutes

    @precondition(lambda self: self.holds)
    @rule(severity=st.sampled_from(LEVELS), value=st.floats(0, 500))
    def the_value_moves(self, severity: str, value: float) -> None:
        self.minute += 1
        self._decide(ChangeType.UPDATED, severity, value=value)
        self.said = severity
        keeps_word = self.said_when_overruled is not None and (
            RANK[severity] <= RANK[self.said_when_overruled] or RANK[severity] < RANK[self.shown]
        )
        if not keeps_word:
            self.said_when_overruled = None
            self._show(severity)

    @precondition(lambda self: self.holds)
    @rule()
    def the_world_returns(self) -> None:
        self.minute += 1
        self._decide(ChangeType.RESOLVED, self.said)
        self.letter = {"B": "D", "E": "E"}.get(self.letter, "A")
        self.holds, self.held_by = False, None

    @precondition(lambda self: self.holds)
    @rule()
    def another_occurrence_takes_its_place(self) -> None:
        assert self.alert is not None
        self.alert = alert_machines.expire(self.alert, at=at(self.minute))
        self.journal.append(self.alert)
        self.letter = "D" if self.letter == "B" else "A"
        self.holds, self.held_by = False, None

    @precondition(lambda self: not self.holds and self.letter == "A")
    @rule(severity=st.sampled_from(LEVELS))
    def the_condition_comes_back(self, severity: str) -> None:
        self.minute += 1
        self._fire(severity)

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
        if self.letter == "D" and self.shown in ("minor", "info"):
            self.alert = alert_machines.acknowledge_returned(self.alert, at=at(self.minute))
            self.journal.append(self.alert)
            self.letter = "A"
            return
        with pytest.raises(RefusedActionError):
            alert_machines.acknowledge_returned(self.alert, at=at(self.minute))

    @rule(reason=st.sampled_from(["", " ", "cảm biến hỏng"]))
    def resolve(self, reason: str) -> None:
        is_allowed = self._is_open() and (not self.holds or reason.strip() != "")
        self._act(ChangeType.RESOLVED, is_allowed=is_allowed, reason=reason)
        if is_allowed:
            self.letter, self.holds, self.held_by = "A", False, None

    @rule(text=st.sampled_from(["", "ghi chú"]))
    def comment(self, text: str) -> None:
        self._act(ChangeType.COMMENTED, is_allowed=text != "", reason=text)

    @rule(to=st.sampled_from([None, "lan", "minh"]))
    def assign(self, to: str | None) -> None:
        is_allowed = self._is_open() and to != self.owner
        self._act(ChangeType.ASSIGNED, is_allowed=is_allowed, to=to)
        if is_allowed:
            self.owner = to

    @rule(severity=st.sampled_from(LEVELS), reason=st.sampled_from([None, "người dân báo"]))
    def overrule(self, severity: str, reason: str | None) -> None:
        is_allowed = self._is_open() and reason is not None and severity != self.shown
        self._act(ChangeType.SEVERITY_SET, is_allowed=is_allowed, reason=reason, severity=Severity(severity))
        if is_allowed:
            self.said_when_overruled = None if severity == self.said else self.said
            self._show(severity)

    @rule(minutes=st.sampled_from([-1.0, 0.0, 0.5, 30.0, 480.0, 480.5]), reason=st.sampled_from([None, "bảo trì"]))
    def shelve(self, minutes: float, reason: str | None) -> None:
        is_allowed = self._is_open() and self.letter != "E" and reason is not None and 0 < minutes <= 480
        until = at(self.minute) + timedelta(minutes=minutes)
        self._act(ChangeType.SHELVED, is_allowed=is_allowed, reason=reason, until=until)
        if is_allowed:
            self.letter, self.shelved_until, self.held_by = "E", self.minute + minutes, None

    @rule()
    def unshelve(self) -> None:
        is_allowed = self.letter == "E"
        self._act(ChangeType.UNSHELVED, is_allowed=is_allowed)
        if is_allowed and self.holds:
            self._go_where_the_register_says()
        elif is_allowed:
            self.letter = "A"

    @rule(letter=st.sampled_from("FG"), scope=st.sampled_from(list(SCOPES)))
    def a_supervisor_takes_something_off_the_list(self, letter: str, scope: str) -> None:
        assert self.alert is not None
        self.minute += 1
        self.entry_count += 1
        state = OperatorState.SUPPRESSED if letter == "F" else OperatorState.OUT_OF_SERVICE
        entry = RegisterEntry(
            suppression_id=UUID(int=self.entry_count), state=state, matchers=Matchers.parse(scope),
            starts_at=at(self.minute), ends_at=at(self.minute + 600), author="giang", reason="sửa trạm",
            created_at=at(self.minute),
        )  # fmt: skip
        self.register[self.entry_count] = entry
        self.scopes[self.entry_count] = (letter, SCOPES[scope])
        assert entry.covers(self.alert) == (self.holds and self.shown in SCOPES[scope])
        if entry.covers(self.alert):
            self.alert = supervision.suppress(self.alert, entry.hold)
            self.journal.append(self.alert)
            self.letter, self.held_by = letter, self.entry_count
        elif not self.holds:
            with pytest.raises(RefusedActionError):
                supervision.suppress(self.alert, entry.hold)

    @precondition(lambda self: self.register)
    @rule(data=st.data())
    def an_entry_of_the_register_ends(self, data: st.DataObject) -> None:
        assert self.alert is not None
        number = data.draw(st.sampled_from(sorted(self.register)))
        ended = self.register.pop(number)
        del self.scopes[number]
        assert (self.alert.suppression_id == ended.suppression_id) == (self.held_by == number)
        if self.held_by != number:
            return
        cover = find_cover(self.register.values(), self.alert)
        moved = supervision.release(self.alert) if cover is None else supervision.suppress(self.alert, cover.hold)
        self.alert = moved
        self.journal.append(moved)
        self._go_where_the_register_says()

    @precondition(lambda self: self.held_by is None)
    @rule()
    def nobody_gives_back_what_nothing_holds(self) -> None:
        assert self.alert is not None
        with pytest.raises(RefusedActionError):
            supervision.release(self.alert)

    @invariant()
    def the_alert_is_what_the_model_says(self) -> None:
        if self.alert is None:
            return
        assert LETTERS[self.alert.operator.value] == self.letter
        assert (self.alert.ended_at is None) == self.holds
        assert self.alert.is_open == self._is_open()
        assert (self.alert.severity.value, str(self.alert.rule_severity)) == (self.shown, self.said)
        assert (self.alert.severity_by is not None) == (self.said_when_overruled is not None)
        assert self.alert.assigned_to == self.owner
        assert (self.alert.condition is ConditionState.INACTIVE) == (not self.holds)
        assert self.alert.suppression_id == (None if self.held_by is None else UUID(int=self.held_by))

    @invariant()
    def facts_that_belong_together_stand_together(self) -> None:
        if self.alert is None:
            return
        assert (self.alert.ended_at is None) == (self.alert.resolve_reason is None)
        assert (self.alert.acked_by is None) == (self.alert.acked_at is None)
        assert (self.alert.severity_by is None) == (self.alert.overruled_severity is None)
        assert (self.alert.shelved_until is not None) == (self.letter == "E")
        assert (self.alert.suppression_id is not None) == (self.letter in "FG")
        assert (self.alert.suppressed_until is not None) == (self.letter in "FG")
        assert self.alert.acked_by is not None or self.letter != "C"
        assert self.alert.acked_by is None or self.letter not in "BFG"
        # Nothing that is over is kept off the list: it would ask somebody when it comes back.
        assert self.holds or self.letter not in "BCFG"
        # The boundary minute may be lost to rounding to microseconds, so the model asks well off it.
        if self.letter == "E" and abs(self.minute - self.shelved_until) > 0.01:
            is_over = alert_machines.is_shelf_over(self.alert, at(self.minute))
            assert is_over == (self.minute > self.shelved_until)

    @invariant()
    def the_journal_has_no_gap_and_the_identity_never_changes(self) -> None:
        assert [entry.revision for entry in self.journal] == list(range(1, len(self.journal) + 1))
        assert len({(entry.alert_id, entry.fingerprint, entry.started_at, entry.labels) for entry in self.journal}) <= 1

    def _is_open(self) -> bool:
        return self.holds or self.letter != "A"

    def _fire(self, severity: str) -> None:
        self.began, self.alert = self.minute, None
        self.journal.clear()
        self._decide(ChangeType.FIRED, severity)
        self.holds, self.said, self.shown, self.said_when_overruled = True, severity, severity, None
        self.owner = None
        self._go_where_the_register_says()

    def _show(self, severity: str) -> None:
        """The severity that people see changes: it may take an acknowledgement back, or leave an entry's scope."""
        before, self.shown = self.shown, severity
        if self.letter == "C" and RANK[severity] > RANK[before]:
            self.letter = "B"
        if self.held_by is not None and severity != before:
            self._go_where_the_register_says()

    def _go_where_the_register_says(self) -> None:
        covering = [number for number, (_, scope) in self.scopes.items() if self.shown in scope]
        self.held_by = max(covering, default=None)
        self.letter = "B" if self.held_by is None else self.scopes[self.held_by][0]

    def _decide(self, kind: ChangeType, severity: str, *, value: float = 80.0) -> None:
        change = decide(kind, self.minute, began=self.began, severity=Severity(severity), value=value)
        moved = alert_machines.decide_condition(self.alert, change)
        assert len(moved) == 1
        self.alert, self.last = place(moved[0], self.alert, self.register.values()), change
        self.journal.append(self.alert)

    def _act(self, kind: ChangeType, *, is_allowed: bool, **wanted) -> None:
        assert self.alert is not None
        try:
            moved = alert_machines.act(self.alert, kind, actor="lan", at=at(self.minute), **wanted)
        except RefusedActionError:
            assert not is_allowed
        else:
            assert is_allowed
            if kind in (ChangeType.UNSHELVED, ChangeType.SEVERITY_SET):
                moved = place(moved, self.alert, self.register.values())
            self.alert = moved
            self.journal.append(moved)


AlertLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAlertLife = AlertLife.TestCase
