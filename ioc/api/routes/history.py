"""History of one quantity of one thing, and how things stood at an instant."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from alerts.rulebook.lateness import LatenessMarks
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms, to_reading
from ioc.errors import InvalidRequestError
from ioc.storage.buckets import Bucket
from ioc.storage.series import Aggregate, Fill

_MOST_BUCKETS = 20_000
_DEFAULT_RANGE = timedelta(hours=24)
_WIDTHS = {
    "1m": timedelta(minutes=1),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of history."""
    routes = APIRouter(prefix="/api/v1", tags=["history"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])

    @routes.get("/history/{kind}/{asset_id}")
    async def history(
        kind: str,
        asset_id: str,
        quantity: Annotated[str, Query(max_length=64)],
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        bucket: Literal["raw", "1m", "15m", "1h", "1d"] = "15m",
        aggregate: Aggregate = Aggregate.MEAN,
        fill: Fill = Fill.NONE,
        limit: Annotated[int, Query(ge=1, le=_MOST_BUCKETS)] = 5_000,
    ) -> dict[str, Any]:
        """Points as [ms, value], oldest first; the last 24 hours where no range is given.

        What has left the store comes from the archive; files of it that cannot be read are named, and missing.
        """
        end = services.clock.now() if end is None else check_instant(end)
        start = end - _DEFAULT_RANGE if start is None else check_instant(start)
        _check_range(start, end, bucket)
        found = await api.history.series(
            kind=kind, asset_id=asset_id, quantity=quantity, start=start, end=end,
            bucket=None if bucket == "raw" else Bucket(bucket), aggregate=aggregate, fill=fill, limit=limit,
        )  # fmt: skip
        return {
            "kind": found.kind,
            "asset_id": found.asset_id,
            "quantity": found.quantity,
            "unit": found.unit,
            "bucket": bucket,
            "aggregate": None if bucket == "raw" else found.aggregate.value,
            "points": [[to_ms(at), value] for at, value in found.points],
            "truncated": found.truncated,
            "from_archive": found.from_archive,
            "unreadable_files": list(found.unreadable_files),
        }

    @routes.get("/as-of/{kind}")
    async def as_of(
        kind: str, at: AwareDatetime, asset: Annotated[list[str] | None, Query(max_length=1_000)] = None
    ) -> dict[str, Any]:
        """How every asset of a kind stood at an instant: its last reading at or before it."""
        check_instant(at)
        marks = LatenessMarks(api.rulebook.rules)
        found = await api.history.as_of(at, kind=kind, assets=asset)
        return {"items": [to_reading(reading, marks) for reading in found]}

    return routes


def _check_range(start: datetime, end: datetime, bucket: str) -> None:
    if start >= end:
        raise InvalidRequestError("bad_range", "`from` must be before `to`")
    if bucket in _WIDTHS and (end - start) / _WIDTHS[bucket] > _MOST_BUCKETS:
        raise InvalidRequestError("too_many_points", f"more than {_MOST_BUCKETS} buckets of {bucket}; take wider ones")
