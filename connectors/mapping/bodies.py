"""Payloads of any shape cut into records, each with bytes of its own that can be parsed again alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.feed import Form, ParseContext
from connectors.mapping.paths import AmbiguousError, Path, RepeatedKeys
from connectors.tables import keep_row, read_rows
from ioc.errors import MalformedPayloadError

_MOST_RECORDS = 100_000
_MOST_WRAPPING = 16_384
_HOLE = "\ue000record\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One record: ``raw`` holds it alone, in the form it came in; ``fault`` says why it cannot be looked into."""

    index: int
    record: Any
    root: Any
    raw: bytes
    fault: str | None = None


def cut(payload: bytes, context: ParseContext, records: Path | None) -> Iterator[Item]:
    """Cut a payload into its records.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    if context.form is Form.CSV:
        yield from _cut_rows(payload, context)
    elif context.form is Form.NDJSON:
        yield from _cut_lines(payload, records)
    else:
        yield from _cut_body(payload, records)


def _cut_rows(payload: bytes, context: ParseContext) -> Iterator[Item]:
    for row in read_rows(payload, needs=frozenset()):
        raw = keep_row(payload, row.line)
        if row.cells is None:
            yield Item(index=row.ordinal, record=None, root=None, raw=raw, fault="the row does not fit the header")
        else:
            cells = context.csv.apply(row.cells)
            yield Item(index=row.ordinal, record=cells, root=cells, raw=raw)


def _cut_lines(payload: bytes, records: Path | None) -> Iterator[Item]:
    index = 0
    for line in payload.split(b"\n"):
        raw = line.strip()
        if not raw:
            continue
        try:
            for item in _cut_body(raw, records):
                yield Item(index=index, record=item.record, root=item.root, raw=item.raw, fault=item.fault)
                index += 1
        except MalformedPayloadError as error:
            yield Item(index=index, record=None, root=None, raw=raw, fault=error.reason)
            index += 1


def _cut_body(payload: bytes, records: Path | None) -> Iterator[Item]:
    root = load_body(payload)
    try:
        found = root if records is None else records.find(root, root)
    except AmbiguousError as error:
        raise MalformedPayloadError("a key on the way to the records came twice") from error
    if not isinstance(found, list | dict):
        where = "the body" if records is None else f"what lies at {records.text}"
        raise MalformedPayloadError(f"{where} is neither a list nor an object")
    if isinstance(found, list) and len(found) > _MOST_RECORDS:
        raise MalformedPayloadError(f"more than {_MOST_RECORDS} records")
    before, after = (b"", b"") if records is None else _wrap(root, records)
    for index, record in enumerate(found if isinstance(found, list) else [found]):
        is_sound = isinstance(record, dict)
        yield Item(
            index=index,
            record=record if is_sound else None,
            root=root,
            raw=before + _write(record) + after,
            fault=None if is_sound else "not an object",
        )


def _wrap(root: Any, records: Path) -> tuple[bytes, bytes]:
    """Give the body around a single record: what lies beside the list stays, as far as it is not large."""
    for keeps_all in (True, False):
        written = _write(_with_hole(root, records.parts, keeps_all=keeps_all))
        if len(written) <= _MOST_WRAPPING:
            break
    before, _, after = written.partition(_write(_HOLE))
    return before, after


def _with_hole(value: Any, parts: tuple[str, ...], *, keeps_all: bool) -> Any:
    if not parts:
        return [_HOLE]
    if isinstance(value, list):
        # A path through a list goes on behind one place of it; the others lead nowhere.
        place = int(parts[0])
        return [None] * place + [_with_hole(value[place], parts[1:], keeps_all=keeps_all)]
    kept = {name: inside for name, inside in value.items() if keeps_all or not isinstance(inside, dict | list | str)}
    return {**kept, parts[0]: _with_hole(value[parts[0]], parts[1:], keeps_all=keeps_all)}


def load_body(payload: bytes) -> Any:
    """Read JSON; an object that names a key twice is told apart.

    Raises:
        MalformedPayloadError: it is none.
    """
    try:
        return json.loads(payload, object_pairs_hook=_to_object, parse_int=_to_int)
    except RecursionError as error:
        raise MalformedPayloadError("nested too deeply") from error
    except UnicodeDecodeError as error:
        raise MalformedPayloadError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise MalformedPayloadError(f"not JSON: {error.msg} at character {error.pos}") from error
    except ValueError as error:
        raise MalformedPayloadError("not JSON: a number that is none") from error


def _write(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError as error:
        raise MalformedPayloadError("nested too deeply") from error


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedKeys(found)


def _to_int(text: str) -> int | float:
    """Read a whole number; one of hundreds of digits costs its own record only, not the body around it."""
    return int(text) if len(text) <= 300 else float("inf")
