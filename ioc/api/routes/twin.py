"""The twin: how everything stands, how it stood at any instant, and where moving things went."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from alerts.rulebook.lateness import LatenessMarks
from geo.journeys import Fix, simplify_stretch, split_journey
from geo.position import Position
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import check_instant, read_box, read_cursor, write_cursor
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms, to_reading
from ioc.domain.kinds import KINDS, NowcastCell, VehiclePosition, VesselPosition
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.twin import Box, TwinQuery

_MOST_FIXES = 20_000
_LONGEST = timedelta(days=7)
_DEFAULT_RANGE = timedelta(hours=1)
MOVING = {kind.ASSET_CLASS: kind.KIND for kind in (VesselPosition, VehiclePosition, NowcastCell)}
"""Kinds that tell where a thing went, by the class that its id begins with."""


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of the twin."""
    routes = APIRouter(prefix="/api/v1", tags=["twin"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])

    @routes.get("/twin")
    async def twin(
        kind: Annotated[list[str] | None, Query(max_length=60)] = None,
        asset_class: Annotated[str | None, Query(alias="class", max_length=32)] = None,
        unit: Annotated[str | None, Query(max_length=16)] = None,
        prefix: Annotated[str | None, Query(max_length=64)] = None,
        bbox: Annotated[str | None, Query(max_length=100)] = None,
        as_of: AwareDatetime | None = None,
        known: Literal["now", "then"] = "now",
        limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
    ) -> Response:
        """The current state of every asset, unit, task, case and indicator; with ``as_of`` their state at that instant.

        ``known=then`` leaves out what had not been received by then: what an operator could have seen.
        """
        box = read_box(bbox)
        query = TwinQuery(
            kinds=_choose_kinds(kind, asset_class), unit_code=unit, prefix=prefix,
            box=None if box is None else Box(west=box[0], south=box[1], east=box[2], north=box[3]),
            as_of=None if as_of is None else check_instant(as_of), known_at=as_of if known == "then" else None,
        )  # fmt: skip
        marks = LatenessMarks(api.rulebook.rules)
        page = await api.twin.page(query, after=read_cursor(cursor), limit=limit)
        body = {
            "as_of": to_ms(as_of or services.clock.now()),
            "items": [{**to_reading(item, marks), "class": KINDS[item.kind].asset_class} for item in page.items],
            "next": write_cursor(page.next),
        }
        return Response(msgspec.json.encode(body), media_type="application/json")

    @routes.get("/tracks/{asset_id}")
    async def track(
        asset_id: str,
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        simplify_m: Annotated[float, Query(ge=0, le=10_000, allow_inf_nan=False)] = 0,
    ) -> Response:
        """Where a moving thing went, as GeoJSON: one line per stretch, cut where it was silent or leapt.

        ``times`` has the instants of the vertices in milliseconds, line by line; the last hour where no range is given.
        """
        kind = MOVING.get(asset_id.partition(".")[0])
        if kind is None:
            raise NotFoundError("moving asset", asset_id)
        end = services.clock.now() if end is None else check_instant(end)
        start = end - _DEFAULT_RANGE if start is None else check_instant(start)
        if not timedelta(0) < end - start <= _LONGEST:
            raise InvalidRequestError("bad_range", f"`from` lies before `to`, at most {_LONGEST.days} days")
        found = await api.twin.track(kind=kind, asset_id=asset_id, start=start, end=end, limit=_MOST_FIXES + 1)
        body = _to_track(asset_id, found[:_MOST_FIXES], simplify_m, truncated=len(found) > _MOST_FIXES)
        return Response(msgspec.json.encode(body), media_type="application/geo+json")

    return routes


def _choose_kinds(names: list[str] | None, asset_class: str | None) -> tuple[str, ...]:
    for name in names or ():
        if name not in KINDS:
            raise NotFoundError("kind", name)
    chosen = [name for name in names or KINDS if asset_class in (None, KINDS[name].asset_class)]
    if not chosen:
        raise NotFoundError("class", asset_class or "")
    return tuple(chosen)


def _to_track(
    asset_id: str, found: list[tuple[datetime, float, float]], simplify_m: float, *, truncated: bool
) -> dict[str, Any]:
    fixes = [Fix(at, Position(lon_deg=lon, lat_deg=lat)) for at, lon, lat in found]
    stretches = [simplify_stretch(stretch, simplify_m) for stretch in split_journey(fixes) if len(stretch) > 1]
    lines = [[[fix.position.lon_deg, fix.position.lat_deg] for fix in stretch] for stretch in stretches]
    return {
        "type": "Feature",
        "id": asset_id,
        "geometry": {"type": "MultiLineString", "coordinates": lines} if lines else None,
        "properties": {
            "asset_id": asset_id,
            "times": [[to_ms(fix.at) for fix in stretch] for stretch in stretches],
            "fixes_count": len(found),
            "truncated": truncated,
        },
    }
