"""Where pretend boats can sail: the province's routes kept off the land, a track of its own for each boat, berths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.ops import substring

from geo.catalogue import load_land, load_places, load_zones
from geo.geojson import features_of, geometry_of
from geo.plane import PROVINCE_PLANE

CLEAR_M = 15.0
STEP_M = 150.0
_TILE_M = 4_000.0
_WHOLE_POINTS = 64
BERTH_SPACING_M = 70.0
_BERTH_REACH_M = 900.0
_LOOP_POINTS = 5

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Track:
    """A line to sail: points in metres of the province's plane, and how far along each lies."""

    points: Points
    along_m: Points
    stops_m: tuple[float, ...] = ()

    @property
    def length_m(self) -> float:
        """Length of the whole."""
        return float(self.along_m[-1])

    def at(self, along_m: float) -> tuple[float, float, float]:
        """Give longitude, latitude and course (degrees) that far along."""
        index = int(np.searchsorted(self.along_m, along_m, side="right"))
        index = min(max(index, 1), len(self.along_m) - 1)
        (x0, y0), (x1, y1) = self.points[index - 1], self.points[index]
        span = self.along_m[index] - self.along_m[index - 1]
        share = min(1.0, max(0.0, (along_m - self.along_m[index - 1]) / span))
        east, north = PROVINCE_PLANE.metres_per_degree
        course = math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360
        return float((x0 + share * (x1 - x0)) / east), float((y0 + share * (y1 - y0)) / north), course

    def turned(self) -> Track:
        """Give the way back; nobody stops on it."""
        return to_track(self.points[::-1])


@dataclass(frozen=True, slots=True)
class Lane:
    """A route on the water: its line in metres, the ports at its ends, and the sights it stops at."""

    lane_id: str
    line: LineString
    home: str
    away: str
    stops: tuple[Point, ...]


def to_track(points: Points, stops: Sequence[Point] = ()) -> Track:
    """Measure a line; points that coincide are one."""
    keep = np.concatenate(([True], np.hypot(*np.diff(points, axis=0).T) > 0.5))
    points = points[keep]
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    line = LineString(points)
    found = sorted(float(line.project(stop)) for stop in stops)
    return Track(points, along, tuple(found))


@cache
def land_m() -> tuple[shapely.STRtree, tuple[Polygon, ...]]:
    """Land and islands in metres, with an index."""
    polygons: list[Polygon] = []
    for item in features_of(load_land()):
        shape = PROVINCE_PLANE.to_metres(geometry_of(item))
        polygons += [part for part in shapely.get_parts(shape) if isinstance(part, Polygon)]
    return shapely.STRtree(polygons), tuple(polygons)


@cache
def shores_m() -> shapely.STRtree:
    """Land cut into tiles: whether a short line is near land is then asked of a few points of its coast.

    For questions that any piece may answer (touches, is near, how far); a piece's own edge is not a coast.
    """
    tiles: list[Polygon] = []
    for polygon in land_m()[1]:
        tiles += [polygon] if shapely.get_num_coordinates(polygon) <= _WHOLE_POINTS else _tiles_of(polygon)
    return shapely.STRtree(tiles)


def is_water(points: Points, clear_m: float = 0.0) -> bool:
    """Say whether a line, or a single point, keeps off the land."""
    tree = shores_m()
    shape = Point(points[0]) if len(points) == 1 else LineString(points)
    if clear_m:
        return len(tree.query(shape, predicate="dwithin", distance=clear_m)) == 0
    return len(tree.query(shape, predicate="intersects")) == 0


@cache
def load_lanes() -> tuple[Lane, ...]:
    """The province's boat routes, kept off the land by ``CLEAR_M``."""
    places = {place.place_id: place for place in load_places()}
    lanes = []
    for place in places.values():
        if place.kind != "route" or not isinstance(place.geometry, LineString):
            continue
        stops = tuple(_point_of(places[stop].geometry) for stop in place.stops[1:-1])
        line = keep_off_land(PROVINCE_PLANE.to_metres(place.geometry))
        lanes.append(Lane(place.place_id, line, place.stops[0], place.stops[-1], stops))
    return tuple(lanes)


def keep_off_land(line: LineString) -> LineString:
    """Lead a line around what land it cuts, and end it where it would run ashore."""
    tree, polygons = land_m()
    near = [polygons[index] for index in tree.query(line, predicate="dwithin", distance=3 * CLEAR_M)]
    if not near:
        return line
    hulls = _polygons_of(shapely.union_all([shapely.buffer(polygon, CLEAR_M, quad_segs=2) for polygon in near]))
    union = MultiPolygon(hulls)
    shapely.prepare(union)
    kept: list[tuple[float, float]] = []
    entered: Point | None = None
    is_inside = bool(union.contains(Point(line.coords[0])))
    for start, end in pairwise(line.coords):
        segment = LineString([start, end])
        if not is_inside:
            kept.append(start)
        for crossing in _crossings(segment, union):
            point = segment.interpolate(crossing)
            if is_inside:
                kept += _around(entered, point, hulls)
                entered = None
            else:
                entered = point
            is_inside = not is_inside
    kept.append((entered.x, entered.y) if is_inside and entered is not None else line.coords[-1])
    return LineString(kept)


@cache
def even(lane: Lane) -> tuple[Points, Points]:
    """Give points along a lane, about ``STEP_M`` apart, and how far each is from land."""
    count = max(2, round(lane.line.length / STEP_M))
    spread = shapely.line_interpolate_point(lane.line, np.linspace(0, 1, count), normalized=True)
    base = shapely.get_coordinates(spread)
    if not is_water(base):
        base = shapely.get_coordinates(lane.line)
    return base, shores_m().query_nearest(shapely.points(base), all_matches=False, return_distance=True)[1]


@cache
def shifted(lane: Lane, offset_m: float) -> Points:
    """Give a lane's points moved sideways, less where land is near, so that boats do not sail in one file."""
    base, nearest_m = even(lane)
    along = np.gradient(base, axis=0)
    normal = np.column_stack((along[:, 1], -along[:, 0])) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    room_m = np.clip(0.35 * nearest_m, 0.0, abs(offset_m))[:, None]
    for share in (1.0, 0.5, 0.25):
        points: Points = base + normal * room_m * math.copysign(share, offset_m)
        if is_water(points):
            return points
    return base


@cache
def berths(port: str) -> tuple[tuple[float, float], ...]:
    """Places to lie in a port: a grid around its lanes' ends, on water, within sight of them, the nearest first."""
    ends = [lane.line.coords[0] for lane in load_lanes() if lane.home == port]
    ends += [lane.line.coords[-1] for lane in load_lanes() if lane.away == port]
    zone = next((PROVINCE_PLANE.to_metres(zone.polygon) for zone in load_zones() if zone.zone_id == port), None)
    steps = np.arange(-_BERTH_REACH_M, _BERTH_REACH_M + 1, BERTH_SPACING_M)
    offsets = np.array([(x, y) for x in steps for y in steps if math.hypot(x, y) <= _BERTH_REACH_M])
    points = offsets[np.argsort(np.hypot(*offsets.T), kind="stable")] + np.array(ends[0])
    if zone is not None:
        points = points[shapely.contains_xy(zone, points[:, 0], points[:, 1])]
    tree = shores_m()
    near = tree.query(shapely.points(points), predicate="dwithin", distance=25.0)[0]
    sight = shapely.linestrings([[point, ends[0]] for point in points])
    hidden = tree.query(sight, predicate="intersects")[0]
    taken = set(near.tolist()) | set(hidden.tolist())
    found = [(float(x), float(y)) for index, (x, y) in enumerate(points) if index not in taken]
    return tuple(found) or (ends[0],)


def make_track(lane: Lane, *, offset_m: float, home_berth: int, away_berth: int) -> Track:
    """Make a boat's own way: from its berth along its lane to its berth at the other end."""
    points = shifted(lane, offset_m)
    for port, number, is_head in ((lane.home, home_berth, True), (lane.away, away_berth, False)):
        places = berths(port)
        berth = np.array([places[number % len(places)]])
        joined = np.vstack((berth, points)) if is_head else np.vstack((points, berth))
        link = joined[:2] if is_head else joined[-2:]
        if is_water(link):
            points = joined
    return to_track(points, lane.stops)


@cache
def make_loop(zone_id: str, seed: str) -> Track:
    """Draw a round over a zone's open water, for boats that fish."""
    random = Random(f"{seed}/{zone_id}")
    area = PROVINCE_PLANE.to_metres(next(zone.polygon for zone in load_zones() if zone.zone_id == zone_id))
    points: list[tuple[float, float]] = [draw_water(area, random)]
    while len(points) < _LOOP_POINTS:
        point = draw_water(area, random)
        is_last = len(points) == _LOOP_POINTS - 1
        if is_water(np.array([points[-1], point])) and (not is_last or is_water(np.array([point, points[0]]))):
            points.append(point)
        elif is_last and random.random() < 0.05:
            points = points[:1]
    return to_track(np.array([*points, points[0]]))


def draw_water(area: Polygon | MultiPolygon, random: Random) -> tuple[float, float]:
    """Draw a place on the water within an area, in metres."""
    west, south, east, north = area.bounds
    while True:
        point = (random.uniform(west, east), random.uniform(south, north))
        if area.contains(Point(point)) and is_water(np.array([point]), clear_m=60.0):
            return point


def _crossings(segment: LineString, union: MultiPolygon) -> list[float]:
    """Say how far along a segment it enters or leaves the hulls, in order."""
    if not union.intersects(segment):
        return []
    ends = []
    for part in shapely.get_parts(segment.intersection(union)):
        for x, y in (part.coords[0], part.coords[-1]):
            along = float(segment.project(Point(x, y)))
            if 1e-6 < along < segment.length - 1e-6 and part.length > 1e-6:
                ends.append(along)
    return sorted(ends)


def _around(entered: Point | None, left: Point, hulls: Sequence[Polygon]) -> list[tuple[float, float]]:
    """Follow the hull that was entered to where it is left, the shorter way; a line that began ashore begins here."""
    if entered is None:
        return [(left.x, left.y)]
    rings = [ring for hull in hulls for ring in (hull.exterior, *hull.interiors)]
    ring = min(rings, key=lambda ring: ring.distance(entered) + ring.distance(left))
    here, there = ring.project(entered), ring.project(left)
    low, high = min(here, there), max(here, there)
    inner = list(substring(ring, low, high).coords)
    outer = [*substring(ring, high, ring.length).coords, *substring(ring, 0.0, low).coords]
    if high - low <= ring.length - (high - low):
        return inner if here <= there else inner[::-1]
    return outer if here > there else outer[::-1]


def _tiles_of(polygon: Polygon) -> list[Polygon]:
    west, south, east, north = polygon.bounds
    tiles: list[Polygon] = []
    for left in np.arange(west, east, _TILE_M):
        column = shapely.clip_by_rect(polygon, left, south, left + _TILE_M, north)
        for bottom in np.arange(south, north, _TILE_M):
            tiles += _polygons_of(shapely.clip_by_rect(column, left, bottom, left + _TILE_M, bottom + _TILE_M))
    return tiles


def _polygons_of(shape: shapely.Geometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(shape) if isinstance(part, Polygon)]


def _point_of(geometry: shapely.Geometry) -> Point:
    return PROVINCE_PLANE.to_metres(Point(geometry.centroid.x, geometry.centroid.y))
