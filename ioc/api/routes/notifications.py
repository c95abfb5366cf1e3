"""The log of notifications: what was told to whom, and why."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ioc.api.auth import VIEWERS
from ioc.api.notification_views import to_notification
from ioc.api.paging import LARGEST_ID
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the route ``/api/v1/notifications``."""
    routes = APIRouter(prefix="/api/v1", tags=["notifications"])

    @routes.get("/notifications")
    async def notifications(
        by: Annotated[Person, Depends(person_with(api, *VIEWERS))],
        department: Annotated[str | None, Query(max_length=100)] = None,
        alert: UUID | None = None,
        before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> dict[str, Any]:
        """What was told to whom and why, newest first; ``next`` is ``before`` of the next page."""
        # Who only acts for a department sees what that was told.
        whose = by.department if by.roles == {"department"} else department
        found = await api.notifications.notifications(department=whose, alert_id=alert, before=before, limit=limit + 1)
        page = found[:limit]
        following = page[-1]["notification_id"] if len(found) > limit else None
        return {"items": [to_notification(row) for row in page], "next": following}

    return routes
