"""How this process's rules do: says once when one fails and once when it works again, and reports to the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.engine.health import RuleHealth
from alerts.memory.partition import RuleFault
from ioc import telemetry
from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.rule_health import MOST_FAULTS, RuleHealthStore, RuleReport

_log = logger("rules")

PERIOD = timedelta(seconds=10)
RECENT = timedelta(seconds=60)
"""Rates are of about the last minute."""

RECOVERED_AFTER = timedelta(minutes=5)
"""A rule works again when it was evaluated and failed on nothing for this long."""

_LONGEST_REASON = 400


@dataclass(slots=True)
class _Followed:
    """A rule as this process follows it: the engine's counters when last read, our own, and those of a minute ago."""

    seen_evaluations: int = 0
    seen_cost_s: float = 0.0
    seen_faults: int = 0
    evaluations_count: int = 0
    cost_s: float = 0.0
    faults_count: int = 0
    past: deque[tuple[datetime, int, float]] = field(default_factory=deque)

    def take(self, health: RuleHealth) -> float:
        """Add what the engine counted since; gives the seconds that were added."""
        is_new_engine = health.evaluations_count < self.seen_evaluations or health.faults_count < self.seen_faults
        if is_new_engine:
            self.seen_evaluations, self.seen_cost_s, self.seen_faults = 0, 0.0, 0
        spent_s = max(0.0, health.cost_s - self.seen_cost_s)
        self.evaluations_count += health.evaluations_count - self.seen_evaluations
        self.faults_count += health.faults_count - self.seen_faults
        self.cost_s += spent_s
        self.seen_evaluations, self.seen_faults = health.evaluations_count, health.faults_count
        self.seen_cost_s = max(self.seen_cost_s, health.cost_s)
        return spent_s

    def look_back(self, now: datetime) -> tuple[datetime, int, float]:
        """Give instant and counters of about a minute ago, and remember those of now."""
        while len(self.past) > 1 and now - self.past[1][0] >= RECENT:
            self.past.popleft()
        self.past.append((now, self.evaluations_count, self.cost_s))
        return self.past[0]


@dataclass(slots=True)
class _Failing:
    """A rule that fails: ``evaluations_count`` is where it stood when its last fault was seen."""

    since: datetime
    last_at: datetime
    faults_count: int = 0
    evaluations_count: int | None = None


class RuleWatch:
    """Follows the rules of one process.

    Args:
        health: gives the figures of the engine that runs now; its counters may begin anew with another engine.
        clock: dates reports and failures.
    """

    def __init__(self, health: Callable[[], Sequence[RuleHealth]], clock: Clock) -> None:
        self._health, self._clock = health, clock
        self._started_at = clock.now()
        self._followed: dict[str, _Followed] = {}
        self._failing: dict[str, _Failing] = {}
        self._fresh: dict[str, deque[RuleFault]] = {}

    def note(self, faults: Sequence[RuleFault]) -> None:
        """Take the faults of a batch: the first of a rule is told, every one counted, the newest are kept."""
        now = self._clock.now() if faults else self._started_at
        for fault in faults:
            rule_id = fault.rule_id
            telemetry.rule_faults.labels(rule_id).inc()
            self._fresh.setdefault(rule_id, deque(maxlen=MOST_FAULTS)).append(fault)
            failing = self._failing.get(rule_id)
            if failing is None:
                _log.error("rule.failed", rule=rule_id, asset=fault.asset_id, reason=fault.reason[:_LONGEST_REASON])
                failing = self._failing[rule_id] = _Failing(since=now, last_at=now)
            failing.last_at, failing.evaluations_count = now, None
            failing.faults_count += 1

    def reports(self) -> list[RuleReport]:
        """Read the engine's figures and give them as they are reported."""
        now = self._clock.now()
        figures = self._health()
        for rule_id in (self._followed.keys() | self._failing.keys()) - {health.rule_id for health in figures}:
            self._followed.pop(rule_id, None)
            self._failing.pop(rule_id, None)
        return [self._report(health, now) for health in figures]

    def take_faults(self) -> list[RuleFault]:
        """Give the newest faults since this was last asked."""
        taken = [fault for faults in self._fresh.values() for fault in faults]
        self._fresh = {}
        return taken

    def give_back(self, faults: Sequence[RuleFault]) -> None:
        """Take faults back that could not be kept; newer ones that came meanwhile go first."""
        newer, self._fresh = self.take_faults(), {}
        for fault in (*faults, *newer):
            self._fresh.setdefault(fault.rule_id, deque(maxlen=MOST_FAULTS)).append(fault)

    def _report(self, health: RuleHealth, now: datetime) -> RuleReport:
        rule_id = health.rule_id
        followed = self._followed.setdefault(rule_id, _Followed())
        telemetry.rule_cost_seconds.labels(rule_id).inc(followed.take(health))
        since, evaluations_then, cost_then_s = followed.look_back(now)
        self._settle(rule_id, followed.evaluations_count, now)
        failing = self._failing.get(rule_id)
        return RuleReport(
            rule_id=rule_id,
            version=health.version,
            started_at=self._started_at,
            evaluations_count=followed.evaluations_count,
            cost_s=followed.cost_s,
            faults_count=followed.faults_count,
            recent_s=(now - since).total_seconds(),
            recent_evaluations_count=followed.evaluations_count - evaluations_then,
            recent_cost_s=followed.cost_s - cost_then_s,
            failing_since=None if failing is None else failing.since,
            series_count=health.series_count,
            open_count=health.open_count,
            readings_count=health.readings_count,
            readings_limit=health.readings_limit,
            series_limit=health.series_limit,
        )

    def _settle(self, rule_id: str, evaluations_count: int, now: datetime) -> None:
        """Say that a rule works again, once it does."""
        failing = self._failing.get(rule_id)
        if failing is None:
            return
        if failing.evaluations_count is None:
            failing.evaluations_count = evaluations_count
        elif now - failing.last_at >= RECOVERED_AFTER and evaluations_count > failing.evaluations_count:
            _log.info("rule.recovered", rule=rule_id, faults=failing.faults_count, since=failing.since.isoformat())
            del self._failing[rule_id]


class RuleReporter:
    """Puts the reports of this process into the store, beside the worker and never in its way.

    Args:
        watch: what is reported.
        store: where it goes.
        clock: paces the reports.
        process: the name of this process; no two that run have the same.
    """

    def __init__(self, watch: RuleWatch, store: RuleHealthStore, clock: Clock, *, process: str) -> None:
        self._watch, self._store, self._clock, self._process = watch, store, clock, process

    async def run(self) -> None:
        """Live until cancelled. While the store is away, reports are left out and faults wait."""
        while True:
            try:
                await self.report()
            except StoreUnavailableError as error:
                _log.warning("rule_health.waiting", reason=error.reason)
            await self._clock.sleep(PERIOD)

    async def report(self) -> None:
        """Report once.

        Raises:
            StoreUnavailableError: nothing was kept; faults are reported again next time.
        """
        reports, faults = self._watch.reports(), self._watch.take_faults()
        try:
            await self._store.report(self._process, reports, faults)
        except StoreUnavailableError:
            self._watch.give_back(faults)
            raise
