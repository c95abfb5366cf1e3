"""Which rules look at which kind of event, method by method: found once, not at every event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from alerts.conditions.leveled import COMPOUND_KINDS, reading_key
from ioc.domain.events import Event
from ioc.domain.kinds import Payload

Method = Callable[..., Any]
ByKind = dict[type[Payload], tuple[tuple[int, Method], ...]]
"""For a kind, the methods of the rules that look at it, each with its rule's place, in the order of the rulebook."""


class Lane(NamedTuple):
    """What events of one kind go through in one step: the newest reading of each thing, and the rules' methods.

    ``key_of`` tells things apart where the asset alone does not.
    """

    newest: dict[str, Event]
    key_of: Callable[[Event], str] | None
    on_event: tuple[tuple[int, Method], ...]
    on_late: tuple[tuple[int, Method], ...]
    forward: tuple[tuple[int, Method], ...]


def _as_it_is(index: int, method: Method) -> Method:
    return method


class Dispatch:
    """The methods of evaluators by kind. ``wrap`` may put something around each, such as a stopwatch."""

    def __init__(self, evaluators: Sequence[Any], wrap: Callable[[int, Method], Method] = _as_it_is) -> None:
        self._evaluators, self._wrap = evaluators, wrap
        self.on_event = self._sort("on_event")
        self.on_late = self._sort("on_late")
        self.forward = self._sort_forward()
        self.on_signal = self._sort("on_signal")
        self.on_timer = [wrap(index, evaluator.on_timer) for index, evaluator in enumerate(evaluators)]
        self.kinds = frozenset({*self.on_event, *self.on_late, *self.forward})
        """The kinds of events that some rule looks at."""

    def lane_of(self, kind: type[Payload], newest: dict[str, Event]) -> Lane:
        """Give what a kind's events go through; ``newest`` has the newest reading of each thing under that kind."""
        return Lane(
            newest, reading_key if kind in COMPOUND_KINDS else None,
            self.on_event.get(kind, ()), self.on_late.get(kind, ()), self.forward.get(kind, ()),
        )  # fmt: skip

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
