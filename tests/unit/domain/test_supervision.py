"""Whose an alert is, how severe, and whether it is on the list: decisions of people, transition by transition."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from ioc.domain import alert_machines, supervision
from ioc.domain.alerts import Alert, ChangeType, ConditionState, OperatorState, ResolveReason, Severity
from ioc.domain.supervision import Hold
from ioc.errors import RefusedActionError
from tests.support.alerts import at, decide

A, B, C = OperatorState.NORMAL, OperatorState.UNACKNOWLEDGED, OperatorState.ACKNOWLEDGED
D, E = OperatorState.RETURNED_UNACKNOWLEDGED, OperatorState.SHELVED
F, G = OperatorState.SUPPRESSED, OperatorState.OUT_OF_SERVICE
INFO, MINOR, MAJOR, CRITICAL = Severity.INFO, Severity.MINOR, Severity.MAJOR, Severity.CRITICAL
HOLD = Hold(UUID(int=1), F, at(60))


def _in(state: OperatorState) -> Alert:
    """An alert of severity major in a state, with what belongs to it."""
    [alert] = alert_machines.decide_condition(None, decide())
    if state in (F, G):
        return supervision.put_under(alert, replace(HOLD, state=state))
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
    )


@pytest.mark.parametrize("to", [F, G])
@pytest.mark.parametrize("before", [B, C, E, F, G])
def test_whatever_goes_on_can_be_taken_off_the_list_and_asks_when_it_comes_back(before, to):
    held = supervision.suppress(_in(before), Hold(UUID(int=2), to, at(90)))
    assert (held.operator, held.suppression_id, held.suppressed_until, held.shelved_until, held.acked_by) == (
        to, UUID(int=2), at(90), None, None,
    )  # fmt: skip
    back = supervision.release(held)
    assert (back.operator, back.suppression_id, back.suppressed_until) == (B, None, None)
    assert (held.revision, back.revision) == (2, 3)


@pytest.mark.parametrize("before", [A, D])
def test_what_is_over_is_not_taken_off_the_list(before):
    with pytest.raises(RefusedActionError) as refused:
        supervision.suppress(_in(before), HOLD)
    assert refused.value.code == "condition_over"


@pytest.mark.parametrize("before", [A, B, C, D, E])
def test_what_nothing_holds_cannot_be_given_back(before):
    with pytest.raises(RefusedActionError) as refused:
        supervision.release(_in(before))
    assert refused.value.code == "not_suppressed"


@pytest.mark.parametrize("before", [F, G])
def test_what_ends_off_the_list_asks_nobody(before):
    alert = _in(before)
    [resolved] = alert_machines.decide_condition(alert, decide(ChangeType.RESOLVED, 5))
    by_hand = alert_machines.resolve(alert, "lan", at(5), reason="xong")
    expired = alert_machines.expire(alert, at=at(5))
    for ended in (resolved, by_hand, expired):
        assert (ended.operator, ended.is_open, ended.suppression_id, ended.suppressed_until) == (A, False, None, None)


def test_the_condition_goes_on_underneath_a_hold():
    [moved] = alert_machines.decide_condition(_in(G), decide(ChangeType.SEVERITY, 5, severity=CRITICAL, value=200))
    assert (moved.operator, moved.severity, moved.value) == (G, CRITICAL, 200)


@pytest.mark.parametrize(
    ("said", "by_person", "says_now", "shown", "still_by_person"),
    [
        (MAJOR, MINOR, MAJOR, MINOR, True),
        (MAJOR, MINOR, INFO, MINOR, True),
        (MAJOR, MINOR, CRITICAL, CRITICAL, False),
        (MINOR, CRITICAL, MAJOR, CRITICAL, True),
        (MINOR, MAJOR, CRITICAL, CRITICAL, False),
        (MINOR, MAJOR, MAJOR, MAJOR, False),
        (MINOR, INFO, INFO, INFO, True),
    ],
)
def test_a_persons_word_stands_until_the_rule_says_more(said, by_person, says_now, shown, still_by_person):
    [alert] = alert_machines.decide_condition(None, decide(severity=said))
    alert = supervision.change_severity(alert, "giang", severity=by_person, reason="vì thế")
    assert (alert.severity, alert.rule_severity, alert.severity_by) == (by_person, said, "giang")
    [heard] = alert_machines.decide_condition(alert, decide(ChangeType.UPDATED, 5, severity=says_now, value=81))
    assert (heard.severity, heard.rule_severity, heard.severity_by is not None) == (shown, says_now, still_by_person)


def test_the_rules_own_severity_gives_the_alert_back_to_its_rule():
    lowered = supervision.change_severity(_in(B), "giang", severity=INFO, reason="vì thế")
    back = supervision.change_severity(lowered, "minh", severity=MAJOR, reason="nhầm")
    assert (back.severity, back.severity_by, back.overruled_severity) == (MAJOR, None, None)
    [heard] = alert_machines.decide_condition(back, decide(ChangeType.SEVERITY, 5, severity=MINOR))
    assert heard.severity is MINOR


@pytest.mark.parametrize("is_kept_from_its_begin", [True, False])
def test_the_highest_severity_of_an_alert_stays_known(is_kept_from_its_begin):
    alert = _in(B) if is_kept_from_its_begin else replace(_in(B), highest_severity=None)
    [fallen] = alert_machines.decide_condition(alert, decide(ChangeType.SEVERITY, 5, severity=MINOR))
    assert (fallen.severity, fallen.severity_reached) == (MINOR, MAJOR)
    raised = supervision.change_severity(fallen, "giang", severity=CRITICAL, reason="vì thế")
    lowered = supervision.change_severity(raised, "giang", severity=INFO, reason="nhầm")
    assert [item.severity_reached for item in (raised, lowered)] == [CRITICAL, CRITICAL]


@pytest.mark.parametrize(("severity", "after"), [(CRITICAL, B), (MINOR, C)])
def test_only_a_raise_takes_an_acknowledgement_back(severity, after):
    moved = supervision.change_severity(_in(C), "giang", severity=severity, reason="vì thế")
    assert (moved.operator, moved.acked_by is None) == (after, after is B)


@pytest.mark.parametrize(
    ("before", "severity", "reason", "code"),
    [
        (A, CRITICAL, "x", "already_closed"),
        (B, CRITICAL, " ", "reason_required"),
        (B, None, "x", "severity_required"),
        (B, MAJOR, "x", "severity_unchanged"),
    ],
)
def test_a_severity_that_cannot_be_is_refused(before, severity, reason, code):
    with pytest.raises(RefusedActionError) as refused:
        supervision.change_severity(_in(before), "giang", severity=severity, reason=reason)
    assert refused.value.code == code


@pytest.mark.parametrize("before", [B, C, D, E, F, G])
def test_whose_an_alert_is_changes_nothing_else(before):
    alert = _in(before)
    given = supervision.assign(alert, to="lan")
    assert given == replace(alert, assigned_to="lan", revision=2)
    for refused, code in ((given, "already_assigned"), (_in(A), "already_closed")):
        with pytest.raises(RefusedActionError) as error:
            supervision.assign(refused, to="lan")
        assert error.value.code == code


def test_an_entry_of_the_journal_that_knows_nothing_of_all_this_is_read_as_before():
    alert = _in(B)
    written = msgspec.to_builtins(alert)
    for name in (
        "assigned_to", "rule_severity", "severity_by", "overruled_severity", "suppressed_until", "suppression_id",
    ):  # fmt: skip
        del written[name]
    old = msgspec.convert(written, Alert)
    assert old == replace(alert, rule_severity=None)
    raised = supervision.change_severity(old, "giang", severity=CRITICAL, reason="vì thế")
    assert (raised.rule_severity, raised.overruled_severity) == (MAJOR, MAJOR)
