"""The geodata the product ships, ready to use; official boundaries that were imported take the units' place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.geojson import (
    Json,
    check_units,
    code_of,
    encode_feature_collection,
    feature,
    features_of,
    geometry_of,
    parse_feature_collection,
    properties_of,
    read_collection,
    to_area,
    to_feature_collection,
)
from geo.position import Position
from geo.tables import read_raw, read_rows
from geo.zones import Zone, ZoneIndex, to_zones

UNITS_FILE = "units.geojson"
LAYERS = ("land", "border", "units", "zones", "places")
"""What `read_layer` can give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One of the 54 commune-level units; `area` in degrees, `approximate` where it is no official boundary."""

    code: str
    name_vi: str
    name_en: str
    kind: str
    position: Position
    former_district: str
    area: Polygon | MultiPolygon
    approximate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A port, gate, shelter, site or route; area and capacity are assumptions where `assumed` says so."""

    place_id: str
    kind: str
    name_vi: str
    name_en: str
    geometry: BaseGeometry
    accuracy_m: int
    source: str
    unit_code: str | None = None
    asset_id: str | None = None
    area_m2: int | None = None
    capacity_count: int | None = None
    assumed: bool = False
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One station of the demo inventory, assumed; `serves_zone` is the zone whose weather it stands for."""

    asset_id: str
    kind: str
    name_vi: str
    name_en: str
    unit_code: str
    position: Position
    serves_zone: str | None
    assumed: bool


def read_layer(name: str, directory: Path | None = None) -> bytes:
    """A map layer as GeoJSON text: the imported file of `directory` where there is one, else the shipped one.

    Raises:
        KeyError: there is no such layer.
    """
    if name not in LAYERS:
        raise KeyError(name)
    imported = directory / f"{name}.geojson" if directory else None
    return imported.read_bytes() if imported and imported.is_file() else read_raw(f"{name}.geojson")


@cache
def load_units(directory: Path | None = None) -> tuple[Unit, ...]:
    """The 54 units by code; areas from `directory` where official boundaries were imported there."""
    areas = {code_of(item): item for item in features_of(parse_feature_collection(read_layer("units", directory)))}
    return tuple(
        Unit(
            code=row["code"],
            name_vi=row["full_name"],
            name_en=row["name_en"],
            kind=row["kind"],
            position=Position(lon_deg=float(row["lon"]), lat_deg=float(row["lat"])),
            former_district=row["former_district"],
            area=to_area(geometry_of(areas[row["code"]])),
            approximate=properties_of(areas[row["code"]]).get("approximate") is True,
        )
        for row in read_rows("units.csv")
    )


@cache
def load_zones(directory: Path | None = None) -> tuple[Zone, ...]:
    """The zones, by id."""
    return to_zones(parse_feature_collection(read_layer("zones", directory)))


@cache
def load_zone_index(directory: Path | None = None) -> ZoneIndex:
    """Zones and units in one index, built once."""
    return ZoneIndex(load_zones(directory), {unit.code: unit.area for unit in load_units(directory)})


@cache
def load_places() -> tuple[Place, ...]:
    """Ports, gates, shelters, sites and routes, in the order of the file."""
    return tuple(_to_place(item) for item in features_of(read_collection("places.geojson")))


@cache
def load_stations() -> tuple[Station, ...]:
    """The demo inventory of air and weather stations."""
    return tuple(
        Station(
            asset_id=row["asset_id"],
            kind=row["kind"],
            name_vi=row["name_vi"],
            name_en=row["name_en"],
            unit_code=row["unit_code"],
            position=Position(lon_deg=float(row["lon"]), lat_deg=float(row["lat"])),
            serves_zone=row["serves_zone"] or None,
            assumed=row["assumed"] == "true",
        )
        for row in read_rows("stations.csv")
    )


def load_land() -> Json:
    """Mainland and islands as a feature collection."""
    return read_collection("land.geojson")


def import_units(raw: bytes, directory: Path) -> list[str]:
    """Take official boundaries in: write them to `directory` and return [], or write nothing and return the faults.

    The written file carries our names and `approximate: false`. What was loaded before stays until the next start.

    Raises:
        GeoJsonError: `raw` is not a GeoJSON feature collection.
        OSError: the directory cannot be written.
    """
    collection = parse_feature_collection(raw)
    if faults := check_units(collection):
        return faults
    areas = {code_of(item): geometry_of(item) for item in features_of(collection)}
    official = to_feature_collection(
        feature(
            row["code"],
            areas[row["code"]],
            code=row["code"],
            name_vi=row["full_name"],
            name_en=row["name_en"],
            kind=row["kind"],
            approximate=False,
            source="imported",
        )
        for row in read_rows("units.csv")
    )
    directory.mkdir(parents=True, exist_ok=True)
    # A reader sees the old file or the new one, never half of one.
    unfinished = directory / f"{UNITS_FILE}.part"
    unfinished.write_bytes(encode_feature_collection(official))
    unfinished.replace(directory / UNITS_FILE)
    return []


def _to_place(item: Json) -> Place:
    facts = properties_of(item)

    def to_int(name: str) -> int | None:
        return int(str(facts[name])) if name in facts else None

    stops = facts.get("stops")
    return Place(
        place_id=str(facts["id"]),
        kind=str(facts["kind"]),
        name_vi=str(facts["name_vi"]),
        name_en=str(facts["name_en"]),
        geometry=geometry_of(item),
        accuracy_m=int(str(facts["accuracy_m"])),
        source=str(facts["source"]),
        unit_code=str(facts["unit_code"]) if "unit_code" in facts else None,
        asset_id=str(facts["asset_id"]) if "asset_id" in facts else None,
        area_m2=to_int("area_m2"),
        capacity_count=to_int("capacity_count"),
        assumed=facts.get("assumed") is True,
        stops=tuple(map(str, stops)) if isinstance(stops, list) else (),
    )
