"""The kind for whatever has no kind of its own."""

from __future__ import annotations

from typing import ClassVar

from ioc.domain.kinds.payload import Payload


class Observation(Payload, frozen=True, kw_only=True, array_like=True, tag="observation"):
    """A reading of a quantity that has no kind of its own (OGC Observations: observed property and result)."""

    KIND: ClassVar[str] = "observation"
    ASSET_CLASS: ClassVar[str] = "sensor"

    quantity: str
    value: float
