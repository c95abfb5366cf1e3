"""One group at one instant: which of its alerts may be told, whether now, and what the group knows afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from alerts.notification.covering import Cover
from alerts.notification.grouping import GroupLog, Reason, Timing, Verdict, decide, note_told
from alerts.notification.suppression import LOOK_AT_HELD, Holds, Suppression, why_suppressed
from ioc.domain.alerts import Alert, Severity

SWEEP = timedelta(days=1)
"""A group with nothing to wait for is still looked at once a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An alert in a group: when it joined, whether it was held at the last look, and what was last told of it.

    ``told_severity`` and ``told_flapping`` are those that stood in the last notification of it.
    """

    alert: Alert
    joined_at: datetime
    was_held: bool
    told_severity: Severity | None
    told_flapping: bool = False

    @property
    def has_risen(self) -> bool:
        """Whether it is more severe than they were told."""
        return self.told_severity is not None and self.alert.severity.rank > self.told_severity.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows from one look at a group.

    ``news`` are those of ``firing`` that the departments do not know, ``resolved`` those whose end they are told.
    ``leaving`` are members that are over. A group without members that hold ``closes``.
    """

    verdict: Verdict
    firing: Sequence[Alert]
    news: Sequence[Alert]
    resolved: Sequence[Alert]
    held: Mapping[UUID, Suppression]
    log: GroupLog | None
    leaving: Sequence[UUID]
    closes: bool
    look_at: datetime


def plan(
    log: GroupLog | None,
    members: Sequence[Member],
    holds: Holds,
    timing: Mapping[Severity, Timing],
    now: datetime,
    covers: Mapping[UUID, Cover] = MappingProxyType({}),
) -> Plan:
    """Look at a group at an instant; ``covers`` says which members are told to its departments by another group."""
    left = [member.alert.alert_id for member in members if covers.get(member.alert.alert_id) is Cover.LEAVE]
    members = [member for member in members if covers.get(member.alert.alert_id) is not Cover.LEAVE]
    held: dict[UUID, Suppression] = {}
    firing: list[Member] = []
    for member in members:
        if member.alert.ended_at is not None:
            continue
        if (why := why_suppressed(member.alert, holds, now)) is not None:
            held[member.alert.alert_id] = why
        else:
            firing.append(member)
    log = _renew(log, [member for member in firing if member.was_held])
    # Worked out at each look and not kept: a rise that has fallen back before anybody was told of it is no news.
    asked = _renew(log, [member for member in firing if member.has_risen and member.alert.alert_id not in covers])
    known, current = (frozenset(), frozenset()) if asked is None else (asked.firing, asked.current)
    news = [member for member in firing if member.alert.alert_id not in current]
    ended = [member.alert for member in members if member.alert.ended_at is not None]
    firing_ids = frozenset(member.alert.alert_id for member in firing)
    ended_ids = frozenset(alert.alert_id for alert in ended)
    speaking = [member.alert.severity for member in news or firing or members]
    most_urgent = max(speaking, key=lambda level: level.rank, default=Severity.INFO)
    standing = max((member.alert.severity for member in firing), key=lambda level: level.rank, default=most_urgent)
    verdict = decide(
        asked,
        firing=firing_ids,
        resolved=ended_ids,
        held=bool(held),
        news_at=min((member.joined_at for member in news), default=now),
        is_urgent=any(member.alert.severity is Severity.CRITICAL for member in news),
        timing=timing[most_urgent],
        repeat_interval=timing[standing].repeat_interval,
        now=now,
        turned=_find_turn(firing),
    )
    tells_ends = verdict.notify and timing[most_urgent].send_resolved
    resolved = [alert for alert in ended if alert.alert_id in known] if tells_ends else []
    # What is held meanwhile they still know: its end is told to them, although this notification does not name it.
    knows = firing_ids | (known & held.keys())
    is_over = not firing_ids and not held and (verdict.notify or verdict.reason is Reason.EMPTY)
    return Plan(
        verdict=verdict,
        firing=[member.alert for member in firing],
        news=[member.alert for member in news],
        resolved=resolved,
        held=held,
        log=note_told(log, firing=knows, resolved=ended_ids, now=now) if verdict.notify else log,
        leaving=left + [alert.alert_id for alert in ended if verdict.notify or alert.alert_id not in known or is_over],
        closes=is_over,
        look_at=_next_look(verdict, held, now, awaits=any(member.alert.alert_id in covers for member in firing)),
    )


def _renew(log: GroupLog | None, members: Sequence[Member]) -> GroupLog | None:
    """Make news of members that the departments know in an older state.

    They still know that it holds, and are told of its end if that comes first.
    """
    if log is None or not members:
        return log
    renewed = frozenset(member.alert.alert_id for member in members)
    return replace(log, renewed=(log.renewed | renewed) & log.firing)


def _find_turn(firing: Sequence[Member]) -> Reason | None:
    """Give whether a member has begun to flap since they were told of it, or else whether one has ceased to."""
    turned = [member.alert.flapping for member in firing if member.alert.flapping is not member.told_flapping]
    if not turned:
        return None
    return Reason.FLAPPING if any(turned) else Reason.STEADY


def _next_look(verdict: Verdict, held: Mapping[UUID, Suppression], now: datetime, *, awaits: bool) -> datetime:
    looks = [] if verdict.look_at is None else [verdict.look_at]
    looks += [now + LOOK_AT_HELD] if awaits else []
    looks += [
        hold.until if hold.until is not None and hold.until > now else now + LOOK_AT_HELD for hold in held.values()
    ]
    return min([*looks, now + SWEEP])
