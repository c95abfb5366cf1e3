"""Random outcomes against a plain model of the condition machine (alerting.md, section 1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alerts.language.rule import Level
from alerts.memory.series import Policy, Series, Verdict, evaluate
from ioc.domain.alerts import ChangeType, Severity

START = datetime(2026, 11, 23, tzinfo=UTC)
OVER, BETWEEN, CLEAR = Verdict(True, False, 9.0, 5.0), Verdict(False, False, 4.0), Verdict(False, True, 1.0)
OUTCOMES = st.sampled_from([OVER, BETWEEN, CLEAR])
GAP = 15


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def hear(series: Series, decision) -> None:
    """Keep what the announcer keeps: the machine asks it for severity and limit only."""
    if decision is not None and decision.type in (ChangeType.FIRED, ChangeType.SEVERITY):
        series.last = SimpleNamespace(severity=decision.severity, limit=decision.limit)
    if decision is not None and decision.type is ChangeType.RESOLVED:
        series.last = None


class OneLevel(RuleBasedStateMachine):
    """One condition with ``for``, ``keep`` and a clearance. The model knows minutes, words and a list of outcomes."""

    @initialize(hold=st.sampled_from([0, 1, 5]), keep=st.sampled_from([0, 2, 6]))
    def begin(self, hold: int, keep: int) -> None:
        self.hold, self.keep, self.minute = hold, keep, 0
        self.policy = Policy(
            (Level(severity=Severity.MAJOR, hold_for=timedelta(minutes=hold)),), timedelta(minutes=keep),
            timedelta(minutes=GAP),
        )  # fmt: skip
        self.series = Series(shape="test")
        self.state, self.flaps = "inactive", False
        self.true_since: int | None = None
        self.false_since: int | None = None
        self.outcomes: list[bool] = [False]
        self.told: list[ChangeType] = []
        self.expected: list[ChangeType] = []

    @rule(passed=st.sampled_from([1, 1, 1, 2, 5, 15, 16]), outcome=OUTCOMES)
    def a_reading_comes(self, passed: int, outcome: Verdict) -> None:
        self.minute += passed
        decision = evaluate(self.series, self.policy, [outcome], at(self.minute))
        hear(self.series, decision)
        if decision is not None and decision.type is not ChangeType.UPDATED:
            self.told.append(decision.type)
        # Between limit and clearance a condition stays what it was.
        is_true = outcome is OVER or (outcome is BETWEEN and self.state == "firing")
        # What flaps is the value about its limit, also where a clearance keeps the condition true.
        self.outcomes.append(outcome is OVER)
        turns = sum(before is not after for before, after in pairwise(self.outcomes[-21:]))
        self.flaps = turns >= (2 if self.flaps else 4)
        self._move(is_true, after_gap=passed > GAP)
        self.flaps = self.flaps and self.state in ("firing", "recovering")

    def _move(self, is_true: bool, *, after_gap: bool) -> None:
        match self.state, is_true:
            case "inactive" | "pending", True:
                if self.state == "inactive" or after_gap or self.true_since is None:
                    self.true_since = self.minute
                self.state = "pending"
                if self.minute - self.true_since >= self.hold:
                    self.state = "firing"
                    self.expected.append(ChangeType.FIRED)
            case "pending", False:
                self.state = "inactive"
            case "recovering", True:
                self.state = "firing"
            case "firing" | "recovering", False:
                if self.state == "firing" or after_gap or self.false_since is None:
                    self.false_since = self.minute
                if self.minute - self.false_since >= self.keep and not self.flaps:
                    self.state = "inactive"
                    self.expected.append(ChangeType.RESOLVED)
                elif self.state == "firing":
                    self.state = "recovering"
                    self.expected.append(ChangeType.RECOVERING)

    @invariant()
    def the_machine_is_where_the_model_is(self) -> None:
        if hasattr(self, "series"):
            assert self.series.condition.value == self.state
            assert self.series.is_open == (self.state in ("firing", "recovering"))
            assert self.series.flapping == self.flaps
            assert self.told == self.expected


OneLevel.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestOneLevel = OneLevel.TestCase

HOLD = {Severity.MAJOR: 5, Severity.CRITICAL: 1}


@given(
    st.lists(st.tuples(st.integers(1, 4), OUTCOMES, OUTCOMES), min_size=1, max_size=60), st.sampled_from([0, 2]),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_an_alert_of_two_levels_ends_only_when_neither_holds_and_rises_only_to_what_has_held(readings, keep, nested):
    levels = [Level(severity=severity, hold_for=timedelta(minutes=hold)) for severity, hold in HOLD.items()]
    policy, series, minute = Policy(levels, timedelta(minutes=keep), timedelta(minutes=GAP)), Series(shape="test"), 0
    since: dict[Severity, int | None] = dict.fromkeys(HOLD)
    for passed, major, critical in readings:
        minute += passed
        said = dict(zip(HOLD, (OVER if nested and critical is OVER else major, critical), strict=True))
        for severity, outcome in said.items():
            if outcome is OVER and since[severity] is None:
                since[severity] = minute
            elif outcome is CLEAR or (outcome is BETWEEN and series.last is None):
                since[severity] = None
        was = series.last and series.last.severity
        decision = evaluate(series, policy, list(said.values()), at(minute))
        if decision is None:
            continue
        if OVER in said.values():
            assert decision.type not in (ChangeType.RESOLVED, ChangeType.RECOVERING)
        if decision.type is ChangeType.FIRED or (was is not None and decision.severity.rank > was.rank):
            began = since[decision.severity]
            assert began is not None
            assert minute - began >= HOLD[decision.severity]
        hear(series, decision)
