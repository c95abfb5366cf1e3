"""Share: what part of the province is concerned, summed over its units: customers without power of all customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare, compare_to_levels
from alerts.conditions.leveled import LeveledEvaluator, reading_key
from alerts.conditions.window import compare_levels
from alerts.language.files import Table, note_others
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality

SHARE = "share_pct"
_MOST_ASSETS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The sum of ``part`` over all assets in percent of the sum of ``whole``; levels look at ``share_pct``.

    An asset counts when it has told both, for ``good_for`` after it did; ``least`` of them must.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    part: str
    whole: str
    least: int
    good_for: timedelta
    facts: frozenset[str] = field(default=frozenset({"part", "whole", "count"}))

    def bind(self, rule: Rule, index: int, world: World) -> ShareEvaluator:
        """Make the evaluator."""
        return ShareEvaluator(rule, index, world, self)


def read_share(table: Table) -> Share:
    """Read the keys of a share rule."""
    kind = table.kind("on")
    known = KINDS[kind.KIND].quantities
    names = {key: table.text(key) for key in ("part", "whole")}
    for key, name in names.items():
        if name and name not in known:
            table.fault(f"{key}: no quantity {name!r}; there are {', '.join(sorted(known))}")
    levels = table.levels("levels", kind, [SHARE])
    note_others(table, levels, SHARE)
    return Share(
        kinds=(kind,),
        levels=levels,
        part=names["part"],
        whole=names["whole"],
        least=int(table.number("least", 1)),
        good_for=table.span("good_for"),
    )


class ShareState(Series, kw_only=True, omit_defaults=True):
    """What each asset told last: epoch seconds, part, whole."""

    told: dict[str, tuple[float, float, float]] = msgspec.field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class ShareEvaluator(LeveledEvaluator):
    """Sends every report to one place, and judges the sums there at each."""

    state_type = ShareState

    def __init__(self, rule: Rule, index: int, world: World, condition: Share) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._scope = f"share:{rule.rule_id}"

    def forward(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> list[str]:
        """Send a report that has both numbers."""
        values = [getattr(event.data, name) for name in (self._condition.part, self._condition.whole)]
        is_late = event.received_at - event.observed_at > self.rule.lateness
        return [] if None in values or is_late or event.quality == Quality.BAD else [self._scope]

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take a report into the sums and judge them."""
        if scope != self._scope:
            return
        mine, key = memory.series[self.index], reading_key(event)
        state = mine.get(scope)
        if not isinstance(state, ShareState):
            state = mine[scope] = self.new_series()
        at_s = event.observed_at.timestamp()
        if key in state.told and state.told[key][0] >= at_s:
            return
        part, whole = (float(getattr(event.data, name)) for name in (self._condition.part, self._condition.whole))
        state.told[key] = (at_s, part, whole)
        newest_s = max(told[0] for told in state.told.values())
        oldest_s = newest_s - self._condition.good_for.total_seconds()
        kept = sorted((told, name) for name, told in state.told.items() if told[0] >= oldest_s)[-_MOST_ASSETS:]
        state.told = {name: told for told, name in kept}
        memory.dirty.add((self.index, scope))
        part, whole = (sum(told[place] for told in state.told.values()) for place in (1, 2))
        if len(state.told) >= self._condition.least and whole > 0:
            self._judge(memory, event, datetime.fromtimestamp(newest_s, UTC), part, whole)

    def _judge(self, memory: PartitionMemory, event: Event, at: datetime, part: float, whole: float) -> None:
        day = event.observed_at.astimezone(PROVINCE_TIME).date()
        verdicts = compare_levels(self._condition.levels, {SHARE: 100.0 * part / whole}, day)
        state = memory.series[self.index][self._scope]
        if verdicts is None or not (state.is_open or any(item.holds for item in verdicts) or self._is_active(state)):
            return
        count = len(state.told) if isinstance(state, ShareState) else 0
        subject = asset_subject(self.world, event, None, part=part, whole=whole, count=float(count))
        whole_province = replace(
            subject, labels=(("scope", "province"),), asset_id=None, unit_code=None, lon_deg=None, lat_deg=None,
            asked=partial(self._compare, count, part, whole, at),
        )  # fmt: skip
        self.judge(memory, self._scope, whole_province, verdicts, at)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say what the share is, and whether enough have told."""
        state = memory.series[self.index].get(place)
        if not isinstance(state, ShareState) or not state.told or asset_id not in {None, *state.told}:
            return
        at = datetime.fromtimestamp(max(told[0] for told in state.told.values()), UTC)
        part, whole = (sum(told[number] for told in state.told.values()) for number in (1, 2))
        parts = self._compare(len(state.told), part, whole, at)
        yield Approach(at, tuple(parts), facts={"part": part, "whole": whole})

    def _compare(self, count: int, part: float, whole: float, at: datetime) -> list[Part]:
        parts = [compare("reporting_count", float(count), ">=", float(self._condition.least))]
        if parts[0].is_met and whole > 0:
            parts += compare_to_levels(self._condition.levels, {SHARE: 100.0 * part / whole}, at)
        return parts

    def new_series(self) -> ShareState:
        """Make the state of the province."""
        return ShareState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: what each told is needed later."""
