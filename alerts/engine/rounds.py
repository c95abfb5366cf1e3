"""Rounds: what came between two pauses, put to one rule after the other, and said as if each event had met all in turn.

A rule's decisions follow from its own state, the events of its kinds, and log time; no rule sees what another does. So
each can go through a whole round by itself, with its timers between its events, and is done with its state while that
is at hand: on the mix of the province this costs a quarter less than event by event. What they say is put into the
order in which it would have been said: by event, timers before the event that reaches them, rules in the rulebook's.

Newest readings belong to all. Rules that look them up (``looks_up_newest``) see them as they were at each event.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from alerts.conditions.leveled import reading_key
from alerts.engine.dispatch import Item, Lane, RuleMethods
from alerts.engine.health import Meter
from alerts.language.rule import Rule
from alerts.memory.partition import BEGINNING, PartitionMemory, RuleFault
from ioc.domain.alerts import AlertChange
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import Payload

RULE_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a rule may trip over; it becomes a fault of that rule and harms no other."""

_TIMERS, _EVENT, _FORWARD, _SENT = range(4)
"""In which order things are said at one event."""

_order_of, _items_of = itemgetter(0), attrgetter("items")


class Move(NamedTuple):
    """A newest reading that another one replaced: when, in which readings, of which thing, by which."""

    place: int
    newest: dict[str, Event]
    key: str
    before: Event | None
    event: Event

    def take_back(self) -> None:
        """Let the one before be the newest again."""
        if self.before is None:
            del self.newest[self.key]
        else:
            self.newest[self.key] = self.before


@dataclass(slots=True)
class Round:
    """Events in the order of the log. A place is an event's number; ``reached`` has log time at each.

    Attributes:
        begins_at: log time before the first.
        reached: log time at each event that some rule looks at.
        moves: by kind, how newest readings moved on, of kinds of which rules look them up.
    """

    begins_at: datetime
    reached: list[datetime] = field(default_factory=list)
    moves: dict[type[Payload], list[Move]] = field(default_factory=dict)


class _Outbox:
    """Takes what rules say, and gives it in the order of the log.

    While it is open, changes, signals and faults of the memory are one list: whether anything was said is asked after
    every look of every rule.
    """

    def __init__(self, memory: PartitionMemory) -> None:
        self._memory = memory
        self._said: list[tuple[tuple[Any, ...], list[Any]]] = []
        self._before = memory.changes, memory.signals, memory.faults
        self.fresh: list[Any] = []
        memory.changes = memory.signals = memory.faults = self.fresh

    def take(self, order: tuple[Any, ...]) -> None:
        """Take what was said since the last time."""
        if self.fresh:
            self._said.append((order, self.fresh[:]))
            self.fresh.clear()

    def send(self, order: tuple[Any, ...], signals: list[Signal]) -> None:
        """Take signals."""
        self._said.append((order, list(signals)))

    def close(self) -> None:
        """Put everything behind what the memory held before."""
        changes, signals, faults = self._before
        self._said.sort(key=_order_of)
        said = [one for _, some in self._said for one in some]
        changes += [one for one in said if isinstance(one, AlertChange)]
        signals += [one for one in said if isinstance(one, Signal)]
        faults += [one for one in said if isinstance(one, RuleFault)]
        self._memory.changes, self._memory.signals, self._memory.faults = changes, signals, faults


class _Merged:
    """Items of several lanes as one list. Many rules go through the same lanes: it is put in order for the first."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], list[Item]] = {}

    def of(self, lanes: Sequence[Lane]) -> list[Item]:
        """Give the items of lanes in the order of their places."""
        if len(lanes) == 1:
            return lanes[0].items
        key = tuple(map(id, lanes))
        items = self._known.get(key)
        if items is None:
            items = self._known[key] = list(chain.from_iterable(map(_items_of, lanes)))
            items.sort(key=_order_of)
        return items


class _Replay:
    """Newest readings as they were at each place of a round."""

    def __init__(self, moves: Iterable[Sequence[Move]]) -> None:
        self._moves = sorted((move for some in moves for move in some), key=_order_of)
        self._done = 0
        for move in reversed(self._moves):
            move.take_back()

    def reach(self, place: int) -> None:
        """Go on to an event's place, with the event itself."""
        moves = self._moves
        while self._done < len(moves) and (move := moves[self._done]).place <= place:
            move.newest[move.key] = move.event
            self._done += 1


class Rounds:
    """Runs rounds for one engine."""

    def __init__(self, rules: Sequence[Rule], meter: Meter) -> None:
        self._rules, self._meter = rules, meter

    def run(
        self, memory: PartitionMemory, round_: Round, lanes: Sequence[Lane], ends_at: datetime, *, is_pause: bool,
        are_signals: bool = False,
    ) -> None:  # fmt: skip
        """Put a round to every rule, and the timers up to its end.

        Before a pause, timers of the last instant itself are fired as well; otherwise what comes next may be of the
        same instant, and goes before them.
        """
        by_rule: dict[int, list[Lane]] = {}
        for lane in lanes:
            if lane.items:
                for index in lane.indexes:
                    by_rule.setdefault(index, []).append(lane)
        outbox, merged = _Outbox(memory), _Merged()
        wanted: dict[int, tuple[Event, list[str]]] = {}
        for index, timers in enumerate(memory.timers):
            mine = by_rule.get(index)
            if mine is None and not (timers and timers[0][0] <= ends_at):
                continue
            one = _Pass(self, memory, round_, index, outbox)
            if mine is not None:
                items = merged.of(mine)
                if are_signals:
                    one.hear(items)
                else:
                    one.look(items, wanted)
            one.end(ends_at, is_pause=is_pause)
        for place, (event, scopes) in wanted.items():
            # Two rules may want the same event in the same scope: it is sent once.
            outbox.send((place, _SENT), [Signal(scope=scope, event=event) for scope in sorted(set(scopes))])
        outbox.close()
        for lane in lanes:
            lane.items.clear()
        memory.clock = ends_at
        memory.note_next_due()

    def methods_of(self, index: int) -> RuleMethods:
        """Give the methods of a rule that the running step goes through."""
        return self._meter.calls.by_rule[index]

    def count_timer(self, index: int) -> None:
        """Count a timer of a rule."""
        self._meter.count_timer(index)

    def note_fault(self, memory: PartitionMemory, index: int, key: str, error: Exception) -> None:
        """Note that a rule tripped."""
        memory.add_fault(self._rules[index].rule_id, key, f"{type(error).__name__}: {error}")


class _Pass:
    """One rule going through one round."""

    def __init__(self, rounds: Rounds, memory: PartitionMemory, round_: Round, index: int, outbox: _Outbox) -> None:
        self._rounds, self._memory, self._round, self._index, self._outbox = rounds, memory, round_, index, outbox
        self._methods = rounds.methods_of(index)
        self._since = memory.clock = round_.begins_at
        self._last_due = BEGINNING
        moves = [round_.moves[kind] for kind in self._methods.looks_up if kind in round_.moves]
        self._replay = _Replay(moves) if moves else None

    def look(self, items: Sequence[Item], wanted: dict[int, tuple[Event, list[str]]]) -> None:
        """Look at events, each when log time has reached it; note in which scopes they are wanted."""
        memory, index, replay, fresh = self._memory, self._index, self._replay, self._outbox.fresh
        on_event, on_late, forwards = self._methods.on_event, self._methods.on_late, self._methods.forward
        reached, timers, since = self._round.reached, memory.timers[index], self._since
        for place, event, zones in items:
            if (now := reached[place]) > since:
                if timers and timers[0][0] <= now:
                    self._fire(now)
                self._since = since = memory.clock = now
            if replay is not None:
                replay.reach(place)
            try:
                if zones is None:
                    if on_late is not None:
                        on_late(memory, event)
                elif on_event is not None:
                    on_event(memory, event, zones)
            except RULE_ERRORS as error:
                self._rounds.note_fault(memory, index, event.asset_id, error)
                if zones is not None:
                    memory.note_failed(index, reading_key(event))
            if fresh:
                self._outbox.take((place, _EVENT, index))
            if forwards and zones is not None and (forward := forwards.get(type(event.data))) is not None:
                try:
                    scopes = forward(memory, event, zones)
                except RULE_ERRORS as error:
                    self._rounds.note_fault(memory, index, event.asset_id, error)
                    self._outbox.take((place, _FORWARD, index))
                    continue
                if scopes:
                    wanted.setdefault(place, (event, []))[1].extend(scopes)

    def hear(self, items: Sequence[Item]) -> None:
        """Look at signals, each when log time has reached it."""
        memory, index, on_signal, fresh = self._memory, self._index, self._methods.on_signal, self._outbox.fresh
        reached, timers, since = self._round.reached, memory.timers[index], self._since
        if on_signal is None:
            return
        for place, event, scope in items:
            if (now := reached[place]) > since:
                if timers and timers[0][0] <= now:
                    self._fire(now)
                self._since = since = memory.clock = now
            try:
                on_signal(memory, scope, event)
            except RULE_ERRORS as error:
                self._rounds.note_fault(memory, index, event.asset_id, error)
            if fresh:
                self._outbox.take((place, _EVENT, index))

    def end(self, ends_at: datetime, *, is_pause: bool) -> None:
        """Let log time reach the end of the round."""
        if ends_at > self._since or is_pause:
            self._fire(ends_at)
        if self._replay is not None:
            self._replay.reach(len(self._round.reached))

    def _fire(self, until: datetime) -> None:
        """Fire the rule's timers that fell due, each as of the event that reached it."""
        memory, index, reached = self._memory, self._index, self._round.reached
        timers, on_timer = memory.timers[index], self._methods.on_timer
        earliest = bisect_right(reached, self._since)
        while timers and timers[0][0] <= until:
            due, key = heappop(timers)
            if due > memory.clock:
                memory.clock = due
            place = max(earliest, bisect_left(reached, memory.clock))
            self._last_due = max(due, self._last_due)
            if self._replay is not None:
                self._replay.reach(place - 1)
            self._rounds.count_timer(index)
            try:
                on_timer(memory, key, due)
            except RULE_ERRORS as error:
                self._rounds.note_fault(memory, index, key, error)
            self._outbox.take((place, _TIMERS, self._last_due, index))
