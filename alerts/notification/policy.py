"""The policy: a tree of routes from labels to departments, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_URL, UUID, uuid5

from alerts.notification.escalation import Ladder
from alerts.notification.flood import FloodLimits
from alerts.notification.grouping import Timing
from alerts.notification.holds import MaintenanceWindow
from alerts.notification.inhibition import Inhibition
from alerts.notification.labels import Labels
from alerts.notification.matchers import Matchers
from ioc.domain.alerts import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A branch of the tree: what it takes, whom it tells, and what it tells together.

    ``goes_on`` lets the routes after it have the alert as well; ``ladder_id`` names what an alert climbs that nobody
    acknowledges. ``wants_ends``: its departments are told that an alert has ended.
    """

    route_id: str
    matchers: Matchers = field(default_factory=Matchers)
    departments: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    goes_on: bool = False
    ladder_id: str | None = None
    wants_ends: bool = True
    children: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One route that was looked at, its depth in the tree, and what refused the alert; None: it was let in."""

    route_id: str
    depth: int
    refused_by: str | None


@dataclass(frozen=True, slots=True)
class Routed:
    """Where an alert goes: a route and the group that it is told with."""

    route: Route
    labels: Labels

    @property
    def group_labels(self) -> dict[str, str]:
        """What all members of the group have in common."""
        return {name: self.labels.get(name, "") for name in sorted(self.route.group_by)}

    @property
    def group_key(self) -> str:
        """Name of the group: the route and the common labels."""
        return self.route.route_id + "".join(f"|{name}={value}" for name, value in self.group_labels.items())

    @property
    def group_id(self) -> UUID:
        """Id of the group, the same wherever it is computed."""
        return uuid5(NAMESPACE_URL, f"ioc:group:{self.group_key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A test that stands in the policy file: labels, and the routes that they must reach."""

    name: str
    labels: Labels
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides who is told what and when. ``timing`` is by severity."""

    root: Route
    timing: Mapping[Severity, Timing]
    flood: FloodLimits = field(default_factory=FloodLimits)
    inhibitions: tuple[Inhibition, ...] = ()
    windows: tuple[MaintenanceWindow, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    tests: tuple[Expectation, ...] = ()

    def route(self, labels: Labels) -> list[Routed]:
        """Give every place that an alert with these labels goes to; there is always one."""
        return [Routed(route, labels) for route in _descend(self.root, labels, 0, [])]

    def explain(self, labels: Labels) -> list[Step]:
        """Give every route that was looked at, in the order of looking."""
        steps: list[Step] = []
        _descend(self.root, labels, 0, steps)
        return steps

    def find_route(self, route_id: str) -> Route | None:
        """Give a route by its name; None for one that is no longer there."""
        return next((route for route, _ in walk(self.root) if route.route_id == route_id), None)

    def timing_of(self, route_id: str) -> Mapping[Severity, Timing]:
        """Give the waits of a route's groups, by severity."""
        route = self.find_route(route_id)
        if route is None or route.wants_ends:
            return self.timing
        return {severity: replace(timing, send_resolved=False) for severity, timing in self.timing.items()}

    @property
    def departments(self) -> frozenset[str]:
        """Everybody whom some route or ladder may tell."""
        named = {name for route, _ in walk(self.root) for name in route.departments}
        return frozenset(named.union(*(level.departments for ladder in self.ladders for level in ladder.levels)))

    def is_on_ladder(self, labels: Labels, ladder_id: str) -> bool:
        """Whether an alert with these labels goes to a route with this ladder."""
        return any(item.route.ladder_id == ladder_id for item in self.route(labels))

    def find_ladder(self, ladder_id: str | None) -> Ladder | None:
        """Give a ladder by its name."""
        return next((ladder for ladder in self.ladders if ladder.ladder_id == ladder_id), None)


def walk(route: Route, depth: int = 0) -> Iterator[tuple[Route, int]]:
    """Give every route of a tree with its depth, parents first."""
    yield route, depth
    for child in route.children:
        yield from walk(child, depth + 1)


def _descend(route: Route, labels: Labels, depth: int, steps: list[Step]) -> list[Route]:
    refusal = route.matchers.why_not(labels)
    steps.append(Step(route.route_id, depth, refusal))
    if refusal is not None:
        return []
    found: list[Route] = []
    for child in route.children:
        taken = _descend(child, labels, depth + 1, steps)
        found += taken
        if taken and not child.goes_on:
            break
    return found or [route]
