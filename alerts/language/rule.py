"""What a rule is, apart from its condition: identity, texts, bounds and what to do when data stops."""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import ge, gt, le, lt
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from alerts.world import World
from ioc.domain.alerts import Severity
from ioc.domain.kinds import Payload

PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")
OPERATORS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


_GAINED = {"gained": True}


def gained(default: Any) -> Any:
    """Make a field that a condition gained later: at its default a rule means what it meant, and keeps its version."""
    return field(default=default, metadata=_GAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What people read, in both languages: templates over value, limit, asset, unit, zone and what a rule adds."""

    title_vi: str
    title_en: str
    detail_vi: str
    detail_en: str
    runbook_vi: str = ""
    runbook_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit with the days from which its values hold; law changes, and a reading is judged by its own day.

    ``from_on`` is sorted; a reading before the first of them has no limit and cannot be over it, nor has one of a day
    on which None stands: there the limit has ended.
    """

    values: tuple[float | None, ...]
    from_on: tuple[date, ...] = ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """Every value that was ever in force."""
        return tuple(value for value in self.values if value is not None)

    def on(self, day: date) -> float | None:
        """Give the value in force on a day, None when none was."""
        if not self.from_on:
            return self.values[0]
        index = bisect_right(self.from_on, day)
        return self.values[index - 1] if index else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One quantity against one limit."""

    quantity: str
    operator: str
    limit: Limit

    @property
    def is_over(self) -> Callable[[float, float], bool]:
        """The comparison as a function of value and limit."""
        return OPERATORS[self.operator]

    @property
    def is_upper(self) -> bool:
        """Whether large values are over the limit, not small ones."""
        return self.operator.startswith(">")

    @property
    def easiest(self) -> float:
        """The limit that is passed most easily of all that were ever in force: what does not pass it, passes none."""
        return min(self.limit.numbers) if self.is_upper else max(self.limit.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One severity of a rule: reached when any of ``when`` has held for ``hold_for``, left when none of them holds.

    With ``clear`` it is left only when, besides, every one of ``clear`` says so (hysteresis). A level in CEL has
    here the days between which it is in force, the second itself not; in comparisons they are those of the limits.
    """

    severity: Severity
    when: tuple[Comparison, ...] = ()
    clear: tuple[Comparison, ...] = ()
    hold_for: timedelta = timedelta(0)
    from_on: date | None = field(default=None, metadata=_GAINED)
    until_on: date | None = field(default=None, metadata=_GAINED)

    def is_in_force(self, day: date) -> bool:
        """Say whether it can be reached on a day. An alert whose level is in force no more is left."""
        if (self.from_on is not None and day < self.from_on) or (self.until_on is not None and day >= self.until_on):
            return False
        return not self.when or any(item.limit.on(day) is not None for item in self.when)


class NoDataPolicy(enum.StrEnum):
    """What silence does to an alert that holds. It never resolves it unless the rule says so."""

    KEEP_LAST = "keep_last"
    ALERT = "alert"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """Policy and the silence after which it applies."""

    policy: NoDataPolicy = NoDataPolicy.KEEP_LAST
    after: timedelta = timedelta(minutes=30)


class Condition(Protocol):
    """The part of a rule that a module of ``alerts.conditions`` reads from its file and evaluates."""

    @property
    def kinds(self) -> tuple[type[Payload], ...]:
        """Kinds of events that it looks at."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its severities."""


class Bindable(Condition, Protocol):
    """A condition that can make its evaluator."""

    def bind(self, rule: Rule, index: int, world: World) -> Any:
        """Make the evaluator of this rule at place ``index`` of the rulebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, checked and ready.

    ``version`` is a hash of what the rule means: editing its texts or comments does not change it. ``lateness`` is
    the age at which a reading no longer notifies, ``gap`` the pause after which a ``for`` starts again. Where something
    reports only while it is amiss, so much silence as ``clear_if_quiet_for`` says that it is over.
    """

    rule_id: str
    version: str
    condition_name: str
    condition: Bindable
    texts: Texts
    quantity_unit: str = ""
    lateness: timedelta = timedelta(minutes=15)
    gap: timedelta = timedelta(minutes=15)
    keep_firing_for: timedelta = timedelta(0)
    no_data: NoData = field(default_factory=NoData)
    clear_if_quiet_for: timedelta | None = None
    shadow: bool = False
    file: str = ""
    line: int = 0

    @property
    def silence(self) -> timedelta:
        """How long an open alert is heard nothing of before the rule says something of that."""
        return self.no_data.after if self.clear_if_quiet_for is None else self.clear_if_quiet_for
