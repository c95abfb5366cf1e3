"""Gauges, counters, feeders, lamps and cameras of the demo inventory: assumed, none of them surveyed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from geo.position import Position
from geo.tables import read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One fixed device. `accuracy_m` says how far from `position` it may really stand, `source` why it is put there."""

    asset_id: str
    kind: str
    name_vi: str
    name_en: str
    unit_code: str
    position: Position
    accuracy_m: int
    source: str


@cache
def load_installations(kind: str | None = None) -> tuple[Installation, ...]:
    """Every device of the inventory, or those of a kind.

    Kinds are `water`, `rain`, `tide`, `road`, `plate_reader`, `feeder`, `light` and `camera`.
    """
    return tuple(
        Installation(
            asset_id=row["asset_id"],
            kind=row["kind"],
            name_vi=row["name_vi"],
            name_en=row["name_en"],
            unit_code=row["unit_code"],
            position=Position(lon_deg=float(row["lon"]), lat_deg=float(row["lat"])),
            accuracy_m=int(row["accuracy_m"]),
            source=row["source"],
        )
        for row in read_rows("installations.csv")
        if kind is None or row["kind"] == kind
    )
