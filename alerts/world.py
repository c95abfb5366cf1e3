"""What rules know of the province besides events: zones, which station stands for which zone, and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from geo.position import Position
from geo.zones import ZoneIndex

HARBOUR_KINDS = frozenset({"port", "shelter", "anchorage"})
SEA_KINDS = frozenset({"water", "route_area"})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Static context of all rules.

    ``station_zones`` maps a station's asset id to the zone whose weather it stands for; ``names`` maps asset ids and
    unit codes to (Vietnamese, English).
    """

    zones: ZoneIndex
    station_zones: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def unit_codes(self) -> list[str]:
        """Give the codes of the province's units."""
        return [name.removeprefix("unit.") for name in self.names if name.startswith("unit.")]

    def zone_ids(self, kinds: frozenset[str]) -> frozenset[str]:
        """Give the ids of all zones of the kinds."""
        return frozenset(zone_id for zone_id, zone in self.zones.zones.items() if zone.kind.value in kinds)

    def zones_at(self, position: Position) -> tuple[str, ...]:
        """Give the zones of one place; for many at once ask ``zones`` itself."""
        return self.zones.locate(np.array([position.lon_deg]), np.array([position.lat_deg]))[0]

    def name_of(self, key: str | None) -> tuple[str, str]:
        """Give the names of an asset, unit or zone; the key itself when nobody named it."""
        if not key:
            return "–", "–"
        if (zone := self.zones.zones.get(key)) is not None:
            return zone.name_vi, zone.name_en
        return self.names.get(key, (key, key))
