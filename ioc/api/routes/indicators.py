"""The indicators of the province: each with its method, now and over time."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.indicators.board import Shown
from ioc.indicators.indicator import Definition

_BUCKETS = {"1m": timedelta(minutes=1), "15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
_DEFAULT_RANGE = timedelta(hours=24)
_LONGEST = timedelta(days=400)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of the indicators."""
    routes = APIRouter(prefix="/api/v1", tags=["indicators"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])

    @routes.get("/indicators")
    async def indicators() -> dict[str, Any]:
        """Every indicator now, in the order in which walls show them: value, limit, time, quality and method."""
        shown = api.hub.shown or api.hub.board.show(services.clock.now())
        return {"items": [_to_item(item) for item in shown]}

    @routes.get("/indicators/{indicator_id}")
    async def indicator(
        indicator_id: str,
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        bucket: Literal["1m", "15m", "1h", "1d"] = "15m",
        limit: Annotated[int, Query(ge=1, le=20_000)] = 5_000,
    ) -> dict[str, Any]:
        """One indicator over time: points as [ms, mean, lowest, highest, worst quality], oldest first."""
        definition = next((item for item in api.hub.board.definitions if item.indicator_id == indicator_id), None)
        if definition is None:
            raise NotFoundError("indicator", indicator_id)
        end = services.clock.now() if end is None else check_instant(end)
        start = end - _DEFAULT_RANGE if start is None else check_instant(start)
        if not timedelta(0) < end - start <= _LONGEST:
            raise InvalidRequestError("bad_range", f"`from` must be before `to`, by at most {_LONGEST.days} days")
        found = await api.indicators.history(
            indicator_id, start=start, end=end, bucket=_BUCKETS[bucket], limit=limit + 1
        )
        points = [[to_ms(item.at), item.mean, item.low, item.high, item.quality] for item in found[:limit]]
        return {**_describe(definition), "bucket": bucket, "points": points, "truncated": len(found) > limit}

    return routes


def _to_item(shown: Shown) -> dict[str, Any]:
    figure = shown.figure
    return {
        **_describe(shown.definition),
        "value": figure.value,
        "limit": shown.definition.limit if figure.limit is None else figure.limit,
        "at": to_ms(figure.at),
        "quality": int(figure.quality),
        "course": shown.course,
    }


def _describe(definition: Definition) -> dict[str, Any]:
    return {
        "id": definition.indicator_id,
        "name_vi": definition.name_vi,
        "name_en": definition.name_en,
        "unit": definition.unit,
        "limit": definition.limit,
        "is_floor": definition.is_floor,
        "method_vi": definition.method_vi,
        "method_en": definition.method_en,
    }
