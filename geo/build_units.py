"""Draw the approximate areas of the 54 units: run by a developer when label points, seeds or land change.

No official boundary has known terms of re-use, so each unit gets the land that is nearest to its own points: its
label point (`units.csv`) and the centres of the communes and islands that were merged into it (`unit_seeds.csv`).
Seeds without a code stand in the neighbouring provinces and keep the cells from growing into them; the state border
does the same in the north. Every area is marked `approximate`; `ioc geo import` replaces them by official ones.

    python -m geo.build_units
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

from geo.geojson import (
    Json,
    feature,
    features_of,
    geometry_of,
    polygons_of,
    read_collection,
    to_feature_collection,
    write_feature_collection,
)
from geo.plane import PROVINCE_PLANE
from geo.tables import read_rows

TOLERANCE_M = 60.0
"""Coarser than the coast of the map: the walls draw units under the coastline."""

SMALLEST_PIECE_M2 = 30_000.0
LABEL_CLEARANCE_M = 200.0


def read_geometry(name: str) -> BaseGeometry:
    """Everything in one of the shipped GeoJSON files as one geometry in metres of the province's plane."""
    collection = read_collection(name)
    return PROVINCE_PLANE.to_metres(shapely.union_all([geometry_of(item) for item in features_of(collection)]))


def build_vietnam(labels: MultiPoint) -> BaseGeometry:
    """The land on our side of the state border."""
    land = read_geometry("land.geojson")
    frame = shapely.box(*land.bounds)
    border = _to_the_frame(LineString(shapely.get_coordinates(read_geometry("border.geojson"))), frame)
    sides = [side for side in polygons_of(split(frame, border)) if side.intersects(labels)]
    return land.intersection(shapely.union_all(sides))


def _to_the_frame(line: LineString, frame: Polygon) -> LineString:
    """The line with both ends drawn on, straight to the frame: the source lets the border end at sea."""
    points = np.asarray(line.coords)
    reach = frame.length
    head = points[0] - points[1]
    tail = points[-1] - points[-2]
    first = points[0] + head / np.linalg.norm(head) * reach
    last = points[-1] + tail / np.linalg.norm(tail) * reach
    return LineString(np.vstack([first, points, last]))


def build_cells(seeds: list[tuple[str, Point]], frame: BaseGeometry) -> dict[str, BaseGeometry]:
    """The part of the plane nearest to each code's seeds."""
    cells = shapely.voronoi_polygons(MultiPoint([point for _, point in seeds]), extend_to=frame)
    tree = shapely.STRtree(polygons_of(cells))
    found: dict[str, list[Polygon]] = {}
    for code, point in seeds:
        for index in tree.query(point, predicate="intersects"):
            found.setdefault(code, []).append(tree.geometries[index])
    return {code: shapely.union_all(parts) for code, parts in found.items()}


def build_area(cell: BaseGeometry, land: BaseGeometry, label: Point) -> MultiPolygon:
    """A unit's area in degrees: its cell cut by the land, and a small disc where the label stands off the coast."""
    with_label = shapely.union(land, label.buffer(LABEL_CLEARANCE_M, quad_segs=4)).intersection(cell)
    pieces = [piece for piece in polygons_of(with_label) if piece.area >= SMALLEST_PIECE_M2 or piece.covers(label)]
    in_degrees = shapely.set_precision(PROVINCE_PLANE.to_degrees(MultiPolygon(pieces)), 1e-5)
    return MultiPolygon(sorted(polygons_of(in_degrees), key=lambda piece: (-piece.area, piece.bounds)))


def build_units() -> Json:
    """The feature collection of the 54 approximate areas."""
    units = read_rows("units.csv")
    labels = {unit["code"]: _to_point(unit) for unit in units}
    seeds = [*labels.items(), *((row["code"], _to_point(row)) for row in read_rows("unit_seeds.csv"))]
    vietnam = build_vietnam(MultiPoint(list(labels.values())))
    cells = build_cells(seeds, vietnam)
    land = shapely.make_valid(shapely.simplify(vietnam, TOLERANCE_M, preserve_topology=True))
    source = "cells around label points cut by the land; not an official boundary"
    return to_feature_collection(
        feature(
            unit["code"],
            build_area(cells[unit["code"]], land, labels[unit["code"]]),
            code=unit["code"],
            name_vi=unit["full_name"],
            name_en=unit["name_en"],
            kind=unit["kind"],
            approximate=True,
            source=source,
        )
        for unit in units
    )


def _to_point(row: dict[str, str]) -> Point:
    return PROVINCE_PLANE.to_metres(Point(float(row["lon"]), float(row["lat"])))


def main() -> None:
    """Write `units.geojson` and print its size."""
    size_bytes = write_feature_collection(Path(__file__).parent / "data" / "units.geojson", build_units())
    sys.stdout.write(f"units.geojson: {size_bytes} bytes\n")


if __name__ == "__main__":
    main()
