"""What a decision rests on besides the readings that it names, from what is stored, by the rule's own limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from alerts.inquiry.asking import Fact
from ioc.domain.events import Event
from ioc.domain.grounds import Part


class Look(NamedTuple):
    """Readings of an asset to look for: the newest ``limit`` after one instant up to and with another.

    Both are of the source's time. Without an asset they are of all, each one's newest.
    """

    kind: str
    asset_id: str | None
    after: datetime
    until: datetime
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGrounds:
    """What a condition asked for at a decision, part by part, and what is worth knowing beside, as it is found again.

    ``events`` are the readings that it rests on; ``missing`` names what was looked for and is not stored any more.
    """

    parts: Sequence[Part]
    facts: Mapping[str, Fact]
    events: Sequence[Event] = ()
    missing: Sequence[str] = field(default=())


class Basis(Protocol):
    """Finds the grounds of one decision of one condition."""

    def looks(self) -> Sequence[Look]:
        """Say what to read."""
        ...

    def find(self, events: Sequence[Event]) -> FoundGrounds:
        """Give the grounds from what was read of all that had come by the decision, in the order of arrival."""
        ...
