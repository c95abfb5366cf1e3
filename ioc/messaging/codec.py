"""How items lie on the log: MessagePack arrays behind one byte that says by which schema they were written.

A **record** is one item (Kafka: one message). A **block** is a list of items written together (the embedded log: one
row); one version byte covers all of its records, because one process wrote them in one go. A block is read in one step
when it is sound, and record by record when something in it is not: a broken record never takes its neighbours along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ioc.ports import LogItem, Topic, type_of_topic

VERSION: Final = 1
"""Schema of what is written now. New fields at a Struct's end keep it; any other change of shape raises it."""

_VERSION_BYTE: Final = bytes([VERSION])

_encoder = msgspec.msgpack.Encoder()
_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw])
_record_decoders: Mapping[Topic, msgspec.msgpack.Decoder[LogItem]] = {
    topic: msgspec.msgpack.Decoder(kind) for topic, kind in type_of_topic.items()
}
_block_decoders: Mapping[Topic, msgspec.msgpack.Decoder[list[LogItem]]] = {
    topic: msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]  # the classes of the port's table
    for topic, kind in type_of_topic.items()
}

Undecodable = tuple[int, bytes, str]
"""Offset, raw bytes with their version byte, reason."""


@dataclass(slots=True)
class Decoded:
    """What a read made of records: the sound ones, and the others with place, bytes and reason."""

    items: list[LogItem] = field(default_factory=list)
    undecodable: list[Undecodable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items) + len(self.undecodable)


def encode_record(item: LogItem) -> bytes:
    """Write one item."""
    return _VERSION_BYTE + _encoder.encode(item)


def encode_block(items: Sequence[LogItem]) -> bytearray:
    """Write items as one block."""
    block = bytearray(_VERSION_BYTE)
    _encoder.encode_into(items, block, 1)
    return block


def decode_records(topic: Topic, records: Iterable[tuple[int, bytes | None]]) -> Decoded:
    """Read records given as (offset, bytes)."""
    decoded = Decoded()
    decode, keep = _record_decoders[topic].decode, decoded.items.append
    for offset, raw in records:
        try:
            # An empty record has no version: it is refused below like an unknown one.
            if not raw or raw[0] != VERSION:
                decoded.undecodable.append((offset, raw or b"", _foreign(raw)))
            else:
                keep(decode(memoryview(raw)[1:]))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError) as error:
            decoded.undecodable.append((offset, raw or b"", str(error)))
    return decoded


def decode_block(topic: Topic, block: bytes, *, first_offset: int, skip: int = 0, take: int | None = None) -> Decoded:
    """Read a block, without its first ``skip`` items and at most ``take`` of the rest.

    ``first_offset`` is the offset of the block's first item. A block whose framing itself is broken is reported once,
    with all its bytes.
    """
    stop = None if take is None else skip + take
    if not block or block[0] != VERSION:
        return Decoded(undecodable=[(first_offset + skip, block, _foreign(block))])
    body = memoryview(block)[1:]
    try:
        return Decoded(items=_block_decoders[topic].decode(body)[skip:stop])
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError):
        pass
    try:
        raws = _raw_list.decode(body)[skip:stop]
    except (msgspec.MsgspecError, ValueError) as error:
        return Decoded(undecodable=[(first_offset + skip, block, f"block is broken: {error}")])
    return decode_records(topic, ((first_offset + skip + i, _VERSION_BYTE + bytes(raw)) for i, raw in enumerate(raws)))


def _foreign(raw: bytes | None) -> str:
    if not raw:
        return "record is empty"
    return f"schema version {raw[0]} is not one that this program reads ({VERSION})"
