"""GeoJSON (RFC 7946) in and out: features, collections, and files that come out the same on every run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from geo.plane import PROVINCE_PLANE
from geo.position import PROVINCE_BOX_DEG
from geo.tables import read_raw, read_rows

UNIT_COUNT = 54

OVERLAP_TOLERANCE_M2 = 50_000.0
"""Digitised borders of neighbours never meet exactly: a sliver of 5 ha is no fault."""

LABEL_TOLERANCE_M = 5_000.0
"""An area further than this from its unit's label point carries somebody else's code."""

CORRECTED_CODES = {"06978": "06970"}
"""Ba Chẽ: reprints of Decision 19/2025/QĐ-TTg, and files made from them until August 2026, carry a misprint."""

Json = dict[str, object]


class GeoJsonError(ValueError):
    """What was read is not a GeoJSON feature collection; the text says where it goes wrong."""


def feature(feature_id: str, geometry: BaseGeometry, /, **properties: object) -> Json:
    """One GeoJSON feature; its id stands in the properties too, because map styles can only read those."""
    return {
        "type": "Feature",
        "id": feature_id,
        "properties": {"id": feature_id, **properties},
        "geometry": to_geometry(geometry),
    }


def to_geometry(geometry: BaseGeometry, digits: int = 5) -> Json:
    """The geometry as GeoJSON, coordinates rounded to 5 digits (1 m)."""
    return {key: _rounded(value, digits) for key, value in mapping(geometry).items()}


def _rounded(value: object, digits: int) -> object:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value


def read_collection(name: str) -> Json:
    """A shipped GeoJSON file."""
    return parse_feature_collection(read_raw(name))


def to_feature_collection(features: Iterable[Json]) -> Json:
    """The features as one collection."""
    return {"type": "FeatureCollection", "features": list(features)}


def encode_feature_collection(collection: Json) -> bytes:
    """The collection as UTF-8 text, one feature a line, so that a change shows in a diff."""
    lines = [json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in features_of(collection)]
    return ('{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n").encode()


def write_feature_collection(path: Path, collection: Json) -> int:
    """Write the collection; returns the size in bytes."""
    return path.write_bytes(encode_feature_collection(collection))


def parse_feature_collection(raw: str | bytes) -> Json:
    """Read a feature collection.

    Raises:
        GeoJsonError: it is not JSON, not a feature collection, or a feature has no id, properties or geometry.
    """
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise GeoJsonError(f"not JSON: {error}") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "FeatureCollection":
        raise GeoJsonError("the top level is not a FeatureCollection")
    features = parsed.get("features")
    if not isinstance(features, list):
        raise GeoJsonError("the collection has no list of features")
    for number, item in enumerate(features):
        if not isinstance(item, dict) or item.get("type") != "Feature":
            raise GeoJsonError(f"item {number} is not a Feature")
        if not isinstance(item.get("properties"), dict):
            raise GeoJsonError(f"feature {number} has no properties")
    return parsed


def features_of(collection: Mapping[str, object]) -> Sequence[Json]:
    """The features of a collection that has been parsed or built here."""
    return cast("Sequence[Json]", collection["features"])


def properties_of(item: Mapping[str, object]) -> Json:
    """The properties of one feature."""
    return cast("Json", item["properties"])


def geometry_of(item: Mapping[str, object]) -> BaseGeometry:
    """The geometry of one feature, in degrees.

    Raises:
        GeoJsonError: there is none, or it cannot be read.
    """
    geometry = item.get("geometry")
    if not isinstance(geometry, dict):
        raise GeoJsonError("the feature has no geometry")
    try:
        return shape(geometry)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise GeoJsonError(f"unreadable geometry: {error}") from error


def polygons_of(geometry: BaseGeometry) -> list[Polygon]:
    """The polygons in a geometry of any kind; lines and points that a cut has left over are dropped."""
    if isinstance(geometry, Polygon):
        return [] if geometry.is_empty else [geometry]
    parts: Iterable[BaseGeometry] = getattr(geometry, "geoms", ())
    return [polygon for part in parts for polygon in polygons_of(part)]


def to_area(geometry: BaseGeometry) -> Polygon | MultiPolygon:
    """The polygons in a geometry as one area."""
    polygons = polygons_of(geometry)
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def check_units(feature_collection: Mapping[str, object]) -> list[str]:
    """Every fault of a file of official boundaries, one sentence each; empty where it may replace the shipped areas.

    Wanted: 54 polygons with the codes of `units.csv` in the property `code`, valid, inside the province's box, near
    their label points, and not overlapping by more than 5 ha.
    """
    labels = {row["code"]: Point(float(row["lon"]), float(row["lat"])) for row in read_rows("units.csv")}
    faults: list[str] = []
    areas: dict[str, BaseGeometry] = {}
    features = features_of(feature_collection)
    if len(features) != UNIT_COUNT:
        faults.append(f"{UNIT_COUNT} features wanted, {len(features)} found")
    for number, item in enumerate(features):
        code = code_of(item)
        if code not in labels:
            faults.append(f"feature {number}: code {code!r} is not one of the 54 units")
        elif code in areas:
            faults.append(f"feature {number}: code {code} stands twice")
        else:
            try:
                areas[code] = geometry_of(item)
            except GeoJsonError as error:
                faults.append(f"unit {code}: {error}")
    if missing := sorted(labels.keys() - areas.keys()):
        faults.append(f"without area: {', '.join(missing)}")
    shapes = {
        code: PROVINCE_PLANE.to_metres(area) for code, area in areas.items() if not _check_area(code, area, faults)
    }
    for code, area in shapes.items():
        away_m = area.distance(PROVINCE_PLANE.to_metres(labels[code]))
        if away_m > LABEL_TOLERANCE_M:
            faults.append(f"unit {code}: the area lies {away_m / 1000:.0f} km from the unit's label point")
    return faults + _check_overlaps(shapes)


def code_of(item: Mapping[str, object]) -> str:
    """The official unit code of a feature: the property `code`, five digits.

    Leading zeros that a spreadsheet has dropped return, and a known misprint is put right.
    """
    code = str(properties_of(item).get("code", "")).zfill(5)
    return CORRECTED_CODES.get(code, code)


def _check_area(code: str, area: BaseGeometry, faults: list[str]) -> list[str]:
    """Add what is wrong with one area to `faults`, and return it."""
    found: list[str] = []
    if not isinstance(area, Polygon | MultiPolygon) or area.is_empty:
        found.append(f"unit {code}: a polygon is wanted, not {'an empty one' if area.is_empty else area.geom_type}")
    elif not shapely.box(*PROVINCE_BOX_DEG).covers(shapely.box(*area.bounds)):
        found.append(f"unit {code}: outside the province's box; are longitude and latitude in degrees, in this order?")
    elif not area.is_valid:
        found.append(f"unit {code}: {shapely.is_valid_reason(area)}")
    faults.extend(found)
    return found


def _check_overlaps(shapes: Mapping[str, BaseGeometry]) -> list[str]:
    codes = list(shapes)
    geometries = [shapes[code] for code in codes]
    faults = []
    for first, second in shapely.STRtree(geometries).query(geometries, predicate="intersects").T.tolist():
        if first < second:
            shared_m2 = geometries[first].intersection(geometries[second]).area
            if shared_m2 > OVERLAP_TOLERANCE_M2:
                faults.append(f"units {codes[first]} and {codes[second]} overlap by {shared_m2 / 1e4:.0f} ha")
    return sorted(faults)
