"""Squall cells of the radar's nowcast to events: an outline in WGS 84, where it goes, the gusts under it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from shapely.geometry import Polygon

from connectors.feed import ParseContext
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name
from geo.position import Position
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, NowcastCell

_FARTHEST_NOWCAST = timedelta(hours=6)
_WIDEST_DEG = 3.0
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Corner = tuple[Annotated[float, msgspec.Meta(ge=-180, le=180)], Annotated[float, msgspec.Meta(ge=-90, le=90)]]

MEASURES = Measures(KINDS[NowcastCell.KIND], ("gust_m_s", "move_dir_deg", "move_m_s", "reflectivity_dbz"))


class WireCell(msgspec.Struct, kw_only=True):
    """A cell as it stands at ``time``: corners as [longitude, latitude], ``dir`` is the way it goes."""

    type: Literal["cell"]
    id: str
    time: _Instant
    until: _Instant
    polygon: Annotated[list[_Corner], msgspec.Meta(min_length=3, max_length=500)]
    gust_ms: Measured = msgspec.UNSET
    dir: Measured = msgspec.UNSET
    speed_ms: Measured = msgspec.UNSET
    dbz: Measured = msgspec.UNSET
    status: Literal["actual", "ended"] = "actual"


def to_cell(record: WireCell, context: ParseContext) -> Event:
    """Make the event of a cell; it stands at the middle of its outline.

    Raises:
        RefusedRecordError: a time, a name, the outline or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    until = check_instant(record.until, context.latest_at + _FARTHEST_NOWCAST, what="until")
    if until < observed_at:
        raise RefusedRecordError("until: before time")
    outline = _to_outline(record.polygon)
    (gust_m_s, move_dir_deg, move_m_s, reflectivity_dbz), _ = MEASURES.convert(
        (record.gust_ms, record.dir, record.speed_ms, record.dbz)
    )
    cell = NowcastCell(
        polygon_wkt=_to_wkt(outline),
        valid_until=until,
        gust_m_s=gust_m_s,
        move_dir_deg=move_dir_deg,
        move_m_s=move_m_s,
        reflectivity_dbz=reflectivity_dbz,
        status=record.status,
    )
    middle = outline.centroid
    return context.make_event(
        cell,
        asset_id=f"cell.{check_name(record.id, what='id')}",
        observed_at=observed_at,
        is_fixed=False,
        position=Position(lon_deg=round(middle.x, 5), lat_deg=round(middle.y, 5)),
    )


def _to_outline(corners: list[_Corner]) -> Polygon:
    outline = Polygon(corners)
    if not outline.is_valid or outline.area == 0:
        raise RefusedRecordError("polygon: crosses itself or has no area")
    west, south, east, north = outline.bounds
    if max(east - west, north - south) > _WIDEST_DEG:
        raise RefusedRecordError(f"polygon: wider than {_WIDEST_DEG:g} degrees, which no cell is")
    return outline


def _to_wkt(outline: Polygon) -> str:
    return "POLYGON ((" + ", ".join(f"{lon:.5f} {lat:.5f}" for lon, lat in outline.exterior.coords) + "))"
