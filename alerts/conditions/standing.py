"""Standing: a reported state that lasts too long, or outlives its due time: a closed lane, an open task, a case.

Registers speak when something changes and are silent otherwise, so time alone moves these rules: each level has its
instant, worked out when the state is reported, and log time reaching it fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial

from alerts.announcement import Subject, asset_subject
from alerts.approaches import compare
from alerts.conditions.leveled import reading_key
from alerts.conditions.reported import ReportedEvaluator
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Level, Rule, gained
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``state`` names the fields and the values that count.

    Each level comes ``afters`` behind the field ``due`` or the first report of the state, or at a share of the way
    from the field ``since`` to ``due``. ``within`` names two fields between which alone it counts: published hours.
    With ``renewed`` every report begins it anew: then it is silence that lasts.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    afters: tuple[timedelta, ...]
    shares: tuple[float | None, ...]
    state: Mapping[str, frozenset[str]]
    due: str = ""
    since: str = ""
    within: tuple[str, ...] = ()
    renewed: bool = gained(False)
    facts: frozenset[str] = field(default=frozenset({"days", "hours", "minutes"}))

    @property
    def reaches_back(self) -> timedelta:
        """How old a report may be that still stands, as far as anybody asks."""
        return timedelta(days=31)

    def bind(self, rule: Rule, index: int, world: World) -> StandingEvaluator:
        """Make the evaluator."""
        return StandingEvaluator(rule, index, world, self)


def read_standing(table: Table) -> Standing:
    """Read the keys of a standing rule."""
    kind = table.kind("on")
    fields = {item.name: item.type for item in KINDS[kind.KIND].fields}
    state: dict[str, frozenset[str]] = {}
    part = table.table("state")
    if part is not None:
        for name in part.names:
            if name not in fields:
                part.fault(f"no field {name!r}; there are {', '.join(fields)}")
            state[name] = frozenset(part.words(name))
        part.finish()
    instants = {"due": table.text("due", ""), "since": table.text("since", "")}
    within = table.words("within", default=())
    for name in (*instants.values(), *within):
        if name and fields.get(name) not in (date, datetime):
            table.fault(f"{name!r} is no instant or day of {kind.KIND}")
    if within and len(within) != 2:
        table.fault("within: two fields, from and to")
    levels, afters, shares = _read_levels(table, can_share=all(instants.values()))
    return Standing(
        kinds=(kind,),
        levels=levels,
        afters=afters,
        shares=shares,
        state=state,
        due=instants["due"],
        since=instants["since"],
        within=within,
        renewed=table.flag("renewed", default=False),
        facts=frozenset({"days", "hours", "minutes", *fields}),
    )


def _read_levels(
    table: Table, *, can_share: bool
) -> tuple[tuple[Level, ...], tuple[timedelta, ...], tuple[float | None, ...]]:
    levels, afters, shares = [], [], []
    for part in table.tables("levels"):
        share = part.number("share", 0.0) or None
        if share is not None and not (can_share and 0 < share <= 1):
            part.fault("share: a part of the way from `since` to `due`, above 0 up to 1")
        levels.append(Level(severity=part.severity("severity")))
        afters.append(part.duration("after", timedelta(0)))
        shares.append(share)
        part.finish()
    if not levels:
        table.fault("levels: at least one")
    return tuple(levels), tuple(afters), tuple(shares)


_MINUTE = timedelta(minutes=1)
SETTLING = timedelta(minutes=1)
"""What comes late comes with what followed it: a truck's arrival of yesterday, and its crossing behind that."""


class StandingState(Series, kw_only=True, omit_defaults=True):
    """The series of a thing with the report that stands and the instant since which it has stood."""

    event: Event | None = None
    stands_since: datetime | None = None
    settles_at: datetime | None = None

    @property
    def heard_until(self) -> datetime | None:
        """The arrival of the last that it knows of."""
        return None if self.event is None else self.event.received_at


class StandingEvaluator(ReportedEvaluator):
    """Judges at reports, and at the instants that follow from them."""

    state_type = StandingState

    def __init__(self, rule: Rule, index: int, world: World, condition: Standing) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        # A case is reported some ten times, each time with the same dates.
        self._instants_of = lru_cache(maxsize=4_096)(self._work_out)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a report in."""
        key = reading_key(event)
        mine = memory.series[self.index]
        state = mine.get(key)
        stands = True
        for name, values in self._condition.state.items():
            if str(getattr(event.data, name)) not in values:
                stands = False
                break
        if not stands:
            if state is not None:
                over = replace(self._subject(event, None, memory.clock), asked=lambda: (Part("stands", False),))
                self.end_and_forget(memory, key, over)
            return
        if not isinstance(state, StandingState):
            state = mine[key] = self.new_series()
        if state.stands_since is None or self._condition.renewed:
            state.stands_since = event.observed_at
        state.event = event
        memory.dirty.add((self.index, key))
        is_late = event.received_at - event.observed_at > self.rule.lateness
        state.settles_at = memory.clock + SETTLING if is_late and not state.is_open else None
        instants = self.instants(state)
        if state.settles_at is None:
            self._judge(memory, key, event, state, instants)
        self._wake(memory, key, self._moments(state, instants))

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge what stands, now that an instant has come."""
        memory.armed[self.index].discard(_timer_of(key, due))
        state = memory.series[self.index].get(key)
        # A report that stands needs no renewal: the timer of missing data says nothing here.
        if not isinstance(state, StandingState) or state.event is None:
            return
        instants = self.instants(state)
        moments = self._moments(state, instants)
        self._wake(memory, key, moments)
        if due not in moments:
            return
        if state.settles_at is not None:
            if due < state.settles_at:
                return
            state.settles_at = None
            memory.dirty.add((self.index, key))
        self._judge(memory, key, state.event, state, instants)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of what stood before a restart."""
        for key, state in memory.series[self.index].items():
            if isinstance(state, StandingState):
                self._wake(memory, key, self._moments(state, self.instants(state)))

    def new_series(self) -> StandingState:
        """Make the state of a thing."""
        return StandingState(shape=self.rule.condition_name)

    def _judge(
        self, memory: PartitionMemory, key: str, event: Event, state: StandingState,
        instants: Sequence[datetime | None],
    ) -> None:  # fmt: skip
        now = memory.clock
        inside = self._is_inside(event, now)
        is_due = inside and any(instant is not None and now >= instant for instant in instants)
        if not state.is_open and not is_due:
            return  # nearly always: it stands, and not for too long
        verdicts = [
            Verdict(inside and instant is not None and now >= instant, True, *_age(state, now)) for instant in instants
        ]
        subject = replace(self._subject(event, state, now), asked=partial(self._ask, state, now))
        self.judge_report(memory, key, subject, verdicts)

    def instants(self, state: StandingState) -> Sequence[datetime | None]:
        """Say when each level fires; None where the report lacks the field."""
        condition, event = self._condition, state.event
        due = _instant(event, condition.due) if condition.due else state.stands_since
        return self._instants_of(due, _instant(event, condition.since) if condition.since else None)

    def _work_out(self, due: datetime | None, since: datetime | None) -> tuple[datetime | None, ...]:
        condition = self._condition
        found: list[datetime | None] = []
        for after, share in zip(condition.afters, condition.shares, strict=True):
            if due is None or (share is not None and since is None):
                found.append(None)
            elif share is not None and since is not None:
                found.append(since + (due - since) * share)
            else:
                found.append(due + after)
        return tuple(found)

    def _ask(self, state: StandingState, now: datetime) -> Iterator[Part]:
        """Say how long the report has stood, or is past its due time, beside what each level asks for."""
        condition, event = self._condition, state.event
        yield Part("stands", True)
        if condition.within and event is not None:
            yield Part("in_hours", self._is_inside(event, now))
        due = _instant(event, condition.due) if condition.due else state.stands_since
        since = _instant(event, condition.since) if condition.since else None
        for after, share in zip(condition.afters, condition.shares, strict=True):
            if due is None or (share is not None and (since is None or since >= due)) or (share is None and now < due):
                continue
            if share is not None and since is not None:
                yield compare("way_pct", 100.0 * ((now - since) / (due - since)), ">=", 100.0 * share, one_of="level")
            else:
                what = "past_due_min" if condition.due else "stands_min"
                yield compare(what, (now - due) / _MINUTE, ">=", after / _MINUTE, one_of="level")

    def fires_at(self, state: StandingState) -> datetime | None:
        """Tell when the first level fires if nothing changes; None where the report lacks what that hangs on."""
        return min((instant for instant in self.instants(state) if instant is not None), default=None)

    def _is_inside(self, event: Event, now: datetime) -> bool:
        if not self._condition.within:
            return True
        begin, end = (_instant(event, name) for name in self._condition.within)
        return begin is not None and end is not None and begin <= now < end

    def _wake(self, memory: PartitionMemory, key: str, moments: Iterable[datetime]) -> None:
        """Set the timer of the next moment; those behind it follow from there."""
        instant = min((moment for moment in moments if moment > memory.clock), default=None)
        # Reports that say the same again and again need one timer.
        if instant is not None and (timer := _timer_of(key, instant)) not in memory.armed[self.index]:
            memory.armed[self.index].add(timer)
            memory.wake_at(instant, self.index, key)

    def _moments(self, state: StandingState, instants: Sequence[datetime | None]) -> list[datetime]:
        """Give the instants at which the judgement may change though nothing is reported."""
        moments = [instant for instant in instants if instant is not None]
        if self._condition.within and state.event is not None:
            moments += [at for name in self._condition.within if (at := _instant(state.event, name)) is not None]
        if state.settles_at is not None:
            moments.append(state.settles_at)
        return moments

    def _subject(self, event: Event, state: StandingState | None, now: datetime) -> Subject:
        facts: dict[str, str | float] = {
            item.name: str(value)
            for item in KINDS[event.kind].fields
            if (value := getattr(event.data, item.name)) is not None
        }
        base = _instant(event, self._condition.due) if self._condition.due else state and state.stands_since
        lasted = max(timedelta(0), now - base) if base else timedelta(0)
        facts |= {
            "days": float(lasted // timedelta(days=1)),
            "hours": float(lasted // timedelta(hours=1)),
            "minutes": float(lasted // timedelta(minutes=1)),
        }
        return asset_subject(self.world, event, None, **facts)


def _instant(event: Event | None, name: str) -> datetime | None:
    """Give a field as an instant; a day ends at its midnight in the province."""
    value = getattr(event.data, name, None) if event is not None else None
    if isinstance(value, datetime):
        return value
    return _end_of(value) if isinstance(value, date) else None


@lru_cache(maxsize=4_096)
def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), PROVINCE_TIME).astimezone(UTC)


def _timer_of(key: str, instant: datetime) -> str:
    return f"{key}\x1f{instant.timestamp()}"


def _age(state: StandingState, now: datetime) -> tuple[float | None, float | None]:
    """Give how many minutes it has stood; there is no limit to show beside it."""
    since = state.stands_since
    return (None if since is None else float((now - since) // timedelta(minutes=1)), None)
