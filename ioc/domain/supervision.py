"""What people decide of an alert beside taking note of it: whose it is, how severe, and whether it is on the list.

Pure functions, as in ``ioc.domain.alert_machines``. Suppressed by design (F) and out of service (G) are states after
ISA-18.2; what holds an alert there is an entry of the register of suppressions, which speaks of a condition and not of
one occurrence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ioc.domain.alerts import Alert, OperatorState, Severity
from ioc.errors import RefusedActionError

OFF_THE_LIST = (OperatorState.SUPPRESSED, OperatorState.OUT_OF_SERVICE)


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps an alert off the list: an entry of the register, the state that it asks for, and its end."""

    suppression_id: UUID
    state: OperatorState
    until: datetime


def revise(alert: Alert, **changed: Any) -> Alert:
    """Give the alert's next revision."""
    return replace(alert, revision=alert.revision + 1, **changed)


def require(text: str | None, code: str, sentence: str) -> None:
    """Refuse an action that lacks its reason or text.

    Raises:
        RefusedActionError: there is none, or nothing but spaces.
    """
    if text is None or not text.strip():
        raise RefusedActionError(code, sentence)


def assign(alert: Alert, *, to: str | None) -> Alert:
    """Say whose an open alert is; None: nobody's. Who may give it to whom is for the caller to know.

    Raises:
        RefusedActionError: the alert is closed, or it is theirs already.
    """
    if not alert.is_open:
        raise RefusedActionError("already_closed", "the alert is closed")
    if alert.assigned_to == to:
        raise RefusedActionError("already_assigned", f"the alert is assigned to {to or 'nobody'} already")
    return revise(alert, assigned_to=to)


def change_severity(alert: Alert, actor: str, *, severity: Severity | None, reason: str | None) -> Alert:
    """Let a person overrule the rule's severity. The rule's own severity gives the alert back to its rule.

    A raise takes an acknowledgement back, as the rule's own raise does.

    Raises:
        RefusedActionError: the alert is closed, the reason or the severity is missing, or nothing would change.
    """
    if not alert.is_open:
        raise RefusedActionError("already_closed", "the alert is closed")
    require(reason, "reason_required", "changing the severity needs a reason")
    if severity is None:
        raise RefusedActionError("severity_required", "changing the severity needs the new one")
    if severity is alert.severity:
        raise RefusedActionError("severity_unchanged", f"the alert is {severity} already")
    said = alert.rule_severity or alert.severity
    is_given_back = severity is said
    moved = revise(
        _reach(alert, severity),
        rule_severity=said,
        severity_by=None if is_given_back else actor,
        overruled_severity=None if is_given_back else said,
    )
    if alert.operator is OperatorState.ACKNOWLEDGED and severity.rank > alert.severity.rank:
        return replace(moved, operator=OperatorState.UNACKNOWLEDGED, acked_by=None, acked_at=None)
    return moved


def hear_rule(alert: Alert, said: Severity) -> Alert:
    """Take over what the rule says of the severity, at the same revision.

    A person's word stands until the rule says more than it said when it was overruled; a person's raise is never
    taken back by a raise of the rule that stays below it.
    """
    alert = replace(alert, rule_severity=said)
    overruled = alert.overruled_severity
    if overruled is not None and not (said.rank > overruled.rank and said.rank >= alert.severity.rank):
        return alert
    return replace(_reach(alert, said), severity_by=None, overruled_severity=None)


def _reach(alert: Alert, severity: Severity) -> Alert:
    """Let an alert have a severity; what it has reached stays known, so that whoever was told hears of its end."""
    highest = max(alert.severity_reached, severity, key=lambda level: level.rank)
    moved = replace(alert, severity=severity)
    return moved if moved.severity_reached is highest else replace(moved, highest_severity=highest)


def put_under(alert: Alert, hold: Hold) -> Alert:
    """Put an alert under a hold at the same revision, for what opens or comes back while the hold runs."""
    return replace(
        alert, operator=hold.state, suppression_id=hold.suppression_id, suppressed_until=hold.until,
        shelved_until=None, acked_by=None, acked_at=None,
    )  # fmt: skip


def suppress(alert: Alert, hold: Hold) -> Alert:
    """Take an alert that goes on off the list; the condition machine keeps running underneath.

    Raises:
        RefusedActionError: its condition is over, or its rule runs in shadow.
    """
    if alert.ended_at is not None:
        raise RefusedActionError("condition_over", "the condition is over; make an entry in the register instead")
    if alert.shadow:
        raise RefusedActionError("shadow", "the rule runs in shadow; its alerts are on no list")
    return revise(put_under(alert, hold))


def release(alert: Alert) -> Alert:
    """Give an alert back to the operators: what still holds asks for attention, what is over is normal.

    Raises:
        RefusedActionError: nothing holds it.
    """
    if alert.suppression_id is None:
        raise RefusedActionError("not_suppressed", "the alert is neither suppressed nor out of service")
    return revise(come_back(alert))


def come_back(alert: Alert) -> Alert:
    """Give an alert as it is without shelf and hold, at the same revision."""
    if alert.ended_at is not None:
        state = OperatorState.NORMAL
    else:
        state = OperatorState.SUPPRESSED if alert.shadow else OperatorState.UNACKNOWLEDGED
    return replace(
        alert, operator=state, shelved_until=None, suppression_id=None, suppressed_until=None, acked_by=None,
        acked_at=None,
    )  # fmt: skip
