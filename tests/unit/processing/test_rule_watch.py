"""A rule that fails is told once, and once that it works again; figures are of this process, whatever engine runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from alerts.engine.health import RuleHealth
from alerts.memory.partition import RuleFault
from ioc.errors import StoreUnavailableError
from ioc.processing.rule_health import RECOVERED_AFTER, RuleReporter, RuleWatch

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
SOUND = RuleHealth(
    rule_id="test.rule", version="1", evaluations_count=0, cost_s=0.0, faults_count=0, last_fault=None,
    series_count=3, open_count=1, readings_count=40, readings_limit=4_096,
    series_limit=100_000,
)  # fmt: skip


class FakeClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    async def sleep(self, delay: timedelta) -> None:
        self.at += delay


class Process:
    """A watch over an engine whose figures the test sets."""

    def __init__(self) -> None:
        self.clock, self.figures = FakeClock(), [SOUND]
        self.watch = RuleWatch(lambda: self.figures, self.clock)
        self.watch.reports()

    def after(self, seconds: float, **figures: float):
        """The report when the engine has come to these figures, some time later."""
        self.clock.at += timedelta(seconds=seconds)
        self.figures = [replace(self.figures[0], **figures)]
        [report] = self.watch.reports()
        return report

    def fail(self, times: int = 1, reason: str = "ValueError: no number") -> None:
        self.watch.note(
            [RuleFault(rule_id="test.rule", asset_id="site.x", reason=reason, at=self.clock.at) for _ in range(times)]
        )


@pytest.fixture
def process():
    return Process()


def test_the_first_fault_is_told_and_the_others_are_counted(process):
    before = REGISTRY.get_sample_value("ioc_rule_faults_total", {"rule": "test.rule"}) or 0.0
    with capture_logs() as said:
        process.fail(3)
        process.fail(2)
    assert [(line["event"], line["rule"], line["asset"]) for line in said] == [("rule.failed", "test.rule", "site.x")]
    assert REGISTRY.get_sample_value("ioc_rule_faults_total", {"rule": "test.rule"}) == before + 5
    assert process.after(10, faults_count=5).failing_since == START


def test_a_rule_works_again_when_it_was_evaluated_without_a_fault_for_some_time(process):
    process.fail()
    process.after(10, evaluations_count=100)
    with capture_logs() as said:
        silent = process.after(RECOVERED_AFTER.total_seconds())
        assert silent.failing_since == START, "nothing was evaluated: nobody knows whether it works"
        assert process.after(10, evaluations_count=120).failing_since is None
    assert [(line["event"], line["faults"]) for line in said] == [("rule.recovered", 1)]


def test_another_fault_makes_the_time_begin_anew(process):
    process.fail()
    process.after(200, evaluations_count=100)
    process.fail()
    assert process.after(200, evaluations_count=200).failing_since == START
    assert process.after(101, evaluations_count=300).failing_since is None


def test_rates_are_of_the_last_minute(process):
    for step in range(1, 31):
        report = process.after(10, evaluations_count=100 * step, cost_s=0.5 * step)
    assert (report.evaluations_count, report.cost_s) == (3_000, 15.0)
    assert (report.recent_s, report.recent_evaluations_count, report.recent_cost_s) == (60.0, 600, 3.0)


def test_a_new_engine_begins_at_nothing_and_the_process_counts_on(process):
    process.after(10, evaluations_count=100, cost_s=1.0, faults_count=7)
    report = process.after(10, evaluations_count=20, cost_s=0.25, faults_count=1)
    assert (report.evaluations_count, report.cost_s, report.faults_count) == (120, 1.25, 8)


def test_an_estimate_that_falls_takes_nothing_back(process):
    process.after(10, evaluations_count=100, cost_s=2.0)
    assert process.after(10, evaluations_count=110, cost_s=1.5).cost_s == 2.0
    assert process.after(10, evaluations_count=120, cost_s=2.5).cost_s == 2.5


def test_a_rule_that_left_the_rulebook_fails_no_more(process):
    process.fail()
    process.figures = []
    assert process.watch.reports() == []
    with capture_logs() as said:
        process.fail()
    assert [line["event"] for line in said] == ["rule.failed"]


class FakeStore:
    """Is away until it is told to be there."""

    def __init__(self) -> None:
        self.is_there, self.kept = False, []

    async def report(self, process, reports, faults) -> None:
        if not self.is_there:
            raise StoreUnavailableError("connection refused")
        self.kept += faults


async def test_faults_wait_while_the_store_is_away_and_the_newest_twenty_are_kept(process):
    store = FakeStore()
    reporter = RuleReporter(process.watch, store, process.clock, process="here/1")
    for number in range(15):
        process.fail(reason=f"fault {number}")
    with pytest.raises(StoreUnavailableError):
        await reporter.report()
    for number in range(15, 30):
        process.fail(reason=f"fault {number}")
    store.is_there = True
    await reporter.report()
    assert [fault.reason for fault in store.kept] == [f"fault {number}" for number in range(10, 30)]
    await reporter.report()
    assert len(store.kept) == 20
