"""The condition of one alert taken off the operators' list, and given back."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime

from ioc.api.alert_requests import AlertRequest, note_and_show, to_action
from ioc.api.auth import SUPERVISORS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.domain.alerts import ChangeType


class HoldRequest(AlertRequest):
    """Until when the alert's condition stays off the list."""

    until: AwareDatetime | None = None


class ReturnRequest(AlertRequest):
    """Why the alert comes back before its time."""


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes that hold an alert's condition and give it back."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/alerts/{alert_id}", tags=["alerts"])
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type

    async def hold(kind: ChangeType, alert_id: UUID, asked: HoldRequest, by: Person) -> dict[str, Any]:
        action = to_action(kind, by, asked, at=services.clock.now(), until=asked.until)
        alert = await api.suppressions.hold_alert(alert_id, action)
        entry = {"until": to_ms(alert.suppressed_until), "suppression_id": str(alert.suppression_id)}
        return await note_and_show(by, action, alert, **entry)

    @routes.post("/return")
    async def give_back(alert_id: UUID, asked: ReturnRequest, by: Supervisor) -> dict[str, Any]:
        """Give an alert back to the operators by ending what holds only its condition."""
        action = to_action(ChangeType.RETURNED, by, asked, at=services.clock.now())
        return await note_and_show(by, action, await api.suppressions.return_alert(alert_id, action))

    @routes.post("/suppress")
    async def suppress(alert_id: UUID, asked: HoldRequest, by: Supervisor) -> dict[str, Any]:
        """Suppress the condition of an alert, with all its later occurrences, until an instant."""
        return await hold(ChangeType.SUPPRESSED, alert_id, asked, by)

    @routes.post("/out-of-service")
    async def take_out_of_service(alert_id: UUID, asked: HoldRequest, by: Supervisor) -> dict[str, Any]:
        """Take the condition of an alert out of service until an instant: what it measures is not to be trusted."""
        return await hold(ChangeType.OUT_OF_SERVICE, alert_id, asked, by)

    return routes
