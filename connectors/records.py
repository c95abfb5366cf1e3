"""JSON bodies of wire records: read as a whole when they are sound, record by record when they are not.

The quick way decodes the list in one step. Its result counts only if the body provably holds no repeated and no unknown
key; else each record is cut out of the text and judged alone, so that one broken record costs nobody else anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Generic, TypeVar, get_type_hints

import msgspec

from connectors.feed import Form, ParseContext
from connectors.record_pieces import Piece, cut_lines, cut_list, cut_sound, explain
from connectors.tables import keep_row, read_rows
from connectors.values import RefusedRecordError
from ioc.domain.events import Event, Parsed, Rejected
from ioc.errors import MalformedPayloadError

R = TypeVar("R", bound=msgspec.Struct)


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
            self.raws = cut_sound(self.body)
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
        pieces = cut_lines(body) if lines else cut_list(body)
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
                reading.rejected.append(Rejected(raw=raw, reason=explain(error), index=row.ordinal))
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

    def _read_piece(self, reading: Reading[R], index: int, piece: Piece) -> None:
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
            reading.rejected.append(Rejected(raw=piece.raw, reason=explain(error), index=index))
        else:
            reading.records.append(record)
            reading.keep(piece.raw, index)


def _numeric_keys(record: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(record)
    return frozenset(name for name in record.__struct_fields__ if "float" in str(hints[name]))


def _to_cell(cell: str) -> float | str:
    """Read a cell of a measured column as a number where it is one; "NaN" and "inf" are none."""
    try:
        return float(cell) if cell.strip().lower().lstrip("+-")[:1] not in ("n", "i") else cell
    except ValueError:
        return cell
