"""One alert in several groups: where the same people would be told of it twice, one group leaves it to the other.

That happens where a severity rises into another route, and where routes that go on name a department again. A group
leaves an alert to another one that tells all of its departments, and more of them or also of ends; of two that tell the
same to the one that has told it, or else to the one whose route comes first. What its departments were told by it, it
leaves only when the other one has told them as well: nobody's knowledge of an alert is given up.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from alerts.notification.policy import Policy, walk


class Cover(enum.Enum):
    """What a group does with an alert that another one tells its departments."""

    LEAVE = enum.auto()
    """It is told there: this group has no more to say of it."""
    AWAIT = enum.auto()
    """It will be told there; this group keeps what its departments know of it, and tells no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another group with the same alert: its route, whom it tells, and whether it has told them that it holds."""

    route_id: str
    departments: frozenset[str]
    has_told: bool


class Covering:
    """Finds which alerts a group leaves to others, by the routes of a policy."""

    def __init__(self, policy: Policy) -> None:
        self._places = {route.route_id: place for place, (route, _) in enumerate(walk(policy.root))}
        self._without_ends = {route.route_id for route, _ in walk(policy.root) if not route.wants_ends}

    def find(
        self,
        route_id: str,
        departments: Collection[str],
        elsewhere: Mapping[UUID, Sequence[Elsewhere]],
        told: Collection[UUID],
    ) -> dict[UUID, Cover]:
        """Give what a group does with its alerts that are in other groups as well.

        Args:
            route_id: the group's route.
            departments: whom it tells.
            elsewhere: by alert, in which groups it is besides.
            told: the alerts of which it has told its departments that they hold.
        """
        mine = frozenset(departments)
        found: dict[UUID, Cover] = {}
        for alert_id, others in elsewhere.items():
            covers = [
                cover
                for other in others
                if (cover := self._judge(route_id, mine, other, has_told=alert_id in told)) is not None
            ]
            if covers:
                found[alert_id] = Cover.LEAVE if Cover.LEAVE in covers else Cover.AWAIT
        return found

    def _judge(self, route_id: str, mine: frozenset[str], other: Elsewhere, *, has_told: bool) -> Cover | None:
        if not mine <= other.departments or other.route_id not in self._places:
            return None
        tells_ends = other.route_id not in self._without_ends
        if not tells_ends and route_id not in self._without_ends:
            return None
        tells_more = mine < other.departments or (tells_ends and route_id in self._without_ends)
        if has_told:
            if not tells_more:
                return None
            return Cover.LEAVE if other.has_told else Cover.AWAIT
        comes_first = self._places[other.route_id] < self._places.get(route_id, len(self._places))
        return Cover.LEAVE if other.has_told or tells_more or comes_first else None
