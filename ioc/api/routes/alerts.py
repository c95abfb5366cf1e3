"""Alerts: list, journal, and what operators do."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ioc.api.auth import OPERATORS, VIEWERS, address_of, signed_in
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert, to_alert_event
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.errors import NotFoundError, RefusedActionError, RevisionConflictError
from ioc.storage.accounts import Session
from ioc.storage.alert_actions import Action
from ioc.storage.alerts import AlertFilter

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
    """Make the routes under ``/api/v1/alerts``."""
    routes = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
    viewer, operator = signed_in(api.accounts, *VIEWERS), signed_in(api.accounts, *OPERATORS)

    @routes.get("", dependencies=[Depends(viewer)])
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

    @routes.get("/{alert_id}", dependencies=[Depends(viewer)])
    async def one(alert_id: UUID) -> dict[str, Any]:
        """One alert with its journal: the newest thousand entries, oldest first."""
        alert = await api.alerts.get(alert_id)
        return {
            "alert": to_alert(alert),
            "events": [to_alert_event(event) for event in await api.alerts.events(alert_id)],
        }

    @routes.post("/acknowledge")
    async def acknowledge_several(
        request: Request,
        asked: SeveralAlerts,
        session: Annotated[Session, Depends(operator)],
        idempotency_key: Annotated[str | None, Header(max_length=64)] = None,
    ) -> dict[str, Any]:
        """Acknowledge exactly the alerts that are named. Each is done, or not, for itself; the answer says which."""
        results = []
        for item in asked.items:
            action = Action(
                type=ChangeType.ACKNOWLEDGED, actor=session.account.name, at=services.clock.now(),
                expected_revision=item.expected_revision, reason=asked.comment,
                idempotency_key=None if idempotency_key is None else _key_of(idempotency_key, item.id),
            )  # fmt: skip
            results.append(await _try(api, item.id, action))
        done = [result["id"] for result in results if result["done"]]
        await api.audit.note(
            actor=session.account.name, address=address_of(request), action="alert.acknowledged_several", on="alerts",
            detail={"done": done, "asked_count": len(results)},
        )  # fmt: skip
        return {"items": results, "done_count": len(done)}

    @routes.post("/{alert_id}/{verb}")
    async def act(
        request: Request,
        alert_id: UUID,
        verb: Verb,
        asked: AlertAction,
        session: Annotated[Session, Depends(operator)],
        idempotency_key: Annotated[str | None, Header(max_length=64)] = None,
    ) -> dict[str, Any]:
        """Acknowledge, resolve, comment, shelve or unshelve. A repeated ``Idempotency-Key`` gets the same answer."""
        action = _to_action(verb, asked, session.account.name, services.clock.now(), idempotency_key)
        alert: Alert = await api.alert_actions.act(alert_id, action)
        await api.audit.note(
            actor=session.account.name, address=address_of(request), action=f"alert.{action.type}", on=str(alert_id),
            detail={"revision": alert.revision},
        )  # fmt: skip
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
