"""What a replay makes of recorded events before they are played: seek, filter, other times."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from ioc.domain.events import Event
from ioc.domain.ids import repeated_event_id
from ioc.recordings.selection import Selection

ROUND_GAP = timedelta(seconds=1)
"""Between the last event of one round and the first of the next."""

Mapped = Callable[[datetime], datetime]


class Times(enum.StrEnum):
    """Whether events keep their times, or move so that the first is now."""

    ORIGINAL = "original"
    NOW = "now"


class Staging:
    """Takes recorded events in the order of their arrival and gives those that are to be played, with their times.

    Args:
        selection: which events are played.
        seek: how far into the recording the play begins, or the instant.
        begin_at: when the first event is to arrive; None leaves the first round's times as they are.
        speed: recorded time to played time, where times are squeezed (live); 1 keeps the distances.
    """

    def __init__(
        self,
        *,
        selection: Selection | None = None,
        seek: timedelta | datetime | None = None,
        begin_at: datetime | None = None,
        speed: float = 1.0,
    ) -> None:
        self._selection, self._seek, self._begin_at, self._speed = selection or Selection(), seek, begin_at, speed
        self._first_at: datetime | None = None
        self._mapped: Mapped | None = None
        self._last_at: datetime | None = None
        self.skipped_count = 0
        self.filtered_count = 0

    def begin_round(self) -> None:
        """Begin the recording anew: its events follow those that were played."""
        if self._last_at is not None:
            self._begin_at = self._last_at + ROUND_GAP
            self._first_at = self._mapped = None

    def take(self, events: Sequence[Event]) -> list[Event]:
        """Give what is to be played of the next events."""
        played = []
        for event in events:
            if self._first_at is None:
                self._first_at = event.received_at
            if self._is_before_seek(event.received_at, self._first_at):
                self.skipped_count += 1
            elif not self._selection.takes(event):
                self.filtered_count += 1
            else:
                played.append(self._move(event))
        if played:
            self._last_at = played[-1].received_at
        return played

    def _is_before_seek(self, at: datetime, first_at: datetime) -> bool:
        if isinstance(self._seek, timedelta):
            return at < first_at + self._seek
        return self._seek is not None and at < self._seek

    def _move(self, event: Event) -> Event:
        if self._begin_at is None:
            return event
        if self._mapped is None:
            self._mapped = _to_mapping(event.received_at, self._begin_at, self._speed)
        moved = self._mapped
        observed_at = moved(event.observed_at)
        return msgspec.structs.replace(
            event,
            event_id=repeated_event_id(event.event_id, observed_at),
            observed_at=observed_at,
            received_at=moved(event.received_at),
            data=_move_payload(event, moved),
        )


def _to_mapping(first_at: datetime, begin_at: datetime, speed: float) -> Mapped:
    if speed == 1.0:
        shift = begin_at - first_at
        return lambda at: at + shift
    return lambda at: begin_at + (at - first_at) / speed


def _move_payload(event: Event, moved: Mapped) -> msgspec.Struct:
    """Move the instants that a payload tells (due times, onsets) along, and its days by whole days."""
    data = event.data
    days = timedelta(days=round((moved(event.observed_at) - event.observed_at) / timedelta(days=1)))
    changed: dict[str, datetime | date] = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, datetime):
            changed[name] = moved(value)
        elif isinstance(value, date):
            changed[name] = value + days
    return msgspec.structs.replace(data, **changed) if changed else data
