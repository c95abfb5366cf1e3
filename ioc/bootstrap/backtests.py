"""Backtests over what this deployment has stored: from the store to the engine and back as one account."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.backtest.comparison import Comparison, compare
from alerts.backtest.trial import Trial
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_feed import Feed
from ioc.bootstrap.knowledge import load_world
from ioc.bootstrap.rulebooks import load_rules_in_force
from ioc.bootstrap.stored_arrivals import read_stored
from ioc.settings import Settings
from ioc.storage.pool import Database
from ioc.storage.stored_events import StoredEvents

_YOUNG = 1_000_000
"""Objects made between two looks of the garbage collector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What is asked: occurrences that start from ``start`` (inclusive) to ``end`` (exclusive), of one unit if named."""

    start: datetime
    end: datetime
    unit_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a backtest is. ``estimate`` is how many events there are in all, None until that is known."""

    events_count: int
    estimate: int | None
    reached_at: datetime | None
    elapsed_s: float

    @property
    def share(self) -> float:
        """What part is done, 0 to 1."""
        return min(1.0, self.events_count / self.estimate) if self.estimate else 0.0

    @property
    def rate_per_s(self) -> float:
        """Events a second."""
        return self.events_count / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done at this rate, None where nobody can say."""
        if self.estimate is None or not self.events_count:
            return None
        return max(0, self.estimate - self.events_count) / self.rate_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a backtest found. With ``is_partial`` it was stopped, and speaks of what came until ``comparison.until``.

    ``faults`` says on which readings draft rules failed, ``unreadable`` which lines or files are missing in it, and
    why: the first of each.
    """

    comparison: Comparison
    period: Period
    warm_up: timedelta
    kinds: Sequence[str]
    events_count: int
    faults: Sequence[str]
    faults_count: int
    unreadable: Sequence[str]
    unreadable_count: int
    elapsed_s: float
    is_partial: bool


async def backtest_stored(
    settings: Settings,
    database: Database,
    drafts: Rulebook,
    period: Period,
    *,
    on_progress: Callable[[Progress], None],
    is_stopped: Callable[[], bool],
) -> Account:
    """Run draft rules over what was stored, beside the rules in force.

    Rules begin to watch before the period, for as long as the longest of their spans. The engine runs in a thread of
    its own while the next slice is read; this loop stays free.

    Raises:
        StoreUnavailableError: the store did not answer.
        RulebookError: the rules in force have faults.
    """
    began = time.monotonic()
    in_force = await load_rules_in_force(settings, database)
    trial = Trial(drafts, in_force, load_world(settings.data_dir / "geo"), partitions=settings.log.partitions)
    stored = StoredEvents(database, settings.archive_folder)
    first_at = period.start - trial.warm_up
    silences = await stored.find_silences(start=first_at, end=period.end, longer_than=JUMP)
    feed = Feed(trial, silences, is_stopped=is_stopped)
    slices = read_stored(stored, kinds=trial.kinds, start=first_at, end=period.end)
    count, is_partial = 0, False
    with undisturbed():
        async with aclosing(feed.run(slices)) as done:
            async for more in done:
                count += more
                on_progress(Progress(
                    events_count=count, estimate=stored.planned_count, reached_at=trial.reached_at,
                    elapsed_s=time.monotonic() - began,
                ))  # fmt: skip
                if is_partial := feed.is_cut or (is_stopped() and not feed.is_done):
                    break
        if not is_partial:
            feed.let_pass(period.end)
        mine, theirs = trial.finish()
    until = trial.reached_at if is_partial else period.end
    return Account(
        comparison=compare(mine, theirs, until, since=period.start, unit_code=period.unit_code),
        period=period, warm_up=trial.warm_up, kinds=trial.kinds, events_count=count,
        faults=name_faults(trial), faults_count=trial.draft.faults_count,
        unreadable=[f"{n}: {r}" for n, r in stored.unreadable_files.items()],
        unreadable_count=len(stored.unreadable_files), elapsed_s=time.monotonic() - began, is_partial=is_partial,
    )  # fmt: skip


def name_faults(trial: Trial) -> list[str]:
    """Say on which readings draft rules failed, and why: the first of them."""
    return [f"{fault.rule_id} on {fault.asset_id}: {fault.reason}" for fault in trial.draft.faults]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector from going through every event again and again: hardly anything here is a cycle."""
    thresholds = gc.get_threshold()
    # Without looking at what is there first: that takes as long as playing several thousand events.
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
