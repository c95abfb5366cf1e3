"""Frames of ``qnioc.v1`` (docs/asyncapi.yaml): what walls may say, and how answers are written."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

SUBPROTOCOL = "qnioc.v1.json"
VERSION = 1
MOST_ROWS_A_PART = 1_000

_Id = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Channel = Annotated[str, msgspec.Meta(max_length=64)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Text = Annotated[str, msgspec.Meta(max_length=2_000)]


class Close(enum.IntEnum):
    """Why a socket is closed."""

    GOING_AWAY = 1001
    MALFORMED = 4400
    SIGNED_OUT = 4401
    FORBIDDEN = 4403
    WRONG_PROTOCOL = 4406
    TIMED_OUT = 4408
    TOO_MANY = 4429
    UNAVAILABLE = 4503
    SLOW = 4508


class Resume(msgspec.Struct, forbid_unknown_fields=True):
    """Where a wall stood on a channel before it lost the connection."""

    epoch: str | int
    seq: int


class Hello(msgspec.Struct, tag_field="t", tag="hello"):
    """The first frame: a one-use ticket."""

    token: Annotated[str, msgspec.Meta(max_length=256)]
    client: Annotated[str, msgspec.Meta(max_length=200)] = ""
    lang: Annotated[str, msgspec.Meta(max_length=8)] = "vi"


class Box(msgspec.Struct, array_like=True, frozen=True):
    """A view of the map: west, south, east, north in degrees."""

    west: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    south: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    east: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    north: Annotated[float, msgspec.Meta(ge=-90, le=90)]

    def holds(self, lon_deg: float, lat_deg: float) -> bool:
        """Whether a place lies in the view, edges included."""
        return self.west <= lon_deg <= self.east and self.south <= lat_deg <= self.north


class Sub(msgspec.Struct, tag_field="t", tag="sub"):
    """Follow a channel, on the map perhaps only within a view. The last three are wishes that this server refuses."""

    id: _Id
    ch: _Channel
    resume: Resume | None = None
    bbox: Box | None = None
    rate: Any = None
    filter: Any = None
    fields: Any = None


class View(msgspec.Struct, tag_field="t", tag="view"):
    """Look at another part of the map."""

    id: _Id
    ch: _Channel
    bbox: Box


class Unsub(msgspec.Struct, tag_field="t", tag="unsub"):
    """Follow it no longer."""

    id: _Id
    ch: _Channel


class Resync(msgspec.Struct, tag_field="t", tag="resync"):
    """Something was missed: send the whole channel."""

    id: _Id
    ch: _Channel


class Ping(msgspec.Struct, tag_field="t", tag="ping"):
    """Measure the way."""

    id: _Id


class Refresh(msgspec.Struct, tag_field="t", tag="refresh"):
    """Prove again who it is."""

    id: _Id
    token: Annotated[str, msgspec.Meta(max_length=256)]


class _Act(msgspec.Struct):
    id: _Id
    cid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    alert: Annotated[str, msgspec.Meta(max_length=64)]
    ver: Annotated[int, msgspec.Meta(ge=0)]
    note: _Text | None = None


class Ack(_Act, tag_field="t", tag="ack"):
    """Acknowledge an alert as seen at revision ``ver``; ``cid`` makes a repetition harmless."""


class Shelve(_Act, tag_field="t", tag="shelve", kw_only=True):
    """Take an alert off the list until an instant, for a reason."""

    until: _Instant
    reason: _Text


class Unshelve(_Act, tag_field="t", tag="unshelve"):
    """Put it back."""


class Hist(msgspec.Struct, tag_field="t", tag="hist"):
    """Ask for history; REST answers that (``/api/v1/history``)."""

    id: _Id


class Play(msgspec.Struct, tag_field="t", tag="play"):
    """Ask for a playback; there is none yet."""

    id: _Id


class Stop(msgspec.Struct, tag_field="t", tag="stop"):
    """End a playback; there is none yet."""

    id: _Id


class _Named(msgspec.Struct):
    """What of an action must be right for it to be answered at all."""

    t: Literal["ack", "shelve", "unshelve"]
    id: _Id


@dataclass(frozen=True, slots=True)
class Faulty:
    """An action whose values are wrong: it can be answered by its id, and ``fault`` says what is wrong."""

    id: int
    fault: str


Unserved = Hist | Play | Stop
Frame = Unserved | Hello | Sub | View | Unsub | Resync | Ping | Refresh | Ack | Shelve | Unshelve
Action = Ack | Shelve | Unshelve

_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_named_decoder = msgspec.json.Decoder(_Named)
_encoder = msgspec.json.Encoder()


class MalformedFrameError(ValueError):
    """A frame that is no frame; the text says why."""


def decode(text: str) -> Frame | Faulty:
    """Read a frame of a wall. An operator's clumsy value is no reason to lose the connection: it gives ``Faulty``.

    Raises:
        MalformedFrameError: it is not JSON, not a frame that there is, or holds a NUL, which no database keeps.
    """
    if "\\u0000" in text:
        raise MalformedFrameError("no text may hold a NUL character")
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        with suppress(msgspec.ValidationError):
            return Faulty(_named_decoder.decode(text).id, str(error))
        raise MalformedFrameError(str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedFrameError(str(error)) from error


class Text(str):
    """A frame ready to send, with its UTF-8 beside it.

    The server asks every text it sends for its bytes. Made anew for each of 200 walls, the bytes of one tick cost more
    than everything else together; kept, they cost nothing.
    """

    utf8: bytes

    @classmethod
    def of(cls, utf8: bytes) -> Text:
        """Wrap what the encoder wrote."""
        text = cls(utf8, "utf-8")
        text.utf8 = utf8
        return text

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Give the bytes that are there already."""
        return self.utf8 if encoding == "utf-8" else super().encode(encoding, errors)


def encode(kind: str, at_ms: int, **fields: object) -> str:
    """Write a frame: ``t``, ``ts`` and its fields."""
    return Text.of(_encoder.encode({"t": kind, "ts": at_ms, **fields}))


def encode_delta(
    channel: str, at_ms: int, *, epoch: str | int, prev: int, seq: int, rows: Sequence[Sequence[Any]],
    gone: Sequence[str], conflated: bool = False, resumed: bool = False,
) -> str:  # fmt: skip
    """Write what changed on a state channel between ``prev`` and ``seq``."""
    flags: dict[str, object] = {}
    if conflated:
        flags["con"] = True
    if resumed:
        flags["resumed"] = True
    return encode("d", at_ms, ch=channel, epoch=epoch, prev=prev, seq=seq, set=rows, **{"del": gone}, **flags)


def encode_snapshot(
    channel: str, at_ms: int, *, epoch: str | int, seq: int, fields: Sequence[str], rows: Sequence[Sequence[Any]],
    why: str | None = None,
) -> list[str]:  # fmt: skip
    """Write a whole channel in parts of at most 1,000 rows; the last one says so."""
    reason = {"why": why} if why else {}
    starts = range(0, max(1, len(rows)), MOST_ROWS_A_PART)
    return [
        encode(
            "snap",
            at_ms,
            ch=channel,
            epoch=epoch,
            seq=seq,
            f=fields,
            part=number,
            last=start + MOST_ROWS_A_PART >= len(rows),
            rows=rows[start : start + MOST_ROWS_A_PART],
            resumed=False,
            **reason,
        )
        for number, start in enumerate(starts)
    ]


def to_error(
    code: str, message: str, at_ms: int, *, frame_id: int | None = None, retry: bool = False, **more: object
) -> str:
    """Write an ``err`` frame; a wall that gets one may go on."""
    named: Mapping[str, object] = {} if frame_id is None else {"id": frame_id}
    return encode("err", at_ms, code=code, msg=message, retry=retry, **named, **more)
