"""Alerts for those who look: lists, and one alert with its journal."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ioc.api.auth import VIEWERS, signed_in
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert, to_alert_event
from ioc.domain.alerts import Severity
from ioc.storage.alerts import AlertFilter


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/alerts`` that change nothing."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], dependencies=[viewer])

    @routes.get("")
    async def page(
        state: Literal["open", "all"] = "open",
        severity: Severity | None = None,
        rule: Annotated[str | None, Query(max_length=100)] = None,
        asset: Annotated[str | None, Query(max_length=100)] = None,
        unit: Annotated[str | None, Query(max_length=16)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> dict[str, Any]:
        """Alerts, newest first; ``next`` is the cursor of the next page."""
        which = AlertFilter(
            open_only=state == "open", rule_id=rule, asset_id=asset, unit_code=unit,
            severity=None if severity is None else severity.value,
        )  # fmt: skip
        found = await api.alerts.page(which, limit=limit, cursor=cursor)
        return {"items": [to_alert(alert) for alert in found.items], "next": found.next_cursor}

    @routes.get("/{alert_id}")
    async def one(alert_id: UUID) -> dict[str, Any]:
        """One alert with its journal: the newest thousand entries, oldest first."""
        alert = await api.alerts.get(alert_id)
        return {
            "alert": to_alert(alert),
            "events": [to_alert_event(event) for event in await api.alerts.events(alert_id)],
        }

    return routes
