"""The shift report: what happened, who acted, what is handed over; as JSON and as a page to print."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime

from alerts.shift import Deed, ShiftReport, make_shift_report
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.api.shift_page import Language, write_shift_page
from ioc.api.views import to_alert, to_ms
from ioc.errors import InvalidRequestError

SHIFT = timedelta(hours=8)
_LONGEST = timedelta(days=7)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/reports``."""
    routes = APIRouter(
        prefix="/api/v1/reports", tags=["reports"], dependencies=[Depends(signed_in(api.accounts, *VIEWERS))]
    )

    async def report(
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    ) -> ShiftReport:
        now = services.clock.now()
        end = now if end is None else min(now, check_instant(end))
        start = end - SHIFT if start is None else check_instant(start)
        if not timedelta(0) < end - start <= _LONGEST:
            raise InvalidRequestError(
                "bad_range", f"`from` must be before `to` and now, by at most {_LONGEST.days} days"
            )
        return make_shift_report(
            await api.alerts.events_between(start, end), await api.alerts.open_at(end), start=start, end=end
        )

    @routes.get("/shift")
    async def shift(made: Annotated[ShiftReport, Depends(report)]) -> dict[str, Any]:
        """The last eight hours where no range is given."""
        return _to_json(made)

    @routes.get("/shift.html", response_class=HTMLResponse)
    async def shift_page(made: Annotated[ShiftReport, Depends(report)], lang: Language = "vi") -> HTMLResponse:
        """The same to read and to print."""
        return HTMLResponse(write_shift_page(made, lang))

    return routes


def _to_json(report: ShiftReport) -> dict[str, Any]:
    return {
        "from": to_ms(report.start),
        "to": to_ms(report.end),
        "fired": {severity.value: count for severity, count in report.fired.items()},
        "ended": {severity.value: count for severity, count in report.ended.items()},
        "fired_by_rule": dict(report.fired_by_rule),
        "fired_by_unit": dict(report.fired_by_unit),
        "mean_to_acknowledge_s": _seconds(report.mean_to_acknowledge),
        "mean_to_end_s": _seconds(report.mean_to_end),
        "deeds": [_to_deed(deed) for deed in report.deeds],
        "open": [to_alert(alert) for alert in report.open],
    }


def _to_deed(deed: Deed) -> dict[str, Any]:
    alert = deed.alert
    return {
        "at": to_ms(deed.at), "actor": deed.actor, "type": deed.type.value, "reason": deed.reason,
        "after_s": deed.after.total_seconds(), "alert_id": str(alert.alert_id), "title_vi": alert.title_vi,
        "title_en": alert.title_en,
    }  # fmt: skip


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
