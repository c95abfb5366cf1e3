"""What operators do to alerts: to one of them, or to several that they have selected."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ioc.api.auth import OPERATORS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import IocError, RefusedActionError, RevisionConflictError
from ioc.storage.alert_actions import Action

_Text = Annotated[str | None, Field(max_length=2_000)]
_TYPES = {
    "acknowledge": ChangeType.ACKNOWLEDGED,
    "resolve": ChangeType.RESOLVED,
    "comment": ChangeType.COMMENTED,
    "shelve": ChangeType.SHELVED,
    "unshelve": ChangeType.UNSHELVED,
}
Verb = Literal["acknowledge", "resolve", "comment", "shelve", "unshelve"]


class AlertAction(BaseModel):
    """What an operator asks, with the revision that they saw: if somebody was faster, nothing happens (409)."""

    model_config = ConfigDict(extra="forbid")
    expected_revision: int = Field(ge=1)
    comment: _Text = None
    reason: _Text = None
    until: AwareDatetime | None = None


class NamedAlert(BaseModel):
    """An alert as the operator saw it."""

    model_config = ConfigDict(extra="forbid")
    id: UUID
    expected_revision: int = Field(ge=1)


class SeveralAlerts(BaseModel):
    """A selected group: never "all", so that nobody takes note of what they have not seen."""

    model_config = ConfigDict(extra="forbid")
    items: list[NamedAlert] = Field(min_length=1, max_length=200)
    comment: _Text = None

    @model_validator(mode="after")
    def _check_named_once(self) -> Self:
        if len({item.id for item in self.items}) < len(self.items):
            raise ValueError("items: each alert once")
        return self


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/alerts`` by which operators act."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/alerts", tags=["alerts"])
    Operator = Annotated[Person, Depends(person_with(api, *OPERATORS))]  # noqa: N806  it is a type

    @routes.post("/acknowledge")
    async def acknowledge_several(asked: SeveralAlerts, by: Operator) -> dict[str, Any]:
        """Acknowledge exactly the alerts that are named. Each is done, or not, for itself; the answer says which."""
        now = services.clock.now()
        wanted = {
            item.id: Action(
                type=ChangeType.ACKNOWLEDGED, actor=by.name, at=now, expected_revision=item.expected_revision,
                reason=asked.comment,
            )
            for item in asked.items
        }  # fmt: skip
        found = await api.alert_actions.acknowledge_several(wanted)
        results = [_to_result(item.id, found[item.id]) for item in asked.items]
        done = [result["id"] for result in results if result["done"]]
        await by.note("alert.acknowledged_several", "alerts", done=done, asked_count=len(results))
        return {"items": results, "done_count": len(done)}

    @routes.post("/{alert_id}/{verb}")
    async def act(alert_id: UUID, verb: Verb, asked: AlertAction, by: Operator) -> dict[str, Any]:
        """Acknowledge, resolve, comment, shelve or unshelve."""
        action = _to_action(verb, asked, by.name, services.clock.now())
        alert: Alert = await api.alert_actions.act(alert_id, action)
        await by.note(f"alert.{action.type}", alert_id, **action.to_detail(alert))
        return to_alert(alert)

    return routes


def _to_result(alert_id: UUID, found: Alert | IocError) -> dict[str, Any]:
    """Say of one of several how it is now; what stood in its way is part of the answer."""
    match found:
        case Alert():
            return {"id": str(alert_id), "done": True, "code": None, "detail": None, "alert": to_alert(found)}
        case RevisionConflictError():
            current = to_alert(found.current) if isinstance(found.current, Alert) else None
            return _to_refusal(alert_id, "revision_conflict", found, current)
        case RefusedActionError():
            return _to_refusal(alert_id, found.code, found)
        case _:
            return _to_refusal(alert_id, "not_found", found)


def _to_refusal(alert_id: UUID, code: str, error: Exception, current: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": str(alert_id), "done": False, "code": code, "detail": str(error), "alert": current}


def _to_action(verb: Verb, asked: AlertAction, actor: str, at: datetime) -> Action:
    return Action(
        type=_TYPES[verb],
        actor=actor,
        at=at,
        expected_revision=asked.expected_revision,
        reason=asked.reason or asked.comment,
        until=asked.until,
    )
