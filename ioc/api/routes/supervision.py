"""Whose an alert is, how severe, and what is off the operators' list: decisions about alerts, and their register."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.notification.register import LONGEST
from ioc.api.auth import OPERATORS, SUPERVISORS, VIEWERS, address_of, signed_in
from ioc.api.matching import read_matchers
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert, to_ms
from ioc.domain.alerts import Alert, ChangeType, OperatorState, Severity
from ioc.errors import AccessDeniedError, InvalidRequestError
from ioc.storage.accounts import Session
from ioc.storage.alert_actions import Action

_Text = Annotated[str | None, Field(max_length=2_000)]
_Key = Annotated[str | None, Header(max_length=64)]


class _OnAlert(BaseModel):
    """What is asked of an alert, with the revision that was seen: if somebody was faster, nothing happens (409)."""

    model_config = ConfigDict(extra="forbid")
    expected_revision: int = Field(ge=1)
    reason: _Text = None


class AssignRequest(_OnAlert):
    """Whose the alert is to be: an account's name, or null for nobody."""

    to: str | None = Field(max_length=64)


class SeverityRequest(_OnAlert):
    """The new severity; that of the rule gives the alert back to the rule."""

    severity: Severity


class HoldRequest(_OnAlert):
    """Until when the alert's condition stays off the list."""

    until: AwareDatetime | None = None


class ReturnRequest(_OnAlert):
    """Why the alert comes back before its time."""


class SuppressionRequest(BaseModel):
    """Which alerts are off the list from now on, as what, until when, and why."""

    model_config = ConfigDict(extra="forbid")
    matchers: str = Field(min_length=1, max_length=2_000, examples=['rule=station.silent asset="air.hong-gai"'])
    state: Literal["suppressed", "out_of_service"]
    ends_at: AwareDatetime
    reason: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


class EndRequest(BaseModel):
    """Why an entry ends before its time."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes for decisions about alerts, ``/api/v1/suppressions`` and ``/api/v1/operators``."""
    routes = APIRouter(prefix="/api/v1", tags=["alerts"])
    _add_alert_routes(routes, services, api)
    _add_register_routes(routes, services, api)
    return routes


def _add_alert_routes(routes: APIRouter, services: Services, api: ApiServices) -> None:
    operator, supervisor = signed_in(api.accounts, *OPERATORS), signed_in(api.accounts, *SUPERVISORS)

    def ask(kind: ChangeType, session: Session, asked: _OnAlert, key: str | None, **more: Any) -> Action:
        return Action(
            type=kind, actor=session.account.name, at=services.clock.now(), reason=asked.reason, idempotency_key=key,
            expected_revision=asked.expected_revision, **more,
        )  # fmt: skip

    async def answer(request: Request, action: Action, alert: Alert, **detail: Any) -> dict[str, Any]:
        await api.audit.note(
            actor=action.actor, address=address_of(request), action=f"alert.{action.type}", on=str(alert.alert_id),
            detail={"revision": alert.revision, "reason": action.reason, **detail},
        )  # fmt: skip
        return to_alert(alert)

    @routes.post("/alerts/{alert_id}/assign")
    async def assign(
        request: Request,
        alert_id: UUID,
        asked: AssignRequest,
        session: Annotated[Session, Depends(operator)],
        idempotency_key: _Key = None,
    ) -> dict[str, Any]:
        """Say whose an alert is. Operators take one for themselves or give their own away, supervisors assign any."""
        if asked.to is not None and asked.to not in {able.name for able in await api.accounts.list_able(OPERATORS)}:
            raise InvalidRequestError("no_such_operator", "to: nobody of that name can take an alert; see /operators")
        action = ask(
            ChangeType.ASSIGNED, session, asked, idempotency_key, to=asked.to,
            check=lambda alert: _check_may_assign(session, alert, asked.to),
        )  # fmt: skip
        return await answer(request, action, await api.alert_actions.act(alert_id, action), to=asked.to)

    @routes.post("/alerts/{alert_id}/severity")
    async def severity(
        request: Request,
        alert_id: UUID,
        asked: SeverityRequest,
        session: Annotated[Session, Depends(supervisor)],
        idempotency_key: _Key = None,
    ) -> dict[str, Any]:
        """Overrule the rule's severity, until the rule says more than it says now."""
        action = ask(ChangeType.SEVERITY_SET, session, asked, idempotency_key, severity=asked.severity)
        alert = await api.alert_actions.act(alert_id, action)
        return await answer(request, action, alert, severity=asked.severity.value)

    @routes.post("/alerts/{alert_id}/return")
    async def give_back(
        request: Request,
        alert_id: UUID,
        asked: ReturnRequest,
        session: Annotated[Session, Depends(supervisor)],
        idempotency_key: _Key = None,
    ) -> dict[str, Any]:
        """Give an alert back to the operators by ending what holds only its condition."""
        action = ask(ChangeType.RETURNED, session, asked, idempotency_key)
        return await answer(request, action, await api.suppressions.return_alert(alert_id, action))

    async def hold(
        kind: ChangeType, request: Request, alert_id: UUID, asked: HoldRequest, session: Session, key: str | None
    ) -> dict[str, Any]:
        action = ask(kind, session, asked, key, until=asked.until)
        alert = await api.suppressions.hold_alert(alert_id, action)
        entry = {"until": to_ms(alert.suppressed_until), "suppression_id": str(alert.suppression_id)}
        return await answer(request, action, alert, **entry)

    @routes.post("/alerts/{alert_id}/suppress")
    async def suppress(
        request: Request,
        alert_id: UUID,
        asked: HoldRequest,
        session: Annotated[Session, Depends(supervisor)],
        idempotency_key: _Key = None,
    ) -> dict[str, Any]:
        """Suppress the condition of an alert, with all its later occurrences, until an instant."""
        return await hold(ChangeType.SUPPRESSED, request, alert_id, asked, session, idempotency_key)

    @routes.post("/alerts/{alert_id}/out-of-service")
    async def take_out_of_service(
        request: Request,
        alert_id: UUID,
        asked: HoldRequest,
        session: Annotated[Session, Depends(supervisor)],
        idempotency_key: _Key = None,
    ) -> dict[str, Any]:
        """Take the condition of an alert out of service until an instant: what it measures is not to be trusted."""
        return await hold(ChangeType.OUT_OF_SERVICE, request, alert_id, asked, session, idempotency_key)


def _add_register_routes(routes: APIRouter, services: Services, api: ApiServices) -> None:
    viewer, supervisor = signed_in(api.accounts, *VIEWERS), signed_in(api.accounts, *SUPERVISORS)

    async def note(request: Request, session: Session, action: str, shown: Mapping[str, Any]) -> None:
        names = ("state", "matchers", "ends_at", "reason", "end_reason")
        await api.audit.note(
            actor=session.account.name, address=address_of(request), action=f"suppression.{action}", on=shown["id"],
            detail={name: shown[name] for name in names},
        )  # fmt: skip

    @routes.get("/operators", dependencies=[Depends(viewer)])
    async def operators() -> dict[str, Any]:
        """Who can take an alert."""
        found = await api.accounts.list_able(OPERATORS)
        return {"items": [{"name": account.name, "display_name": account.display_name} for account in found]}

    @routes.get("/suppressions", dependencies=[Depends(viewer)])
    async def register(ended: bool = False) -> dict[str, Any]:
        """What is off the list, the newest decision first; with ``ended`` also what was."""
        return {"items": [_to_entry(row) for row in await api.suppressions.entries(with_ended=ended)]}

    @routes.post("/suppressions", status_code=201)
    async def add(
        request: Request, wanted: SuppressionRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Take alerts off the list, open ones and later ones. ``held_count`` is how many open ones it holds now."""
        now, ends_at = services.clock.now(), check_instant(wanted.ends_at)
        if not now < ends_at <= now + LONGEST:
            raise InvalidRequestError("bad_range", f"`ends_at` must lie ahead, by at most {LONGEST.days} days")
        made = await api.suppressions.add(
            read_matchers(wanted.matchers), state=OperatorState(wanted.state), ends_at=ends_at,
            author=session.account.name, reason=wanted.reason, now=now,
        )  # fmt: skip
        shown = _to_entry(made)
        await note(request, session, "added", shown)
        return shown

    @routes.post("/suppressions/{suppression_id}/end")
    async def end(
        request: Request, suppression_id: UUID, asked: EndRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """End an entry now. What it held and no other entry covers goes back to the operators and is told."""
        ended = await api.suppressions.end(
            suppression_id, actor=session.account.name, reason=asked.reason, now=services.clock.now()
        )
        shown = _to_entry(ended)
        await note(request, session, "ended", shown)
        return shown


def _check_may_assign(session: Session, alert: Alert, to: str | None) -> None:
    """Refuse an operator who gives away what is not theirs. Taking over is theirs to do: shifts change."""
    if session.account.name not in (alert.assigned_to, to) and not set(SUPERVISORS) & set(session.account.roles):
        raise AccessDeniedError("operators take alerts for themselves and give away their own; supervisors assign any")


def _to_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("state", "matchers", "author", "reason", "ended_by", "end_reason", "held_count")
    times = ("starts_at", "ends_at", "created_at", "ended_at")
    return {
        "id": str(row["suppression_id"]),
        **{name: row[name] for name in plain},
        **{name: to_ms(row[name]) for name in times},
    }
