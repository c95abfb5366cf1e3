"""What operators do to alerts: to one of them, or to several that they have selected."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ioc.api.alert_requests import Key
from ioc.api.auth import OPERATORS
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import NotFoundError, RefusedActionError, RevisionConflictError
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
    routes = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
    Operator = Annotated[Person, Depends(person_with(api, *OPERATORS))]  # noqa: N806  it is a type

    @routes.post("/acknowledge")
    async def acknowledge_several(asked: SeveralAlerts, by: Operator, idempotency_key: Key = None) -> dict[str, Any]:
        """Acknowledge exactly the alerts that are named. Each is done, or not, for itself; the answer says which."""
        results = []
        for item in asked.items:
            action = Action(
                type=ChangeType.ACKNOWLEDGED, actor=by.name, at=services.clock.now(),
                expected_revision=item.expected_revision, reason=asked.comment,
                idempotency_key=None if idempotency_key is None else _key_of(idempotency_key, item.id),
            )  # fmt: skip
            results.append(await _try(api, item.id, action))
        done = [result["id"] for result in results if result["done"]]
        await by.note("alert.acknowledged_several", "alerts", done=done, asked_count=len(results))
        return {"items": results, "done_count": len(done)}

    @routes.post("/{alert_id}/{verb}")
    async def act(
        alert_id: UUID, verb: Verb, asked: AlertAction, by: Operator, idempotency_key: Key = None
    ) -> dict[str, Any]:
        """Acknowledge, resolve, comment, shelve or unshelve. A repeated ``Idempotency-Key`` gets the same answer."""
        action = _to_action(verb, asked, by.name, services.clock.now(), idempotency_key)
        alert: Alert = await api.alert_actions.act(alert_id, action)
        await by.note(f"alert.{action.type}", alert_id, revision=alert.revision)
        return to_alert(alert)

    return routes


async def _try(api: ApiServices, alert_id: UUID, action: Action) -> dict[str, Any]:
    """Do one of several; what stands in its way is part of the answer."""
    try:
        alert = await api.alert_actions.act(alert_id, action)
    except RevisionConflictError as conflict:
        current = to_alert(conflict.current) if isinstance(conflict.current, Alert) else None
        return {
            "id": str(alert_id),
            "done": False,
            "code": "revision_conflict",
            "detail": str(conflict),
            "alert": current,
        }
    except RefusedActionError as refusal:
        return _to_refusal(alert_id, refusal.code, refusal)
    except NotFoundError as missing:
        return _to_refusal(alert_id, "not_found", missing)
    return {"id": str(alert_id), "done": True, "code": None, "detail": None, "alert": to_alert(alert)}


def _to_refusal(alert_id: UUID, code: str, error: Exception, current: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": str(alert_id), "done": False, "code": code, "detail": str(error), "alert": current}


def _key_of(key: str, alert_id: UUID) -> str:
    """Give each alert of a repeated request the key that it had the first time."""
    return hashlib.sha256(f"{key}/{alert_id}".encode()).hexdigest()


def _to_action(verb: Verb, asked: AlertAction, actor: str, at: datetime, key: str | None) -> Action:
    return Action(
        type=_TYPES[verb],
        actor=actor,
        at=at,
        expected_revision=asked.expected_revision,
        reason=asked.reason or asked.comment,
        until=asked.until,
        idempotency_key=key,
    )
