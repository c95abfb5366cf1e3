"""The operator machine of an alert, transition by transition (ISA-18.2, A to G), and the condition's part in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, AlertChange, ChangeType, ConditionState, OperatorState, ResolveReason, Severity
from ioc.errors import RefusedActionError
from tests.support.alerts import at, decide

A, B, C = OperatorState.NORMAL, OperatorState.UNACKNOWLEDGED, OperatorState.ACKNOWLEDGED
D, E, F = OperatorState.RETURNED_UNACKNOWLEDGED, OperatorState.SHELVED, OperatorState.SUPPRESSED
G = OperatorState.OUT_OF_SERVICE
RISEN = {"severity": Severity.CRITICAL}


def _in(state: OperatorState) -> Alert:
    """An alert of severity major in a state, with what belongs to it."""
    [alert] = alert_machines.decide_condition(None, decide())
    is_over = state in (A, D)
    return replace(
        alert,
        operator=state,
        condition=ConditionState.INACTIVE if is_over else ConditionState.FIRING,
        ended_at=at(1) if is_over else None,
        resolve_reason=ResolveReason.CONDITION if is_over else None,
        acked_by="lan" if state in (A, C) else None,
        acked_at=at(1) if state in (A, C) else None,
        shelved_until=at(60) if state is E else None,
        shadow=state is F,
    )


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (B, decide(ChangeType.UPDATED, 2, value=99), B),
        (B, decide(ChangeType.RESOLVED, 2), D),
        (B, decide(ChangeType.SEVERITY, 2, **RISEN), B),
        (C, decide(ChangeType.RESOLVED, 2), A),
        (C, decide(ChangeType.UPDATED, 2, value=99), C),
        (C, decide(ChangeType.SEVERITY, 2, severity=Severity.MINOR), C),
        (C, decide(ChangeType.SEVERITY, 2, **RISEN), B),
        (C, decide(ChangeType.RECOVERING, 2, condition=ConditionState.RECOVERING), C),
        (C, decide(ChangeType.NO_DATA, 2), C),
        (E, decide(ChangeType.SEVERITY, 2, **RISEN), E),
        (E, decide(ChangeType.RESOLVED, 2), E),
        (F, decide(ChangeType.UPDATED, 2, value=99, shadow=True), F),
        (F, decide(ChangeType.UPDATED, 2, value=99), B),
        (F, decide(ChangeType.RESOLVED, 2, shadow=True), A),
        (G, decide(ChangeType.SEVERITY, 2, **RISEN), G),
        (G, decide(ChangeType.RESOLVED, 2), A),
    ],
)
def test_the_world_moves_the_operators_state(before: OperatorState, change: AlertChange, after: OperatorState) -> None:
    alert = _in(before)
    [moved] = alert_machines.decide_condition(alert, change)
    assert moved.operator is after
    assert moved.revision == alert.revision + 1
    assert (moved.ended_at is not None) == (change.type is ChangeType.RESOLVED)


@pytest.mark.parametrize("before", [A, D])
@pytest.mark.parametrize("kind", [ChangeType.FIRED, ChangeType.UPDATED, ChangeType.RESOLVED, ChangeType.SEVERITY])
def test_an_occurrence_that_is_over_is_never_opened_again(before: OperatorState, kind: ChangeType) -> None:
    assert alert_machines.decide_condition(_in(before), decide(kind, 9, **RISEN)) == ()


CLOSED = alert_machines.act(_in(C), ChangeType.RESOLVED, actor="lan", at=at(5), reason="người của trạm báo")
"""Closed by a person while its condition held."""


@pytest.mark.parametrize("is_shadow", [False, True])
def test_what_a_person_closed_comes_back_when_it_gets_worse_than_it_was(is_shadow: bool) -> None:
    [moved] = alert_machines.decide_condition(CLOSED, decide(ChangeType.SEVERITY, 9, **RISEN, shadow=is_shadow))
    assert moved.operator is (F if is_shadow else B)
    assert (moved.alert_id, moved.severity, moved.revision) == (CLOSED.alert_id, Severity.CRITICAL, CLOSED.revision + 1)
    assert (moved.ended_at, moved.resolve_reason, moved.acked_by, moved.acked_at) == (None, None, None, None)
    [ended] = alert_machines.decide_condition(moved, decide(ChangeType.RESOLVED, 12, shadow=is_shadow))
    assert ended.ended_at == at(12)


@pytest.mark.parametrize(
    "change",
    [
        decide(ChangeType.SEVERITY, 9),
        decide(ChangeType.SEVERITY, 9, severity=Severity.MINOR),
        decide(ChangeType.UPDATED, 9, **RISEN),
        decide(ChangeType.FIRED, 9, **RISEN),
        decide(ChangeType.RESOLVED, 9, **RISEN),
        decide(ChangeType.SEVERITY, 4, **RISEN),
    ],
)
def test_what_a_person_closed_stays_closed_otherwise(change: AlertChange) -> None:
    assert alert_machines.decide_condition(CLOSED, change) == ()


def test_an_older_decision_does_not_undo_a_newer_one() -> None:
    [alert] = alert_machines.decide_condition(_in(B), decide(ChangeType.UPDATED, 5, value=99))
    assert alert_machines.decide_condition(alert, decide(ChangeType.UPDATED, 4, value=1)) == ()


def _do(alert: Alert, verb: str, minute: float = 2) -> Alert:
    until = at(minute) + timedelta(hours=1)
    return alert_machines.act(alert, ChangeType(verb), actor="minh", at=at(minute), reason="vì thế", until=until)


ALLOWED = {
    "acknowledged": {B: C, D: A},
    "resolved": {B: A, C: A, D: A, E: A, F: A, G: A},
    "commented": {A: A, B: B, C: C, D: D, E: E, F: F, G: G},
    "shelved": {B: E, C: E, D: E, F: E, G: E},
    "unshelved": {E: B},
}


@pytest.mark.parametrize("before", list(OperatorState))
@pytest.mark.parametrize("verb", list(ALLOWED))
def test_people_move_it_exactly_where_the_standard_lets_them(verb: str, before: OperatorState) -> None:
    alert, after = _in(before), ALLOWED[verb].get(before)
    if after is None:
        with pytest.raises(RefusedActionError):
            _do(alert, verb)
        return
    moved = _do(alert, verb)
    assert (moved.operator, moved.revision) == (after, alert.revision + 1)


def test_only_an_action_of_people_can_be_asked_for() -> None:
    of_people = {ChangeType(verb) for verb in ALLOWED} | {ChangeType.ASSIGNED, ChangeType.SEVERITY_SET}
    for kind in set(ChangeType) - of_people:
        with pytest.raises(RefusedActionError) as refused:
            alert_machines.act(_in(B), kind, actor="minh", at=at(2), reason="vì thế")
        assert refused.value.code == "not_an_action"


def test_acknowledging_says_who_and_when() -> None:
    moved = _do(_in(B), "acknowledged")
    assert (moved.acked_by, moved.acked_at) == ("minh", at(2))


def test_a_shelf_ends_at_its_instant_and_not_before() -> None:
    shelved = _do(_in(C), "shelved")
    assert shelved.shelved_until == at(62)
    assert not alert_machines.is_shelf_over(shelved, at(61.99))
    assert alert_machines.is_shelf_over(shelved, at(62))
    back = alert_machines.unshelve(shelved, None, at(62))
    assert (back.operator, back.shelved_until, back.acked_by) == (B, None, None)
    assert not alert_machines.is_shelf_over(back, at(99))


def test_a_shelf_of_exactly_a_shift_is_allowed_and_a_microsecond_more_is_not() -> None:
    longest = at(2) + alert_machines.LONGEST_SHELF
    assert alert_machines.shelve(_in(B), "minh", at(2), until=longest, reason="x").shelved_until == longest
    with pytest.raises(RefusedActionError) as refused:
        alert_machines.shelve(_in(B), "minh", at(2), until=longest + timedelta(microseconds=1), reason="x")
    assert refused.value.code == "until_too_late"


def test_a_deployment_may_say_how_long_a_shelf_may_be():
    wanted = {"actor": "minh", "at": at(2), "reason": "x", "longest_shelf": timedelta(hours=12)}
    longest = at(2) + timedelta(hours=12)
    shelved = alert_machines.act(_in(B), ChangeType.SHELVED, until=longest, **wanted)
    assert shelved.shelved_until == longest
    with pytest.raises(RefusedActionError, match="12:00:00 at most") as refused:
        alert_machines.act(_in(B), ChangeType.SHELVED, until=longest + timedelta(microseconds=1), **wanted)
    assert refused.value.code == "until_too_late"


@pytest.mark.parametrize(("before", "after"), [(B, D), (C, A), (E, A), (F, A), (G, A)])
def test_an_occurrence_that_expires_is_over_and_says_why(before: OperatorState, after: OperatorState) -> None:
    ended = alert_machines.expire(_in(before), at=at(9))
    assert (ended.operator, ended.ended_at, ended.resolve_reason) == (after, at(9), ResolveReason.EXPIRED)
    assert (ended.condition, ended.shelved_until) == (ConditionState.INACTIVE, None)


def test_an_occurrence_does_not_expire_before_it_began() -> None:
    assert alert_machines.expire(_in(B), at=at(-5)).ended_at == at(0)
