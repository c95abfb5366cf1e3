"""Growth: a quantity that rises by a share from hour to hour, several hours in a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare
from alerts.conditions.leveled import LeveledEvaluator
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """``quantity`` rises by ``by_pct`` or more from each ``per`` to the next, ``times`` in a row, from ``least`` on."""

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    quantity: str
    by_pct: float
    per: timedelta
    times: int
    least: float
    facts: frozenset[str] = field(default=frozenset({"before", "times"}))

    @property
    def reaches_back(self) -> timedelta:
        """How old a reading may be that still counts: that of the first span, and one in which it may begin."""
        return self.per * (self.times + 1)

    def bind(self, rule: Rule, index: int, world: World) -> GrowthEvaluator:
        """Make the evaluator."""
        return GrowthEvaluator(rule, index, world, self)


def read_growth(table: Table) -> Growth:
    """Read the keys of a growth rule."""
    kind = table.kind("on")
    quantity = table.text("quantity")
    if quantity and quantity not in KINDS[kind.KIND].quantities:
        table.fault(f"no quantity {quantity!r}; there are {', '.join(KINDS[kind.KIND].quantities)}")
    severity: Severity = table.severity("severity")
    return Growth(
        kinds=(kind,),
        levels=(Level(severity=severity),),
        quantity=quantity,
        by_pct=table.number("by_pct"),
        per=table.duration("per", timedelta(hours=1)),
        times=int(table.number("times")),
        least=table.number("least", 0.0),
    )


class GrowthState(Series, kw_only=True, omit_defaults=True):
    """The series of an asset with the means of its last spans, by number of the span since the epoch.

    ``judged`` is the span in which those before it were judged last.
    """

    spans: dict[int, tuple[float, int]] = msgspec.field(default_factory=dict)
    judged: int = 0


class GrowthEvaluator(LeveledEvaluator):
    """Compares the means of whole spans; a span that is missing breaks the row."""

    state_type = GrowthState

    def __init__(self, rule: Rule, index: int, world: World, condition: Growth) -> None:
        super().__init__(rule, index, world)
        self._condition = condition

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading into its span; at the first timely one of a new span, judge the spans before."""
        value = getattr(event.data, self._condition.quantity)
        if value is None:
            return
        series = memory.series[self.index].get(event.asset_id)
        if not isinstance(series, GrowthState):
            series = memory.series[self.index][event.asset_id] = self.new_series()
        memory.dirty.add((self.index, event.asset_id))
        span = int(event.observed_at.timestamp() // self._condition.per.total_seconds())
        is_new = span > max(series.judged, min(series.spans, default=span))
        total, count = series.spans.get(span, (0.0, 0))
        series.spans[span] = (total + float(value), count + 1)
        for old in [known for known in series.spans if known < span - self._condition.times - 1]:
            del series.spans[old]
        if event.received_at - event.observed_at > self.rule.lateness:
            return
        if series.is_open:
            self.note_heard(memory, event.asset_id, series, event)  # it is heard, also where it is not judged
        if not is_new:
            return
        series.judged = span
        means = [self._mean(series, span - back) for back in range(self._condition.times + 1, 0, -1)]
        holds = self._rises(means)
        first, last = means[0], means[-1]
        verdict = Verdict(holds, not holds, last, None if first is None else first)
        facts = {"before": first or 0.0, "times": float(self._condition.times)}
        subject = replace(asset_subject(self.world, event, None, **facts), asked=partial(self._ask, means))
        self.judge(memory, event.asset_id, subject, [verdict], event.observed_at)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say by how much the means of whole spans rose where they rose least."""
        series, event = memory.series[self.index].get(place), memory.readings("", self._condition.kinds[0]).get(place)
        if not isinstance(series, GrowthState) or event is None:
            return
        span = int(event.observed_at.timestamp() // self._condition.per.total_seconds())
        means = [self._mean(series, span - back) for back in range(self._condition.times + 1, 0, -1)]
        yield Approach(event.observed_at, tuple(self._ask(means)), place, place)

    def _ask(self, means: Sequence[float | None]) -> Iterator[Part]:
        known = [mean for mean in means if mean is not None]
        yield compare("spans_count", float(len(known)), ">=", float(len(means)))
        if len(known) == len(means) and min(known[:-1]) > 0:
            rises_pct = [100.0 * (after / before - 1) for before, after in pairwise(known)]
            yield compare("least_rise_pct", min(rises_pct), ">=", self._condition.by_pct)
        if means[-1] is not None:
            yield compare(self._condition.quantity, means[-1], ">=", self._condition.least)

    def new_series(self) -> GrowthState:
        """Make the state of an asset."""
        return GrowthState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: the spans are needed later."""

    def _mean(self, series: GrowthState, span: int) -> float | None:
        total, count = series.spans.get(span, (0.0, 0))
        return total / count if count else None

    def _rises(self, means: list[float | None]) -> bool:
        factor = 1 + self._condition.by_pct / 100
        for before, after in pairwise(means):
            if before is None or after is None or before <= 0 or after < before * factor:
                return False
        return (means[-1] or 0.0) >= self._condition.least
