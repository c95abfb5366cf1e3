"""What there is: kinds of events, feeds with their state, newest readings, map layers."""

import asyncio
import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.rulebook.lateness import LatenessMarks
from geo.catalogue import read_layer
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_reading
from ioc.domain.kinds import KINDS
from ioc.errors import NotFoundError

SHOWN_LAYERS = ("land", "units", "zones", "places")


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of the catalogue."""
    signed = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1", tags=["catalogue"], dependencies=[signed])

    @routes.get("/kinds")
    async def kinds() -> dict[str, Any]:
        """Every kind of event with its fields, units and ranges."""
        return {"items": [_describe_kind(name) for name in KINDS]}

    @routes.get("/feeds")
    async def feeds() -> dict[str, Any]:
        """Every feed of this deployment: live, late, lost or never heard."""
        return {"items": list(await api.feed_statuses())}

    @routes.get("/latest")
    async def latest(
        kind: Annotated[list[str] | None, Query(max_length=50)] = None,
        unit: Annotated[str | None, Query(max_length=16)] = None,
    ) -> Response:
        """The newest reading of every asset, of some kinds or one unit."""
        for name in kind or ():
            if name not in KINDS:
                raise NotFoundError("kind", name)
        found = await api.history.latest(kinds=kind, unit_code=unit)
        # Thousands of readings: the framework's own encoder would hold everybody else up for half a second.
        marks = LatenessMarks(api.rulebook.rules)
        body = msgspec.json.encode({"items": [to_reading(reading, marks) for reading in found]})
        return Response(body, media_type="application/json")

    @routes.get("/geo/{layer}.geojson")
    async def geo(layer: str, request: Request) -> Response:
        """A layer of the map as GeoJSON."""
        if layer not in SHOWN_LAYERS:
            raise NotFoundError("layer", layer)
        packed, tag = await asyncio.to_thread(
            _pack_layer, layer, api.geo_directory, _changed_at(layer, api.geo_directory)
        )
        headers = {"ETag": tag, "Cache-Control": "private, max-age=300", "Vary": "Accept-Encoding"}
        if tag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return Response(packed, media_type="application/geo+json", headers={**headers, "Content-Encoding": "gzip"})
        return Response(
            await asyncio.to_thread(gzip.decompress, packed), media_type="application/geo+json", headers=headers
        )

    return routes


def _changed_at(layer: str, directory: Path | None) -> int:
    """Tell when the layer's imported file was written; 0 where there is none."""
    try:
        return 0 if directory is None else (directory / f"{layer}.geojson").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@lru_cache(maxsize=16)
def _pack_layer(layer: str, directory: Path | None, changed_at: int) -> tuple[bytes, str]:
    raw = read_layer(layer, directory)
    return gzip.compress(raw, 6, mtime=0), f'"{hashlib.sha256(raw).hexdigest()[:16]}"'


def _describe_kind(name: str) -> dict[str, Any]:
    kind = KINDS[name]
    fields = []
    for item in kind.fields:
        shown: dict[str, Any] = {"name": item.name, "type": item.type.__name__, "optional": item.optional}
        if item.quantity is not None:
            quantity = item.quantity
            shown |= {"unit": quantity.unit, "name_vi": quantity.vi, "name_en": quantity.en}
            shown |= {"low": quantity.low, "high": quantity.high}
        fields.append(shown)
    return {"kind": name, "asset_class": kind.asset_class, "fields": fields}
