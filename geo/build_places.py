"""Build `places.geojson`: the typed-in points, and routes that keep to the water.

A route's stops are places (`routes.csv`). Between stops the line is the shortest way over water on a grid of 100 m,
where water close to land costs more: boats keep off the rocks. It is a plausible track, not a charted fairway.

    python -m geo.build_places
"""

from __future__ import annotations

import heapq
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from geo.geojson import (
    Json,
    feature,
    features_of,
    geometry_of,
    read_collection,
    to_feature_collection,
    write_feature_collection,
)
from geo.plane import PROVINCE_PLANE
from geo.tables import read_rows

CELL_M = 100.0
WATERS_DEG = (106.9, 20.68, 107.95, 21.15)
"""Where routes may go."""

CLEAR_OF_LAND_M = 300.0
NEAR_LAND_COST = 4.0
STRAY_M = 60.0
NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]

Cell = tuple[int, int]


class WaterGrid:
    """Cost of crossing each cell of the province's waters; infinite on land."""

    def __init__(self, land: BaseGeometry) -> None:
        """Rasterise `land`, in metres of the province's plane."""
        corners = shapely.get_coordinates(PROVINCE_PLANE.to_metres(shapely.box(*WATERS_DEG)))
        self._origin = corners.min(axis=0)
        columns, rows = np.ceil((corners.max(axis=0) - self._origin) / CELL_M).astype(int)
        x, y = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
        xs, ys = self._origin[0] + x * CELL_M, self._origin[1] + y * CELL_M
        near = land.buffer(CLEAR_OF_LAND_M, quad_segs=2)
        shapely.prepare([land, near])
        self._cost: NDArray[np.float64] = np.where(shapely.contains_xy(near, xs, ys), NEAR_LAND_COST, 1.0)
        self._cost[shapely.contains_xy(land, xs, ys)] = np.inf
        self._water = np.argwhere(np.isfinite(self._cost))

    def nearest_water(self, point: Point) -> Cell:
        """The water cell nearest to a place."""
        target = (np.array([point.x, point.y]) - self._origin) / CELL_M
        column, row = self._water[int(np.argmin(((self._water - target) ** 2).sum(axis=1)))]
        return int(column), int(row)

    def leg(self, start: Cell, end: Cell) -> list[Cell]:
        """The cheapest way from cell to cell (A*).

        Raises:
            ValueError: no water joins the two.
        """
        best: dict[Cell, float] = {start: 0.0}
        came_from: dict[Cell, Cell] = {}
        queue: list[tuple[float, Cell]] = [(0.0, start)]
        while queue:
            _, here = heapq.heappop(queue)
            if here == end:
                return _walk_back(came_from, end)
            for cell, cost in self._steps(here):
                total = best[here] + cost
                if total < best.get(cell, np.inf):
                    best[cell], came_from[cell] = total, here
                    heapq.heappush(queue, (total + float(np.hypot(cell[0] - end[0], cell[1] - end[1])), cell))
        raise ValueError(f"no water between {start} and {end}")

    def _steps(self, here: Cell) -> list[tuple[Cell, float]]:
        found = []
        for right, up in NEIGHBOURS:
            column, row = here[0] + right, here[1] + up
            if 0 <= column < self._cost.shape[0] and 0 <= row < self._cost.shape[1]:
                cost = float(self._cost[column, row]) * float(np.hypot(right, up))
                if np.isfinite(cost):
                    found.append(((column, row), cost))
        return found

    def to_line(self, cells: list[Cell]) -> LineString:
        """The way through the cells, straightened, in degrees."""
        line = LineString(self._origin + np.array(cells) * CELL_M).simplify(STRAY_M)
        return PROVINCE_PLANE.to_degrees(line)


def _walk_back(came_from: dict[Cell, Cell], end: Cell) -> list[Cell]:
    way = [end]
    while way[-1] in came_from:
        way.append(came_from[way[-1]])
    return way[::-1]


def build_point(row: dict[str, str]) -> Json:
    """The feature of one typed-in place; areas and capacities are assumptions and say so."""
    facts: Json = {
        "name_vi": row["name_vi"],
        "name_en": row["name_en"],
        "kind": row["kind"],
        "unit_code": row["unit_code"],
        "accuracy_m": int(row["accuracy_m"]),
        "source": row["source"],
    }
    if row["asset_id"]:
        facts["asset_id"] = row["asset_id"]
    if row["capacity_count"]:
        facts |= {"area_m2": int(row["area_m2"]), "capacity_count": int(row["capacity_count"]), "assumed": True}
    return feature(row["place_id"], Point(float(row["lon"]), float(row["lat"])), **facts)


def build_route(row: dict[str, str], points: dict[str, Point], grid: WaterGrid) -> Json:
    """The feature of one route over water."""
    stops = row["stops"].split()
    cells = [grid.nearest_water(points[stop]) for stop in stops]
    way = [cells[0]]
    for start, end in pairwise(cells):
        way.extend(grid.leg(start, end)[1:])
    return feature(
        row["route_id"],
        grid.to_line(way),
        name_vi=row["name_vi"],
        name_en=row["name_en"],
        kind="route",
        stops=stops,
        accuracy_m=1000,
        source="shortest way over water between the stops; not a charted fairway",
    )


def build_places() -> Json:
    """Points and routes as one collection."""
    rows = read_rows("places.csv")
    to_metres = PROVINCE_PLANE.to_metres
    points = {row["place_id"]: to_metres(Point(float(row["lon"]), float(row["lat"]))) for row in rows}
    land = shapely.union_all([geometry_of(item) for item in features_of(read_collection("land.geojson"))])
    grid = WaterGrid(to_metres(shapely.clip_by_rect(land, *WATERS_DEG)))
    routes = [build_route(row, points, grid) for row in read_rows("routes.csv")]
    return to_feature_collection([*map(build_point, rows), *routes])


def main() -> None:
    """Write `places.geojson` and print its size."""
    size_bytes = write_feature_collection(Path(__file__).parent / "data" / "places.geojson", build_places())
    sys.stdout.write(f"places.geojson: {size_bytes} bytes\n")


if __name__ == "__main__":
    main()
