"""Trying a file on a feed: what each of its records becomes, and why not, without any log or store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from connectors.feed import Feed, Form, Outcome
from connectors.tables import keep_row, read_rows
from ioc.domain.events import Event, Parsed
from ioc.errors import MalformedPayloadError

_TABLES = frozenset({Form.CSV, Form.UCI_501, Form.NOAA_ISD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one record became; ``index`` counts records from 1. Neither events nor a refusal: it was ignored."""

    index: int
    raw: bytes
    events: Sequence[Event] = ()
    refusals: Sequence[str] = ()
    ignored_because: str | None = None


def try_feed(feed: Feed, payload: bytes, *, form: Form, received_at: datetime) -> Iterator[Trial]:
    """Give a file's records to a feed one after the other.

    Raises:
        MalformedPayloadError: nothing in the file can be read.
    """
    explained = feed.explain(payload, received_at=received_at, form=form)
    if explained is not None:
        yield from (_to_explained(feed, outcome) for outcome in explained)
        return
    index = 0
    for index, raw in enumerate(_cut(payload, form), 1):
        try:
            parsed = feed.parse(raw, received_at=received_at, form=form)
        except MalformedPayloadError as error:
            parsed = feed.bury(raw, error.reason)
        yield _to_trial(index, raw, parsed)
    rest = feed.flush()
    if rest.rejected:
        yield Trial(index=index + 1, raw=rest.rejected[0].raw, refusals=[record.reason for record in rest.rejected])


def _to_explained(feed: Feed, outcome: Outcome) -> Trial:
    events = list(outcome.events)
    feed.quality.judge(events)
    return Trial(
        index=outcome.index + 1,
        raw=outcome.raw,
        events=events,
        refusals=() if outcome.refusal is None else (outcome.refusal,),
        ignored_because=outcome.unlike,
    )


def _to_trial(index: int, raw: bytes, parsed: Parsed) -> Trial:
    nothing = not parsed.events and not parsed.rejected
    return Trial(
        index=index,
        raw=raw,
        events=parsed.events,
        refusals=[record.reason for record in parsed.rejected],
        ignored_because="sound, and nothing in it is for us" if nothing else None,
    )


def _cut(payload: bytes, form: Form) -> Iterator[bytes]:
    """Cut a payload into pieces that each hold one record, as far as it can be seen from outside."""
    if form in _TABLES:
        for row in read_rows(payload, needs=frozenset()):
            yield keep_row(payload, row.line)
    elif form in (Form.NDJSON, Form.NMEA):
        yield from (line for line in payload.splitlines() if line.strip())
    elif form is Form.JSON and payload.lstrip()[:1] == b"[":
        try:
            pieces = msgspec.json.decode(payload, type=list[msgspec.Raw])
        except msgspec.DecodeError:
            yield payload
        else:
            yield from (bytes(piece) for piece in pieces)
    else:
        yield payload
