"""When a group of alerts is told: Alertmanager's five cases, with a reason for every answer."""

from __future__ import annotations

import enum
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


class Reason(enum.StrEnum):
    """Why a group was told, or was not."""

    FIRST = "first"
    NEW_FIRING = "new_firing"
    FLAPPING = "flapping"
    STEADY = "steady"
    ALL_RESOLVED = "all_resolved"
    SOME_RESOLVED = "some_resolved"
    REPEAT = "repeat"
    WAITING = "waiting"
    INTERVAL = "interval"
    NOTHING_NEW = "nothing_new"
    HELD = "held"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a group waits before it is told first, again with news, and again without."""

    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta
    send_resolved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLog:
    """What a group's departments know: the members that they were told fire, or have ended.

    ``renewed`` are those of ``firing`` that are to be told anew: they were held meanwhile, or have become more severe.
    """

    told_at: datetime
    firing: frozenset[UUID]
    resolved: frozenset[UUID]
    renewed: frozenset[UUID] = frozenset()

    @property
    def current(self) -> frozenset[UUID]:
        """Those that they know as they are."""
        return self.firing - self.renewed


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to tell, why, and when to look again unless something happens before; None: only then."""

    notify: bool
    reason: Reason
    look_at: datetime | None


def decide(
    log: GroupLog | None,
    *,
    firing: AbstractSet[UUID],
    resolved: AbstractSet[UUID],
    held: bool,
    news_at: datetime,
    is_urgent: bool,
    timing: Timing,
    now: datetime,
    repeat_interval: timedelta | None = None,
    turned: Reason | None = None,
) -> Verdict:
    """Decide one group at an instant.

    Args:
        log: what was told last, if anything.
        firing: members that hold and may be told.
        resolved: members that have ended.
        held: whether other members hold that must not be told now; with them nothing is "all over".
        news_at: when the oldest member that was not told joined.
        is_urgent: a member not told yet is critical: its wait is ``group_wait``, not ``group_interval``.
        timing: waits of the most urgent member that speaks: of the news, else of those that hold.
        now: the instant.
        repeat_interval: that of the most urgent that holds, which an item of less urgent news does not put off; unset:
            that of ``timing``.
        turned: ``FLAPPING`` or ``STEADY`` when a member that they know has begun to come and go, or has ceased to.
    """
    repeat_at = now + (repeat_interval or timing.repeat_interval)
    reason = _find_reason(log, firing, resolved, held=held, timing=timing, now=now, turned=turned)
    if reason in (Reason.EMPTY, Reason.HELD):
        return Verdict(False, reason, None)
    if reason is Reason.NOTHING_NEW:
        return Verdict(False, reason, log.told_at + timing.repeat_interval if log is not None and firing else None)
    if reason is Reason.REPEAT:
        return Verdict(True, reason, repeat_at)
    if log is None or (is_urgent and reason is Reason.NEW_FIRING):
        ready_at, waiting = news_at + timing.group_wait, Reason.WAITING
    else:
        ready_at, waiting = log.told_at + timing.group_interval, Reason.INTERVAL
    if now < ready_at:
        return Verdict(False, waiting, ready_at)
    return Verdict(True, reason, repeat_at if firing else None)


def _find_reason(
    log: GroupLog | None,
    firing: AbstractSet[UUID],
    resolved: AbstractSet[UUID],
    *,
    held: bool,
    timing: Timing,
    now: datetime,
    turned: Reason | None,
) -> Reason:
    if log is None:
        return Reason.FIRST if firing else Reason.HELD if held else Reason.EMPTY
    if not firing <= log.current:
        return Reason.NEW_FIRING
    ended = (resolved & log.firing) - log.resolved
    if not firing:
        if ended and timing.send_resolved:
            return Reason.SOME_RESOLVED if held else Reason.ALL_RESOLVED
        return Reason.HELD if held else Reason.EMPTY
    if turned is not None:
        return turned
    if ended and timing.send_resolved:
        return Reason.SOME_RESOLVED
    return Reason.REPEAT if now >= log.told_at + timing.repeat_interval else Reason.NOTHING_NEW


def note_told(
    log: GroupLog | None, *, firing: AbstractSet[UUID], resolved: AbstractSet[UUID], now: datetime
) -> GroupLog:
    """Give the log after a notification that went out; who was never told of an alert is not told of its end."""
    known = log.firing if log is not None else frozenset()
    ended = frozenset(resolved & known) | (log.resolved if log is not None else frozenset())
    return GroupLog(told_at=now, firing=frozenset(firing), resolved=ended - firing)
