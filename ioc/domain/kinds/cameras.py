"""Cameras that count and recognise; no picture ever gets here."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class CameraEvent(Payload, frozen=True, kw_only=True, array_like=True, tag="camera.event"):
    """Something that a camera's analysis recognised: its class, how sure it is, where."""

    KIND: ClassVar[str] = "camera.event"
    ASSET_CLASS: ClassVar[str] = "camera"

    label: str
    confidence_pct: Annotated[float, Quantity(unit="%", vi="Độ tin cậy", en="Confidence", low=0, high=100)]
    zone: str | None = None
    objects_count: Annotated[int, Quantity(unit="đối tượng", vi="Số đối tượng", en="Objects", low=0, high=100_000)] = 1


class CameraStatus(Payload, frozen=True, kw_only=True, array_like=True, tag="camera.status"):
    """Whether a camera works; ``status`` is ``online``, ``offline`` or ``degraded``."""

    KIND: ClassVar[str] = "camera.status"
    ASSET_CLASS: ClassVar[str] = "camera"

    status: str
    frames_per_s: Annotated[float | None, Quantity(unit="1/s", vi="Khung hình", en="Frames", low=0, high=240)] = None
