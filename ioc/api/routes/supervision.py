"""Whose an alert is, and how severe: decisions that change no condition and put nothing off the list."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from ioc.api.alert_requests import AlertRequest, note_and_show, to_action
from ioc.api.auth import OPERATORS, SUPERVISORS, VIEWERS, signed_in
from ioc.api.idempotency import IdempotentRouter
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.errors import AccessDeniedError, InvalidRequestError


class AssignRequest(AlertRequest):
    """Whose the alert is to be: an account's name, or null for nobody."""

    to: str | None = Field(max_length=64)


class SeverityRequest(AlertRequest):
    """The new severity; that of the rule gives the alert back to the rule."""

    severity: Severity


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes that assign alerts and overrule severities, and ``/api/v1/operators``."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1", tags=["alerts"])
    Operator = Annotated[Person, Depends(person_with(api, *OPERATORS))]  # noqa: N806  it is a type
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type

    @routes.get("/operators", dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])
    async def operators() -> dict[str, Any]:
        """Who can take an alert."""
        found = await api.accounts.list_able(OPERATORS)
        return {"items": [{"name": account.name, "display_name": account.display_name} for account in found]}

    @routes.post("/alerts/{alert_id}/assign")
    async def assign(alert_id: UUID, asked: AssignRequest, by: Operator) -> dict[str, Any]:
        """Say whose an alert is. Operators take one for themselves or give their own away, supervisors assign any."""
        if asked.to is not None and asked.to not in {able.name for able in await api.accounts.list_able(OPERATORS)}:
            raise InvalidRequestError("no_such_operator", "to: nobody of that name can take an alert; see /operators")
        action = to_action(
            ChangeType.ASSIGNED, by, asked, at=services.clock.now(), to=asked.to,
            check=lambda alert: _check_may_assign(by, alert, asked.to),
        )  # fmt: skip
        return await note_and_show(by, action, await api.alert_actions.act(alert_id, action), to=asked.to)

    @routes.post("/alerts/{alert_id}/severity")
    async def severity(alert_id: UUID, asked: SeverityRequest, by: Supervisor) -> dict[str, Any]:
        """Overrule the rule's severity, until the rule says more than it says now."""
        action = to_action(ChangeType.SEVERITY_SET, by, asked, at=services.clock.now(), severity=asked.severity)
        alert = await api.alert_actions.act(alert_id, action)
        return await note_and_show(by, action, alert, severity=asked.severity.value)

    return routes


def _check_may_assign(by: Person, alert: Alert, to: str | None) -> None:
    """Refuse an operator who gives away what is not theirs. Taking over is theirs to do: shifts change."""
    if by.name not in (alert.assigned_to, to) and not by.roles & set(SUPERVISORS):
        raise AccessDeniedError("operators take alerts for themselves and give away their own; supervisors assign any")
