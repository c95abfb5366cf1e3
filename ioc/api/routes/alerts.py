"""Alerts for those who look: lists, and one alert with its journal."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import VIEWERS, signed_in
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert, to_alert_event
from ioc.domain.alerts import Severity
from ioc.storage.alerts import AlertFilter


class AlertQuery(BaseModel):
    """Which alerts, and from where on. A name that means nothing is refused: as a filter it would let all through."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["open", "all"] = "open"
    severity: Severity | None = None
    rule: str | None = Field(None, max_length=100)
    asset: str | None = Field(None, max_length=100)
    unit: str | None = Field(None, max_length=16)
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, max_length=200)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/alerts`` that change nothing."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], dependencies=[viewer])

    @routes.get("")
    async def page(asked: Annotated[AlertQuery, Query()]) -> dict[str, Any]:
        """Alerts, newest first; ``next`` is the cursor of the next page."""
        which = AlertFilter(
            open_only=asked.state == "open", rule_id=asked.rule, asset_id=asked.asset, unit_code=asked.unit,
            severity=None if asked.severity is None else asked.severity.value,
        )  # fmt: skip
        found = await api.alerts.page(which, limit=asked.limit, cursor=asked.cursor)
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
