"""Reports: what happened in a shift, and how well the alarm system served; as JSON and as pages to print."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime

from alerts.performance.figures import Performance
from alerts.shift import ShiftName, find_shift
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import check_instant
from ioc.api.performance_page import write_performance_page
from ioc.api.report_page import Language, unit_names
from ioc.api.report_views import to_performance, to_shift
from ioc.api.services import ApiServices, Services
from ioc.api.shift_page import write_shift_page
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.reports import Shift, read_performance, read_shift

SHIFT = timedelta(hours=8)
DAY = timedelta(days=1)
From = Annotated[AwareDatetime | None, Query(alias="from")]
To = Annotated[AwareDatetime | None, Query(alias="to")]


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/reports``."""
    routes = APIRouter(
        prefix="/api/v1/reports", tags=["reports"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))]
    )

    async def report_shift(start: From = None, end: To = None, shift: ShiftName | None = None) -> Shift:
        now = services.clock.now()
        if shift is not None:
            if start is not None or end is not None:
                raise InvalidRequestError("bad_range", "name a shift, or give `from` and `to`, not both")
            start, end = find_shift(shift, now)
            return await read_shift(api.alerts, start, end)
        end = now if end is None else min(now, check_instant(end))
        return await read_shift(api.alerts, end - SHIFT if start is None else check_instant(start), end)

    async def measure(
        start: From = None, end: To = None, unit: Annotated[str | None, Query(max_length=16)] = None
    ) -> Performance:
        now = services.clock.now()
        end = now if end is None else min(now, check_instant(end))
        start = end - DAY if start is None else check_instant(start)
        if unit is not None and unit not in unit_names():
            raise NotFoundError("unit", unit)
        return await read_performance(api.alerts, start, end, unit_code=unit)

    @routes.get("/shift")
    async def shift(made: Annotated[Shift, Depends(report_shift)]) -> dict[str, Any]:
        """A shift by its name, such as the one that runs now; the last eight hours where no range is given."""
        return to_shift(made)

    @routes.get("/shift.html", response_class=HTMLResponse)
    async def shift_page(made: Annotated[Shift, Depends(report_shift)], lang: Language = "vi") -> HTMLResponse:
        """The same to read and to print."""
        return HTMLResponse(write_shift_page(made, lang, api.name_of))

    @routes.get("/alarm-performance")
    async def performance(made: Annotated[Performance, Depends(measure)]) -> dict[str, Any]:
        """The last day where no range is given; at most 31 days. Targets stand beside the figures."""
        return to_performance(made)

    @routes.get("/alarm-performance.html", response_class=HTMLResponse)
    async def performance_page(made: Annotated[Performance, Depends(measure)], lang: Language = "vi") -> HTMLResponse:
        """The same to read and to print."""
        return HTMLResponse(write_performance_page(made, lang))

    return routes
