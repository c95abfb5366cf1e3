"""Events through an engine whose process dies at some places and takes over what was kept, as a worker's does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from alerts.engine.stepping import Engine, Step
from alerts.rulebook.book import Rulebook
from alerts.world import World
from ioc.domain.alert_machines import decide_condition
from ioc.domain.alerts import Alert, AlertChange, StateKey
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Payload

EVENTS, SIGNALS = "events", "signals"


def make_event(asset_id: str, data: Payload, at: datetime, *, delay_s: float = 0.0, **place) -> Event:
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND), feed_id="test", asset_id=asset_id, observed_at=at,
        received_at=at + timedelta(seconds=delay_s), data=data, **place,
    )  # fmt: skip


class Lives:
    """An engine, what is kept of it, and what it said; ``die`` leaves nothing but what is kept."""

    def __init__(self, rules: Rulebook, world: World, *, may_fail: bool = False) -> None:
        self._rules, self._world, self._may_fail = rules, world, may_fail
        self.engine = Engine(rules, world)
        self.changes: list[AlertChange] = []
        self.state: dict[str, dict[StateKey, bytes]] = {EVENTS: {}, SIGNALS: {}}
        self._seen: dict[tuple[type[Payload], str], Event] = {}

    def take(self, event: Event) -> None:
        step = self.engine.step(EVENTS, [event])
        known = self._seen.get((type(event.data), event.asset_id))
        if known is None or known.observed_at < event.observed_at:
            self._seen[type(event.data), event.asset_id] = event
        self._settle(step, event.received_at)

    def wait(self, now: datetime) -> None:
        self._settle(self.engine.advance(EVENTS, now), now)

    def die(self) -> None:
        self.engine = Engine(self._rules, self._world)
        self.engine.restore(EVENTS, self.state[EVENTS], list(self._seen.values()))
        self.engine.restore(SIGNALS, self.state[SIGNALS], [])

    def change_rules(self, rules: Rulebook) -> None:
        """Go on with other rules, as a worker does between two batches."""
        made = Engine(rules, self._world)
        for partition, kept in self.state.items():
            made.inherit(partition, kept, self.engine)
        self.engine, self._rules = made, rules

    def _settle(self, step: Step, now: datetime) -> None:
        self._keep(EVENTS, step)
        signals = sorted(step.signals, key=lambda signal: (signal.event.received_at, signal.scope))
        self._keep(SIGNALS, self.engine.step(SIGNALS, signals))
        self._keep(SIGNALS, self.engine.advance(SIGNALS, now))

    def _keep(self, partition: str, step: Step) -> None:
        assert self._may_fail or step.rule_errors == []
        self.changes.extend(step.changes)
        for key, value in step.state.items():
            if value is None:
                self.state[partition].pop(key, None)
            else:
                self.state[partition][key] = value


def play(lives: Lives, *streams: Iterable[Event]) -> Lives:
    """Put the events of some streams through, in the order of their arrival."""
    for event in sorted(chain(*streams), key=lambda event: event.received_at):
        lives.take(event)
    return lives


def find_open(changes: Iterable[AlertChange]) -> list[Alert]:
    """Give the alerts that stand open once a store has taken every change in."""
    known: dict[UUID, Alert] = {}
    for change in changes:
        for alert in decide_condition(known.get(change.alert_id), change):
            known[alert.alert_id] = alert
    return [alert for alert in known.values() if alert.ended_at is None]


def run(rules: Rulebook, world: World, events: Sequence[Event], cuts: frozenset[int] = frozenset()) -> Lives:
    """Run events through, cut before the places given."""
    lives = Lives(rules, world)
    for place, event in enumerate(events):
        if place in cuts:
            lives.die()
        lives.take(event)
    return lives
