"""JSON bodies of wire records: read as a whole when they are sound, record by record when they are not.

The quick way decodes the list in one step. Its result counts only if the body provably holds no repeated and no unknown
key; else each record is cut out of the text and judged alone, so that one broken record costs nobody else anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Generic, NamedTuple, TypeVar, get_type_hints

import msgspec

from connectors.feed import Form, ParseContext
from connectors.tables import keep_row, read_rows
from connectors.values import RefusedRecordError
from ioc.domain.events import Event, Parsed, Rejected
from ioc.errors import MalformedPayloadError

R = TypeVar("R", bound=msgspec.Struct)

_SPACE = " \t\r\n"
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VALUE = re.compile(r"Invalid (enum )?value .*?(?= - at |$)")


@dataclass(slots=True)
class Reading(Generic[R]):
    """What a body held: sound records, and those that no wire type fits. After the quick way ``raws`` is None."""

    records: list[R] = field(default_factory=list)
    places: list[int] | None = None
    raws: list[bytes] | None = None
    body: bytes = b""
    rejected: list[Rejected] = field(default_factory=list)

    def keep(self, raw: bytes, place: int) -> None:
        """Keep the bytes and the place of the record that was just added."""
        if self.raws is not None and self.places is not None:
            self.raws.append(raw)
            self.places.append(place)

    def reject(self, ordinal: int, reason: str) -> Rejected:
        """Make the dead letter of the sound record number ``ordinal`` that its meaning made impossible."""
        if self.raws is None:
            # The quick way keeps no bytes; the body is known to be sound, so cutting it again is cheap and rare.
            self.raws = _cut_sound(self.body)
        raw = self.raws[ordinal]
        return Rejected(raw=raw, reason=reason, index=ordinal if self.places is None else self.places[ordinal])


class RecordReader(Generic[R]):
    """Reads a JSON list, a single JSON object or NDJSON of the given wire records.

    ``types`` maps the value of the records' ``type`` key to their class, None standing for records without one. The
    quick way knows ``quick``; other types take the careful way. Every class lists all the keys that it may have.
    """

    def __init__(self, types: Mapping[str | None, type[R]], *, quick: type[R] | UnionType) -> None:
        self._quick: msgspec.json.Decoder[list[R]] = msgspec.json.Decoder(list[quick])  # type: ignore[valid-type]
        self._quick_lines: msgspec.json.Decoder[R] = msgspec.json.Decoder(quick)
        self._hidden_keys = {record: int(record.__struct_config__.tag is not None) for record in types.values()}
        self._types = dict(types)
        self._decoders = {name: msgspec.json.Decoder(record) for name, record in types.items()}
        self._numbers = {name: _numeric_keys(record) for name, record in types.items()}

    def read(self, body: bytes, *, lines: bool = False) -> Reading[R]:
        """Read a body; with ``lines`` each line is one record.

        Raises:
            MalformedPayloadError: the body as a whole is no JSON (single lines of NDJSON are rejected alone).
        """
        quick = self._read_quickly(body, lines=lines)
        if quick is not None:
            return Reading(records=quick, body=body)
        reading: Reading[R] = Reading(places=[], raws=[])
        pieces = _cut_lines(body) if lines else _cut_list(body)
        for index, piece in enumerate(pieces):
            self._read_piece(reading, index, piece)
        return reading

    def parse(
        self, payload: bytes, context: ParseContext, to_events: Callable[[R, ParseContext], list[Event]]
    ) -> Parsed:
        """Read a body in the context's form and make events of its records; what ``to_events`` refuses is rejected.

        Raises:
            MalformedPayloadError: nothing in the payload can be read.
        """
        if context.form is Form.CSV:
            reading = self.read_csv(payload, context)
        else:
            reading = self.read(payload, lines=context.form is Form.NDJSON)
        events: list[Event] = []
        for ordinal, record in enumerate(reading.records):
            try:
                events.extend(to_events(record, context))
            except RefusedRecordError as refusal:
                reading.rejected.append(reading.reject(ordinal, str(refusal)))
        return Parsed(events=events, rejected=reading.rejected)

    def read_csv(self, payload: bytes, context: ParseContext) -> Reading[R]:
        """Read CSV whose columns are, or are mapped to, the wire keys; the column ``type`` chooses the record.

        Raises:
            MalformedPayloadError: the payload has no header.
        """
        reading: Reading[R] = Reading(places=[], raws=[])
        for row in read_rows(payload, needs=frozenset()):
            raw = keep_row(payload, row.line)
            try:
                if row.cells is None:
                    raise RefusedRecordError("the row does not fit the header")
                record = self._to_record(context.csv.apply(row.cells))
            except (RefusedRecordError, msgspec.ValidationError) as error:
                reading.rejected.append(Rejected(raw=raw, reason=_explain(error), index=row.ordinal))
            else:
                reading.records.append(record)
                reading.keep(raw, row.ordinal)
        return reading

    def _to_record(self, cells: Mapping[str, str]) -> R:
        kind = cells.get("type")
        if kind not in self._types:
            raise RefusedRecordError("unknown type of record")
        numbers = self._numbers[kind]
        values = {key: _to_cell(cell) if key in numbers else cell for key, cell in cells.items()}
        return msgspec.convert(values, self._types[kind], strict=False)

    def _read_quickly(self, body: bytes, *, lines: bool) -> list[R] | None:
        """Decode the body in one step, or give None when it must be looked at record by record.

        Without a backslash and without space before a colon each key ends in the two bytes ``":``. So if there are
        no more of these than known keys were found, then no key came twice and none was unknown.
        """
        if b"\\" in body or b" :" in body or b"\t:" in body or b"\n:" in body or b"\r:" in body:
            return None
        try:
            if lines:
                records = self._quick_lines.decode_lines(body)
            elif body[:1] == b"{":
                records = [self._quick_lines.decode(body)]
            else:
                records = self._quick.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        known_count = 0
        hidden = self._hidden_keys
        for record in records:
            values = msgspec.structs.astuple(record)
            known_count += len(values) - values.count(msgspec.UNSET) + hidden[record.__class__]
        return records if body.count(b'":') == known_count else None

    def _read_piece(self, reading: Reading[R], index: int, piece: _Piece) -> None:
        try:
            if piece.fault is not None:
                raise MalformedPayloadError(piece.fault)
            decoder = self._decoders.get(piece.type)
            if decoder is None:
                raise MalformedPayloadError("unknown type of record")
            record = decoder.decode(piece.raw)
        except MalformedPayloadError as error:
            reading.rejected.append(Rejected(raw=piece.raw, reason=error.reason, index=index))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reading.rejected.append(Rejected(raw=piece.raw, reason=_explain(error), index=index))
        else:
            reading.records.append(record)
            reading.keep(piece.raw, index)


class _Piece(NamedTuple):
    raw: bytes
    type: str | None
    fault: str | None


class _KeyWatch:
    """Notes repeated keys while the standard decoder walks over a record; numbers are not converted here."""

    def __init__(self) -> None:
        self._repeated: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._note, parse_int=_skip, parse_float=_skip, parse_constant=_skip
        )

    def cut(self, text: str, start: int) -> tuple[_Piece, int]:
        """Cut the value that begins at ``start``; give it and the place behind it."""
        self._repeated = None
        value, end = self._decoder.raw_decode(text, start)
        fault = None if self._repeated is None else f"repeated key {_quote(self._repeated)}"
        kind = value.get("type") if isinstance(value, dict) else None
        if kind is not None and not isinstance(kind, str):
            fault, kind = fault or "type is not a text", None
        return _Piece(text[start:end].encode("utf-8", "surrogatepass"), kind, fault), end

    def _note(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs) and self._repeated is None:
            seen: set[str] = set()
            self._repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return found


def _cut_list(body: bytes) -> Iterator[_Piece]:
    try:
        text = body.decode("utf-8")
        return iter(_cut_text(text))
    except UnicodeDecodeError as error:
        raise MalformedPayloadError(_explain(error)) from error
    except RecursionError as error:
        raise MalformedPayloadError(_explain(error)) from error
    except ValueError as error:
        raise MalformedPayloadError(f"not JSON: {_explain(error)}") from error


def _cut_text(text: str) -> list[_Piece]:
    watch = _KeyWatch()
    at = _skip_space(text, 0)
    if text[at : at + 1] != "[":
        piece, at = watch.cut(text, at)
        _expect_end(text, at)
        return [piece]
    pieces: list[_Piece] = []
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return pieces
    while True:
        piece, at = watch.cut(text, at)
        pieces.append(piece)
        at = _skip_space(text, at)
        mark = text[at : at + 1]
        if mark == "]":
            _expect_end(text, at + 1)
            return pieces
        if mark != ",":
            raise ValueError(f"expected ',' or ']' at character {at}")
        at = _skip_space(text, at + 1)


def _cut_lines(body: bytes) -> Iterator[_Piece]:
    watch = _KeyWatch()
    for line in body.split(b"\n"):
        raw = line.strip()
        if not raw:
            continue
        try:
            text = raw.decode("utf-8")
            piece, end = watch.cut(text, 0)
            _expect_end(text, end)
        except (ValueError, RecursionError) as error:
            piece = _Piece(raw, None, _explain(error))
        yield piece


def _numeric_keys(record: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(record)
    return frozenset(name for name in record.__struct_fields__ if "float" in str(hints[name]))


def _to_cell(cell: str) -> float | str:
    """Read a cell of a measured column as a number where it is one; "NaN" and "inf" are none."""
    try:
        return float(cell) if cell.strip().lower().lstrip("+-")[:1] not in ("n", "i") else cell
    except ValueError:
        return cell


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    return at


def _expect_end(text: str, at: int) -> None:
    if _skip_space(text, at) != len(text):
        raise ValueError(f"more text behind the value at character {at}")


def _cut_sound(body: bytes) -> list[bytes]:
    """Cut a list, an object or lines that the quick way has read."""
    if body.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    return [bytes(raw) for raw in msgspec.json.Decoder(msgspec.Raw).decode_lines(body)]


def _skip(_: str) -> int:
    return 0


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return _VALUE.sub("not one of the allowed values", str(error))[:300]


def _quote(key: str) -> str:
    """Show a sender's key only where it looks like one of ours: reasons carry no personal data."""
    return repr(key) if _KEY.fullmatch(key) else "of an unusual form"
