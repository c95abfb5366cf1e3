"""What cameras recognised to events: a class, % of confidence, a count of objects; and whether cameras work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, CameraEvent, CameraStatus

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Objects = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

_STATUS = Measures(KINDS[CameraStatus.KIND], ("frames_per_s",))


class WireEvent(msgspec.Struct, kw_only=True, gc=False, tag="event"):
    """Something was recognised, with a confidence of 0 to 1. Faces, plates, tracks and pictures are not listened to."""

    camera: _Name
    time: _Instant
    label: _Word
    confidence: _Share
    zone: _Word | msgspec.UnsetType | None = msgspec.UNSET
    objects: _Objects = 1


class WireStatus(msgspec.Struct, kw_only=True, gc=False, tag="status"):
    """Whether a camera works, and how many pictures a second it gives."""

    camera: _Name
    time: _Instant
    status: Literal["online", "offline", "degraded"]
    fps: Measured = msgspec.UNSET


Wire = WireEvent | WireStatus
READER: RecordReader[Wire] = RecordReader({"event": WireEvent, "status": WireStatus}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of recognitions and states.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, camera or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    asset_id = f"camera.{check_name(record.camera, what='camera').removeprefix('camera.')}"
    if isinstance(record, WireStatus):
        (frames_per_s,), _ = _STATUS.convert((record.fps,))
        status = CameraStatus(status=record.status, frames_per_s=frames_per_s)
        return [context.make_event(status, asset_id=asset_id, observed_at=observed_at)]
    seen = CameraEvent(
        label=record.label,
        # Not 56.99999999999999 for 0.57.
        confidence_pct=round(record.confidence * 100, 4),
        zone=record.zone or None,
        objects_count=record.objects,
    )
    source_key = f"{asset_id}/{record.label}/{seen.zone or ''}"
    return [context.make_event(seen, asset_id=asset_id, observed_at=observed_at, source_key=source_key)]
