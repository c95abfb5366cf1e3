"""The two machines of an alert as pure functions: the engine's decisions in, operators' actions in, the alert out.

Operator states after ISA-18.2 / IEC 62682. Nothing here knows a clock, a store or a person's rights.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ioc.domain.alerts import (
    Alert,
    AlertChange,
    ChangeType,
    ConditionState,
    OperatorState,
    ResolveReason,
    Severity,
)
from ioc.domain.supervision import assign, change_severity, come_back, hear_rule, require, revise
from ioc.errors import RefusedActionError

LEFT_TO_TIME = (Severity.MINOR, Severity.INFO)
"""Of these nobody has to take note once they are over; critical and major ones wait for a person."""

LONGEST_SHELF = timedelta(hours=8)
"""A shelf always ends; one shift is the longest it may be, unless a deployment says otherwise."""


def decide_condition(alert: Alert | None, change: AlertChange) -> tuple[Alert, ...]:
    """Move an alert by one decision of the engine; gives the new state, or nothing when there is nothing to change.

    Nothing changes for a decision that was applied before, and for one about an occurrence that has ended: a
    duplicate never reopens a closed alert and never takes an acknowledgement back. What a person closed while its
    condition held comes back when it gets worse than that person knew: nobody else would be told of it.
    """
    if alert is None:
        return () if change.type is ChangeType.RESOLVED else (_open(change),)
    if alert.ended_at is not None:
        return (_reopen(alert, change),) if _is_worse_than_closed(alert, change) else ()
    if change.type is ChangeType.FIRED or change.decided_at < alert.decided_at:
        return ()
    moved = replace(_take_over(alert, change), operator=_operator_after(alert, change))
    if moved.operator is OperatorState.UNACKNOWLEDGED is not alert.operator:
        moved = replace(moved, acked_by=None, acked_at=None)
    if change.type is ChangeType.RESOLVED:
        moved = replace(
            moved, ended_at=change.decided_at, resolve_reason=change.reason, flapping=False, suppression_id=None,
            suppressed_until=None,
        )  # fmt: skip
    if moved == alert:
        return ()
    return (replace(moved, revision=alert.revision + 1),)


def act(
    alert: Alert,
    action: ChangeType,
    *,
    actor: str,
    at: datetime,
    reason: str | None = None,
    until: datetime | None = None,
    to: str | None = None,
    severity: Severity | None = None,
    longest_shelf: timedelta = LONGEST_SHELF,
) -> Alert:
    """Do what a person asks of one alert. What holds a condition off the list goes through the register instead.

    Raises:
        RefusedActionError: the action does not fit the alert's state, or lacks what it needs.
    """
    match action:
        case ChangeType.ACKNOWLEDGED:
            return acknowledge(alert, actor, at)
        case ChangeType.RESOLVED:
            return resolve(alert, actor, at, reason=reason)
        case ChangeType.COMMENTED:
            return comment(alert, actor, at, text=reason)
        case ChangeType.SHELVED:
            return shelve(alert, actor, at, until=until, reason=reason, longest=longest_shelf)
        case ChangeType.UNSHELVED:
            return unshelve(alert, actor, at)
        case ChangeType.ASSIGNED:
            return assign(alert, to=to)
        case ChangeType.SEVERITY_SET:
            return change_severity(alert, actor, severity=severity, reason=reason)
        case _:
            raise RefusedActionError("not_an_action", f"{action.value} cannot be asked of one alert")


def acknowledge(alert: Alert, actor: str, at: datetime) -> Alert:
    """Take notice: B becomes C; D, which the world has left already, becomes A.

    Raises:
        RefusedActionError: there is nothing to acknowledge.
    """
    match alert.operator:
        case OperatorState.UNACKNOWLEDGED:
            after = OperatorState.ACKNOWLEDGED
        case OperatorState.RETURNED_UNACKNOWLEDGED:
            after = OperatorState.NORMAL
        case OperatorState.ACKNOWLEDGED:
            raise RefusedActionError("already_acknowledged", f"already acknowledged by {alert.acked_by}")
        case OperatorState.SHELVED:
            raise RefusedActionError("shelved", "the alert is shelved; take it off the shelf first")
        case OperatorState.NORMAL | OperatorState.SUPPRESSED | OperatorState.OUT_OF_SERVICE:
            raise RefusedActionError("nothing_to_acknowledge", f"the alert is {alert.operator.value}")
    return revise(alert, operator=after, acked_by=actor, acked_at=at)


def resolve(alert: Alert, actor: str, at: datetime, *, reason: str | None) -> Alert:
    """Close an alert by hand. One whose condition still holds needs a reason that the journal keeps.

    Raises:
        RefusedActionError: it is closed already, or the reason is missing.
    """
    if not alert.is_open:
        raise RefusedActionError("already_closed", "the alert is closed")
    if alert.ended_at is not None:
        return revise(alert, operator=OperatorState.NORMAL, acked_by=actor, acked_at=at, shelved_until=None)
    require(reason, "reason_required", "closing an alert whose condition still holds needs a reason")
    return revise(
        alert,
        operator=OperatorState.NORMAL,
        condition=ConditionState.INACTIVE,
        ended_at=at,
        resolve_reason=ResolveReason.MANUAL,
        flapping=False,
        acked_by=alert.acked_by or actor,
        acked_at=alert.acked_at or at,
        shelved_until=None,
        suppression_id=None,
        suppressed_until=None,
    )


def comment(alert: Alert, actor: str, at: datetime, *, text: str | None) -> Alert:
    """Add a remark to the journal; the alert itself only gets a new revision.

    Raises:
        RefusedActionError: the remark is empty.
    """
    del actor, at  # they stand in the journal's entry, not on the alert
    require(text, "comment_required", "a comment needs a text")
    return revise(alert)


def shelve(
    alert: Alert, actor: str, at: datetime, *, until: datetime | None, reason: str | None,
    longest: timedelta = LONGEST_SHELF,
) -> Alert:  # fmt: skip
    """Put an open alert aside for at most ``longest``; the condition machine keeps running underneath.

    Raises:
        RefusedActionError: the alert is closed or shelved, or the end or the reason is missing or not allowed.
    """
    del actor
    if not alert.is_open:
        raise RefusedActionError("already_closed", "the alert is closed")
    if alert.operator is OperatorState.SHELVED:
        raise RefusedActionError("already_shelved", "the alert is shelved already")
    require(reason, "reason_required", "shelving needs a reason")
    if until is None or until <= at:
        raise RefusedActionError("until_required", "shelving needs an end that lies ahead")
    if until - at > longest:
        raise RefusedActionError("until_too_late", f"an alert can be shelved for {longest} at most")
    return revise(
        alert, operator=OperatorState.SHELVED, shelved_until=until, suppression_id=None, suppressed_until=None
    )


def unshelve(alert: Alert, actor: str | None, at: datetime) -> Alert:
    """Take an alert off the shelf, by hand or because its time is over: what still holds asks for attention again.

    Raises:
        RefusedActionError: it is not shelved.
    """
    del actor, at
    if alert.operator is not OperatorState.SHELVED:
        raise RefusedActionError("not_shelved", "the alert is not shelved")
    return revise(come_back(alert))


def expire(alert: Alert, *, at: datetime) -> Alert:
    """End an occurrence that nobody will end any more, because a new one of the same condition has begun.

    Who has not seen it yet still has to: it stays on the list as returned.
    """
    seen = alert.operator is not OperatorState.UNACKNOWLEDGED
    return revise(
        alert,
        condition=ConditionState.INACTIVE,
        operator=OperatorState.NORMAL if seen else OperatorState.RETURNED_UNACKNOWLEDGED,
        ended_at=max(at, alert.started_at),
        resolve_reason=ResolveReason.EXPIRED,
        shelved_until=None,
        flapping=False,
        suppression_id=None,
        suppressed_until=None,
    )


def acknowledge_returned(alert: Alert, *, at: datetime) -> Alert:
    """Take an alert off the list that ended long ago and that nobody has to answer for: D becomes A by itself.

    Raises:
        RefusedActionError: it has not returned, or is too severe for anybody but a person.
    """
    if alert.operator is not OperatorState.RETURNED_UNACKNOWLEDGED or alert.severity not in LEFT_TO_TIME:
        raise RefusedActionError("nothing_to_acknowledge", f"the alert is {alert.operator.value}, {alert.severity}")
    del at  # it stands in the journal's entry; on the alert it would count as somebody's answer
    return revise(alert, operator=OperatorState.NORMAL)


def is_shelf_over(alert: Alert, at: datetime) -> bool:
    """Whether a shelved alert's time has come (the boundary counts)."""
    return alert.operator is OperatorState.SHELVED and alert.shelved_until is not None and alert.shelved_until <= at


def _is_worse_than_closed(alert: Alert, change: AlertChange) -> bool:
    """Say whether a condition that a person closed the alert of has risen since above what it was then."""
    return (
        alert.resolve_reason is ResolveReason.MANUAL
        and change.type is ChangeType.SEVERITY
        and alert.ended_at is not None
        and change.decided_at > alert.ended_at
        and hear_rule(alert, change.severity).severity.rank > alert.severity.rank
    )


def _reopen(alert: Alert, change: AlertChange) -> Alert:
    return replace(
        _take_over(alert, change),
        operator=OperatorState.SUPPRESSED if change.shadow else OperatorState.UNACKNOWLEDGED,
        ended_at=None, resolve_reason=None, acked_by=None, acked_at=None, revision=alert.revision + 1,
    )  # fmt: skip


def _operator_after(alert: Alert, change: AlertChange) -> OperatorState:
    now = alert.operator
    if now is OperatorState.SHELVED:
        return now
    if change.type is ChangeType.RESOLVED:
        # What was off the list when it ended has nobody to ask: F and G end as normal.
        return OperatorState.RETURNED_UNACKNOWLEDGED if now is OperatorState.UNACKNOWLEDGED else OperatorState.NORMAL
    if now is OperatorState.OUT_OF_SERVICE or alert.suppression_id is not None:
        return now
    if change.shadow:
        return OperatorState.SUPPRESSED
    if now is OperatorState.SUPPRESSED:
        return OperatorState.UNACKNOWLEDGED
    if now is OperatorState.ACKNOWLEDGED and hear_rule(alert, change.severity).severity.rank > alert.severity.rank:
        return OperatorState.UNACKNOWLEDGED
    return now


def _take_over(alert: Alert, change: AlertChange) -> Alert:
    return replace(
        hear_rule(alert, change.severity),
        rule_version=change.rule_version,
        condition=change.condition,
        unit_code=change.unit_code,
        lon_deg=change.lon_deg,
        lat_deg=change.lat_deg,
        title_vi=change.title_vi,
        title_en=change.title_en,
        detail_vi=change.detail_vi,
        detail_en=change.detail_en,
        value=change.value,
        limit=change.limit,
        observed_at=change.observed_at,
        received_at=change.received_at,
        decided_at=change.decided_at,
        shadow=change.shadow,
        flapping=change.flapping,
        flip_count=change.flip_count,
        kind=change.kind,
    )


def _open(change: AlertChange) -> Alert:
    return Alert(
        alert_id=change.alert_id,
        revision=1,
        fingerprint=change.fingerprint,
        rule_id=change.rule_id,
        rule_version=change.rule_version,
        labels=change.labels,
        severity=change.severity,
        rule_severity=change.severity,
        highest_severity=change.severity,
        condition=change.condition,
        operator=OperatorState.SUPPRESSED if change.shadow else OperatorState.UNACKNOWLEDGED,
        feed_id=change.feed_id,
        asset_id=change.asset_id,
        unit_code=change.unit_code,
        zone_id=change.zone_id,
        lon_deg=change.lon_deg,
        lat_deg=change.lat_deg,
        title_vi=change.title_vi,
        title_en=change.title_en,
        detail_vi=change.detail_vi,
        detail_en=change.detail_en,
        value=change.value,
        limit=change.limit,
        quantity_unit=change.quantity_unit,
        observed_at=change.observed_at,
        received_at=change.received_at,
        decided_at=change.decided_at,
        started_at=change.started_at,
        ended_at=None,
        resolve_reason=None,
        acked_by=None,
        acked_at=None,
        shelved_until=None,
        shadow=change.shadow,
        flapping=change.flapping,
        flip_count=change.flip_count,
        kind=change.kind,
    )
