"""A vessel that a squall cell covers, or meets within half an hour if both keep their course."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import shapely
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from alerts.approaches import compare
from alerts.conditions.afloat import AfloatEvaluator, Danger
from alerts.conditions.sea_state import OPEN_SEA, SEA_FORWARDS, SquallCells, VesselState
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.world import SEA_KINDS, World
from geo.plane import PROVINCE_PLANE
from geo.tracks import METRES_PER_NAUTICAL_MILE
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import NowcastCell, Payload, VesselPosition

_KNOT_M_S = METRES_PER_NAUTICAL_MILE / 3_600
_MOST_CELLS = 64
_Path = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VesselSquall:
    """A cell, grown by ``margin_m``, comes over the vessel within ``ahead``: each moves on as it does now."""

    levels: tuple[Level, ...]
    ahead: timedelta
    margin_m: float
    kinds: tuple[type[Payload], ...] = (VesselPosition, NowcastCell)
    facts: frozenset[str] = field(default=frozenset({"minutes", "gust", "cell"}))

    def bind(self, rule: Rule, index: int, world: World) -> SquallEvaluator:
        """Make the evaluator."""
        return SquallEvaluator(rule, index, world, self)


def read_vessel_squall(table: Table) -> VesselSquall:
    """Read the keys of a squall rule."""
    return VesselSquall(
        levels=(Level(severity=table.severity("severity")),),
        ahead=table.duration("ahead"),
        margin_m=table.number("margin_m", 0.0),
    )


class SquallEvaluator(AfloatEvaluator):
    """Sends cells to every water, since they cross from one to the next, and looks along the relative path there."""

    def __init__(self, rule: Rule, index: int, world: World, condition: VesselSquall) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._waters = [OPEN_SEA, *(f"zone:{zone}" for zone in sorted(world.zone_ids(SEA_KINDS)))]
        self._outlines: dict[bytes, BaseGeometry] = {}
        self.forwards = {VesselPosition: SEA_FORWARDS[VesselPosition], NowcastCell: f"cells of {rule.rule_id}"}

    def _scopes_of(self, event: Event) -> list[str]:
        return self._waters

    def _take(self, memory: PartitionMemory, scope: str, event: Event) -> bool:
        state = memory.series[self._index].get(scope)
        if not isinstance(state, SquallCells):
            state = memory.series[self._index][scope] = SquallCells(shape=self.rule.condition_name)
        known = state.cells.get(event.asset_id)
        if known is not None and event.observed_at <= known.observed_at:
            return False
        state.cells[event.asset_id] = event
        live = [(cell.observed_at, name) for name, cell in state.cells.items() if _is_live(cell, memory.clock)]
        keep = {event.asset_id, *(name for _, name in sorted(live)[-_MOST_CELLS:])}
        state.cells = {name: cell for name, cell in state.cells.items() if name in keep}
        self._wake(memory, scope)
        return True

    def _wake(self, memory: PartitionMemory, scope: str) -> None:
        """Look again when a cell is over; a cell moves on meanwhile, and vessels are heard once a minute."""
        state = memory.series[self._index].get(scope)
        for cell in state.cells.values() if isinstance(state, SquallCells) else ():
            if isinstance(cell.data, NowcastCell) and cell.data.valid_until > memory.clock:
                memory.wake_at(cell.data.valid_until, self._index, scope)

    def _find(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Danger | None:
        state = memory.series[self._index].get(scope)
        if not isinstance(state, SquallCells) or vessel.event is None:
            return None
        found = []
        for name, cell in sorted(state.cells.items()):
            minutes = self._meets(cell, vessel.event, at) if _is_live(cell, at) else None
            if minutes is not None and isinstance(cell.data, NowcastCell):
                found.append((minutes, name, cell.data.gust_m_s, bytes(cell.event_id)))
        if not found:
            return None
        minutes, name, gust, event_id = min(found, key=lambda item: item[:2])
        facts: dict[str, str | float] = {"minutes": minutes, "cell": name.removeprefix("cell.")}
        if gust is not None:
            facts["gust"] = gust
        return Danger(minutes, self._condition.ahead / timedelta(minutes=1), facts, (event_id,))

    def _meets(self, cell: Event, vessel: Event, at: datetime) -> float | None:
        """Give the minutes until a cell comes over a vessel, 0 when it is there; None if it does not.

        Seen from the cell, the vessel moves along one straight line.
        """
        path, ahead_s = self._path(cell, vessel, at)
        if path is None:
            return None
        start, end = path
        outline, path_m = self._outline(cell), math.dist(start, end)
        if outline.intersects(Point(start)):
            return 0.0
        if path_m == 0 or not outline.intersects(line := LineString([start, end])):
            return None
        return float(outline.intersection(line).distance(Point(start))) / path_m * ahead_s / 60

    def _path(self, cell: Event, vessel: Event, at: datetime) -> tuple[_Path | None, float]:
        """Give where a vessel is seen from a cell, in metres: now, and after the seconds that are looked ahead."""
        data, speed = cell.data, vessel.data
        if not isinstance(data, NowcastCell) or not isinstance(speed, VesselPosition) or vessel.lon_deg is None:
            return None, 0.0
        east, north = PROVINCE_PLANE.metres_per_degree
        cell_m_s = _velocity(data.move_dir_deg, data.move_m_s)
        vessel_m_s = _velocity(speed.cog_deg, None if speed.sog_kn is None else speed.sog_kn * _KNOT_M_S)
        since_s = max(0.0, (at - vessel.observed_at).total_seconds())
        cell_since_s = (at - cell.observed_at).total_seconds()
        ahead_s = min(self._condition.ahead, data.valid_until - at).total_seconds()
        start, end = (
            (
                vessel.lon_deg * east + vessel_m_s[0] * (since_s + s) - cell_m_s[0] * (cell_since_s + s),
                (vessel.lat_deg or 0.0) * north + vessel_m_s[1] * (since_s + s) - cell_m_s[1] * (cell_since_s + s),
            )
            for s in (0.0, ahead_s)
        )
        return (start, end), ahead_s

    def _parts(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        state, event = memory.series[self._index].get(scope), vessel.event
        cells = state.cells.values() if isinstance(state, SquallCells) else ()
        live = [cell for cell in cells if _is_live(cell, at)]
        yield Part("squall_cell", bool(live))
        margin_m = self._condition.margin_m
        paths = [] if event is None else [(cell, self._path(cell, event, at)[0]) for cell in live]
        passes_m = [float(self._outline(cell).distance(LineString(path))) for cell, path in paths if path is not None]
        if passes_m:
            yield compare("passes_m", min(passes_m) + margin_m, "<=", margin_m)

    def _outline(self, cell: Event) -> BaseGeometry:
        found = self._outlines.get(bytes(cell.event_id))
        if found is None:
            wkt = cell.data.polygon_wkt if isinstance(cell.data, NowcastCell) else "POLYGON EMPTY"
            found = PROVINCE_PLANE.to_metres(shapely.from_wkt(wkt)).buffer(self._condition.margin_m)
            shapely.prepare(found)
            if len(self._outlines) >= 4 * _MOST_CELLS:
                self._outlines.clear()
            self._outlines[bytes(cell.event_id)] = found
        return found


def _is_live(cell: Event, at: datetime) -> bool:
    data = cell.data
    return isinstance(data, NowcastCell) and data.status == "actual" and at < data.valid_until


def _velocity(course_deg: float | None, speed_m_s: float | None) -> tuple[float, float]:
    """East and north parts; nothing where course or speed is not known."""
    if course_deg is None or speed_m_s is None:
        return 0.0, 0.0
    course = math.radians(course_deg)
    return speed_m_s * math.sin(course), speed_m_s * math.cos(course)
