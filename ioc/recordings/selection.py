"""Which events are meant: by feed, kind, asset, area and time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from ioc.domain.events import Event
from ioc.errors import ConfigurationError

_KEYS = ("feed", "kind", "asset", "bbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An area between two meridians and two parallels (WGS 84, degrees); edges belong to it."""

    west_deg: float
    south_deg: float
    east_deg: float
    north_deg: float

    def holds(self, lon_deg: float | None, lat_deg: float | None) -> bool:
        """Whether a place lies in it; what has no place does not."""
        if lon_deg is None or lat_deg is None:
            return False
        return self.west_deg <= lon_deg <= self.east_deg and self.south_deg <= lat_deg <= self.north_deg


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Events of some feeds, kinds and assets (patterns with ``*``; none given: all), in a box, that arrived in a span.

    ``start_at`` belongs to the span, ``end_at`` does not.
    """

    feeds: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    box: Box | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None

    def takes(self, event: Event) -> bool:
        """Whether an event is meant."""
        return (
            (self.start_at is None or event.received_at >= self.start_at)
            and (self.end_at is None or event.received_at < self.end_at)
            and _fits(event.feed_id, self.feeds)
            and _fits(event.kind, self.kinds)
            and _fits(event.asset_id, self.assets)
            and (self.box is None or self.box.holds(event.lon_deg, event.lat_deg))
        )

    def describe(self) -> dict[str, object]:
        """Say it for a manifest; what is not limited is left out."""
        found: dict[str, object] = {"feed": self.feeds, "kind": self.kinds, "asset": self.assets}
        if self.box is not None:
            box = self.box
            found["bbox"] = [box.west_deg, box.south_deg, box.east_deg, box.north_deg]
        if self.start_at is not None:
            found["from"] = self.start_at.isoformat()
        if self.end_at is not None:
            found["to"] = self.end_at.isoformat()
        return {key: value for key, value in found.items() if value}


def read_selection(
    filters: Iterable[str], *, start_at: datetime | None = None, end_at: datetime | None = None
) -> Selection:
    """Read filters such as ``feed=air``, ``kind=env.*``, ``asset=vessel.574*``, ``bbox=106.9,20.7,107.3,21.0``.

    Filters of one key widen each other, those of different keys narrow each other.

    Raises:
        ConfigurationError: with every fault of them.
    """
    found: dict[str, list[str]] = {key: [] for key in _KEYS}
    faults: list[str] = []
    for text in filters:
        key, _, value = text.partition("=")
        if key not in _KEYS or not value:
            faults.append(f"filter {text!r}: give {', '.join(f'{known}=…' for known in _KEYS)}")
        else:
            found[key].append(value)
    box = None
    for text in found["bbox"]:
        try:
            box = _read_box(text)
        except ValueError as error:
            faults.append(f"bbox {text!r}: {error}")
    if len(found["bbox"]) > 1:
        faults.append("give one bbox at most")
    if start_at is not None and end_at is not None and start_at >= end_at:
        faults.append("the span's start must lie before its end")
    if faults:
        raise ConfigurationError(faults)
    return Selection(
        feeds=tuple(found["feed"]), kinds=tuple(found["kind"]), assets=tuple(found["asset"]), box=box,
        start_at=start_at, end_at=end_at,
    )  # fmt: skip


def _read_box(text: str) -> Box:
    parts = [float(part) for part in text.split(",")]
    if len(parts) != 4:
        raise ValueError("give west,south,east,north in degrees")
    west, south, east, north = parts
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("west must not lie east of east, nor south north of north")
    return Box(west_deg=west, south_deg=south, east_deg=east, north_deg=north)


def _fits(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
