"""What the log holds and nobody can read becomes a dead letter like any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ioc.domain.events import DeadLetter
from ioc.domain.ids import dead_letter_id
from ioc.ports import Slice


def bury_undecodable(part: Slice, *, received_at: datetime) -> Iterator[DeadLetter]:
    """Make dead letters of a slice's unreadable records, named by their place on the log."""
    for offset, raw, reason in part.undecodable:
        place = f"{part.partition.topic}/{part.partition.partition}/{offset}"
        yield DeadLetter(
            dead_letter_id=dead_letter_id(place, offset, raw),
            feed_id="log",
            received_at=received_at,
            reason=reason,
            raw=raw,
            source=place,
        )
