"""Which rules look at which kind of event and quantity, method by method: found once, not at every event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from alerts.conditions.leveled import COMPOUND_KINDS, reading_key
from ioc.domain.events import Event
from ioc.domain.kinds import Observation, Payload

Method = Callable[..., Any]
ByKind = dict[type[Payload], tuple[tuple[int, Method], ...]]
"""For a kind, the methods of the rules that look at it, each with its rule's place, in the order of the rulebook."""


class Lane(NamedTuple):
    """What events of one kind go through in one step: the newest reading of each thing, and the rules' methods.

    ``key_of`` tells things apart where the asset alone does not. ``parts`` has the lanes of the quantities that
    some rule names, where a kind reports any; what no rule names goes on in this one.
    """

    newest: dict[str, Event]
    key_of: Callable[[Event], str] | None
    on_event: tuple[tuple[int, Method], ...]
    on_late: tuple[tuple[int, Method], ...]
    forward: tuple[tuple[int, Method], ...]
    parts: Mapping[str, Lane]

    def of(self, event: Event) -> Lane:
        """Give the lane of an event's own quantity."""
        return self.parts.get(event.data.quantity, self) if isinstance(event.data, Observation) else self


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
        self.on_timer = [wrap(index, evaluator.on_timer) for index, evaluator in enumerate(evaluators)]
        self.kinds = frozenset({*self.on_event, *self.on_late, *self.forward})
        """The kinds of events that some rule looks at."""

    def lane_of(self, kind: type[Payload], newest: dict[str, Event]) -> Lane:
        """Give what a kind's events go through; ``newest`` has the newest reading of each thing under that kind."""
        key_of = reading_key if kind in COMPOUND_KINDS else None
        on_event, on_late, forward = (table.get(kind, ()) for table in (self.on_event, self.on_late, self.forward))
        if kind is not Observation or not self._named:
            return Lane(newest, key_of, on_event, on_late, forward, {})

        def part(name: str | None, parts: Mapping[str, Lane]) -> Lane:
            methods = (self._of(name, on_event), self._of(name, on_late), self._of(name, forward))
            return Lane(newest, key_of, *methods, parts)

        return part(None, {name: part(name, {}) for name in self._named})

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

    def _of(self, name: str | None, methods: tuple[tuple[int, Method], ...]) -> tuple[tuple[int, Method], ...]:
        """Give the methods of the rules that look at a quantity; None stands for one that no rule names."""
        return tuple(
            (index, method)
            for index, method in methods
            if (observed := self.observed[index]) is None or name in observed
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
