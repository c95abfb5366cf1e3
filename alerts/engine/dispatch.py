"""Which rules look at which kind of event and quantity, method by method: found once, not at every event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any, NamedTuple

from alerts.conditions.leveled import COMPOUND_KINDS, reading_key
from ioc.domain.events import Event
from ioc.domain.kinds import Observation, Payload

Method = Callable[..., Any]
ByKind = dict[type[Payload], tuple[tuple[int, Method], ...]]
"""For a kind, the methods of the rules that look at it, each with its rule's place, in the order of the rulebook."""


Way = tuple[type[Payload], str | None]
"""What a signal is about, and the rule that it is told to, None: all that listen."""

Item = tuple[int, Event, Any]
"""An event with its place in a round, and its zones, None if it is older than what was heard of its thing; of a signal
its scope.
"""


class Lane(NamedTuple):
    """What events of one kind go through in one step: the newest reading of each thing, and which rules look at them.

    ``key_of`` tells things apart where the asset alone does not. ``parts`` has the lanes of the quantities that
    some rule names, where a kind reports any; what no rule names goes on in this one. ``items`` fill up.
    """

    newest: dict[str, Event]
    key_of: Callable[[Event], str] | None
    indexes: tuple[int, ...]
    takes_late: bool
    is_looked_up: bool
    parts: Mapping[str, Lane]
    items: list[Item]

    def of(self, event: Event) -> Lane:
        """Give the lane of an event's own quantity."""
        return self.parts.get(event.data.quantity, self) if isinstance(event.data, Observation) else self


class RuleMethods(NamedTuple):
    """What one rule is called by; ``forward`` by kind, ``looks_up`` the kinds of which it looks up newest readings,
    ``looks_up_at`` the kinds of events at which it does that alone, None: it may at any and at timers.
    """

    on_event: Method | None
    on_late: Method | None
    on_signal: Method | None
    on_timer: Method
    forward: Mapping[type[Payload], Method]
    looks_up: tuple[type[Payload], ...]
    looks_up_at: frozenset[type[Payload]] | None


def _as_it_is(index: int, method: Method) -> Method:
    return method


class Dispatch:
    """The methods of evaluators by kind. ``wrap`` may put something around each, such as a stopwatch."""

    def __init__(self, evaluators: Sequence[Any], wrap: Callable[[int, Method], Method] = _as_it_is) -> None:
        self._evaluators, self._wrap = evaluators, wrap
        self.observed: list[frozenset[str] | None] = [getattr(item, "observed", None) for item in evaluators]
        """Of each rule the quantities of observations that it looks at; None: all."""
        self._named = frozenset().union(*(names for names in self.observed if names is not None))
        self.on_event = self._sort("on_event")
        self.on_late = self._sort("on_late")
        self.forward = self._sort_forward()
        self.on_signal = self._sort("on_signal")
        self.by_rule = [self._of_rule(index) for index in range(len(evaluators))]
        self.kinds = frozenset({*self.on_event, *self.on_late, *self.forward})
        """The kinds of events that some rule looks at."""

    def find_looked_up(self, kinds: Set[type[Payload]]) -> frozenset[type[Payload]]:
        """Say of which kinds newest readings may be looked up in a step with events of these kinds."""
        askers = (item for item in self.by_rule if item.looks_up_at is None or item.looks_up_at & kinds)
        return frozenset(kind for methods in askers for kind in methods.looks_up)

    def lane_of(self, kind: type[Payload], newest: dict[str, Event], *, is_looked_up: bool = False) -> Lane:
        """Give what a kind's events go through; ``newest`` has the newest reading of each thing under that kind."""
        key_of = reading_key if kind in COMPOUND_KINDS else None
        on_event, on_late, forward = (table.get(kind, ()) for table in (self.on_event, self.on_late, self.forward))

        def part(name: str | None, parts: Mapping[str, Lane]) -> Lane:
            indexes = {index for methods in (on_event, on_late, forward) for index in self._of(kind, name, methods)}
            takes_late = bool([*self._of(kind, name, on_late)])
            return Lane(newest, key_of, tuple(sorted(indexes)), takes_late, is_looked_up, parts, [])

        names = self._named if kind is Observation else ()
        return part(None, {name: part(name, {}) for name in names})

    def signal_lane_of(self, kind: type[Payload], to_rule: str | None) -> Lane:
        """Give what signals of a kind of events go through, those to one rule that one alone."""
        indexes = tuple(
            index
            for index, _ in self.on_signal.get(kind, ())
            if to_rule is None or self._evaluators[index].rule.rule_id == to_rule
        )
        return Lane({}, None, indexes, takes_late=False, is_looked_up=False, parts={}, items=[])

    def heard_kinds(self) -> dict[type[Payload], timedelta]:
        """Name the kinds of which all rules only ask whether anything comes, each with the shortest silence noticed."""
        found: dict[type[Payload], timedelta] = {}
        for kind in self.kinds - COMPOUND_KINDS:
            askers = [item for item in self._evaluators if kind in item.rule.condition.kinds]
            silences = [getattr(item, "shortest_silence", None) for item in askers]
            if (known := [silence for silence in silences if silence is not None]) and len(known) == len(silences):
                found[kind] = min(known)
        return found

    def count_for(self, index: int, kind: type[Payload], count: int, quantities: Mapping[str, int]) -> int:
        """Give how many of so many events of a kind are put to a rule; ``quantities`` says what observations are of."""
        observed = self.observed[index] if kind is Observation else None
        return count if observed is None else sum(quantities.get(name, 0) for name in observed)

    def quantities_of(self, events: Iterable[Event]) -> Mapping[str, int]:
        """Count observations by quantity, where any rule tells them apart."""
        if not self._named:
            return {}
        return Counter(event.data.quantity for event in events if isinstance(event.data, Observation))

    def _of(self, kind: type[Payload], name: str | None, methods: tuple[tuple[int, Method], ...]) -> Iterator[int]:
        """Give the rules among these that look at a kind or its quantity; None stands for one that no rule names."""
        for index, _ in methods:
            observed = self.observed[index] if kind is Observation else None
            if observed is None or name in observed:
                yield index

    def _of_rule(self, index: int) -> RuleMethods:
        evaluator = self._evaluators[index]
        tables = [
            {place: method for methods in table.values() for place, method in methods}
            for table in (self.on_event, self.on_late, self.on_signal)
        ]
        return RuleMethods(
            on_event=tables[0].get(index),
            on_late=tables[1].get(index),
            on_signal=tables[2].get(index),
            on_timer=self._wrap(index, evaluator.on_timer),
            forward={
                kind: method for kind, methods in self.forward.items() for place, method in methods if place == index
            },
            looks_up=tuple(evaluator.rule.condition.kinds) if getattr(evaluator, "looks_up_newest", False) else (),
            looks_up_at=getattr(evaluator, "looks_up_at", None),
        )

    def _sort(self, name: str) -> ByKind:
        by_kind: dict[type[Payload], list[tuple[int, Method]]] = {}
        for index, evaluator in enumerate(self._evaluators):
            method = getattr(evaluator, name, None)
            if method is not None:
                for kind in evaluator.rule.condition.kinds:
                    by_kind.setdefault(kind, []).append((index, self._wrap(index, method)))
        return {kind: tuple(methods) for kind, methods in by_kind.items()}

    def _sort_forward(self) -> ByKind:
        """Sort what rules send on. Of several that would send the same, the first is asked for all."""
        by_kind: dict[type[Payload], dict[object, tuple[int, Method]]] = {}
        for index, evaluator in enumerate(self._evaluators):
            if hasattr(evaluator, "forward"):
                method = self._wrap(index, evaluator.forward)
                shared = getattr(evaluator, "forwards", dict.fromkeys(evaluator.rule.condition.kinds, index))
                for kind, sender in shared.items():
                    by_kind.setdefault(kind, {}).setdefault(sender, (index, method))
        return {kind: tuple(senders.values()) for kind, senders in by_kind.items()}
