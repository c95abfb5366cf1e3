"""The twin as OGC API Features (17-069r4): collections of things as GeoJSON, page by page."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import OFFSET_NEEDED, check_instant, read_box, read_cursor, write_cursor
from ioc.api.services import ApiServices, Services
from ioc.domain.ids import format_event_id
from ioc.domain.kinds import KINDS, Kind
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.series import Reading
from ioc.storage.twin import Box, TwinPage, TwinQuery

BASE = "/api/v1/ogc"
CONFORMS_TO = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)
_PARAMETERS = frozenset({"bbox", "datetime", "limit", "cursor"})
_GEOJSON = "application/geo+json"


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/ogc``."""
    routes = APIRouter(prefix=BASE, tags=["features"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])

    @routes.get("")
    async def landing() -> dict[str, Any]:
        """What there is to find here."""
        return _landing()

    @routes.get("/conformance")
    async def conformance() -> dict[str, Any]:
        """The parts of the standard that hold here."""
        return {"conformsTo": list(CONFORMS_TO)}

    @routes.get("/collections")
    async def collections() -> dict[str, Any]:
        """Every collection: one per kind of event, of the things that report it."""
        return {
            "collections": [_describe(kind) for kind in KINDS.values()],
            "links": [_link("self", f"{BASE}/collections")],
        }

    @routes.get("/collections/{collection_id}")
    async def collection(collection_id: str) -> dict[str, Any]:
        """One collection."""
        return _describe(_find(collection_id))

    @routes.get("/collections/{collection_id}/items")
    async def items(
        request: Request,
        collection_id: str,
        bbox: Annotated[str | None, Query(max_length=100)] = None,
        when: Annotated[str | None, Query(alias="datetime", max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=5_000)] = 100,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
    ) -> Response:
        """The things of a collection as they stand; ``datetime`` asks for an instant or an interval (RFC 3339)."""
        _refuse_unknown(request)
        page = await api.twin.page(_to_query(_find(collection_id), bbox, when), after=read_cursor(cursor), limit=limit)
        return _answer(_to_collection(request, page, services.clock.now()))

    @routes.get("/collections/{collection_id}/items/{feature_id}")
    async def item(collection_id: str, feature_id: str) -> Response:
        """One thing."""
        query = TwinQuery(kinds=(_find(collection_id).name,), asset_id=feature_id)
        page = await api.twin.page(query, limit=1)
        if not page.items:
            raise NotFoundError("feature", feature_id)
        path = f"{BASE}/collections/{collection_id}"
        links = [_link("self", f"{path}/items/{feature_id}", _GEOJSON), _link("collection", path)]
        return _answer({**_to_feature(page.items[0]), "links": links})

    return routes


def read_datetime(text: str | None) -> tuple[datetime | None, datetime | None]:
    """Read an instant, or an interval with ``..`` for an open end, as (since, as_of).

    Raises:
        InvalidRequestError: it is neither.
    """
    if text is None:
        return None, None
    parts = text.split("/")
    if len(parts) > 2:
        raise InvalidRequestError("bad_datetime", "datetime is an instant, or from/to with .. for an open end")
    ends = [None if part in ("", "..") and len(parts) == 2 else _read_instant(part) for part in parts]
    if len(ends) == 1:
        return None, ends[0]
    since, until = ends
    if since is not None and until is not None and since > until:
        raise InvalidRequestError("bad_datetime", "the interval ends before it begins")
    return since, until


def _read_instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError("bad_datetime", "datetime is an instant such as 2026-11-23T06:00:00Z") from error
    if at.tzinfo is None:
        raise InvalidRequestError("bad_datetime", f"datetime: {OFFSET_NEEDED}")
    return check_instant(at)


def _refuse_unknown(request: Request) -> None:
    # The standard wants this: a parameter that is mistyped must not be answered as if it were not there.
    if unknown := sorted(set(request.query_params) - _PARAMETERS):
        raise InvalidRequestError("unknown_parameter", f"no parameter {unknown[0]!r}; there are {sorted(_PARAMETERS)}")


def _to_query(kind: Kind, bbox: str | None, when: str | None) -> TwinQuery:
    box, (since, as_of) = read_box(bbox), read_datetime(when)
    return TwinQuery(
        kinds=(kind.name,), since=since, as_of=as_of,
        box=None if box is None else Box(west=box[0], south=box[1], east=box[2], north=box[3]),
    )  # fmt: skip


def _landing() -> dict[str, Any]:
    return {
        "title": "IOC Quảng Ninh",
        "links": [
            _link("self", BASE),
            _link("service-desc", "/openapi.json", "application/vnd.oai.openapi+json;version=3.0"),
            _link("conformance", f"{BASE}/conformance"),
            _link("data", f"{BASE}/collections"),
        ],
    }


def _find(collection_id: str) -> Kind:
    if (kind := KINDS.get(collection_id)) is None:
        raise NotFoundError("collection", collection_id)
    return kind


def _describe(kind: Kind) -> dict[str, Any]:
    path = f"{BASE}/collections/{kind.name}"
    return {
        "id": kind.name,
        "title": kind.name,
        "description": (kind.payload.__doc__ or "").strip().split("\n", 1)[0],
        "itemType": "feature",
        "links": [_link("self", path), _link("items", f"{path}/items", _GEOJSON)],
    }


def _to_collection(request: Request, page: TwinPage, now: datetime) -> dict[str, Any]:
    links = [_link("self", f"{request.url.path}?{request.url.query}".rstrip("?"), _GEOJSON)]
    if (cursor := write_cursor(page.next)) is not None:
        following = request.url.include_query_params(cursor=cursor)
        links.append(_link("next", f"{following.path}?{following.query}", _GEOJSON))
    return {
        "type": "FeatureCollection",
        "timeStamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "numberReturned": len(page.items),
        "features": [_to_feature(reading) for reading in page.items],
        "links": links,
    }


def _to_feature(reading: Reading) -> dict[str, Any]:
    has_place = reading.lon_deg is not None and reading.lat_deg is not None
    return {
        "type": "Feature",
        "id": reading.asset_id,
        "geometry": {"type": "Point", "coordinates": [reading.lon_deg, reading.lat_deg]} if has_place else None,
        "properties": {
            **reading.values,
            "kind": reading.kind,
            "event_id": format_event_id(reading.event_id),
            "observed_at": reading.observed_at,
            "received_at": reading.received_at,
            "quality": int(reading.quality),
            "unit_code": reading.unit_code,
            "feed_id": reading.feed_id,
        },
    }


def _link(relation: str, path: str, media_type: str = "application/json") -> dict[str, str]:
    return {"rel": relation, "href": path, "type": media_type}


def _answer(body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), media_type=_GEOJSON)
