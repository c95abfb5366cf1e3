"""Departments' webhooks: subscribe, look what was sent, send again."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ioc.api.auth import DEPARTMENTS, address_of, signed_in
from ioc.api.services import ApiServices, Services
from ioc.domain.alerts import ChangeType, Severity
from ioc.errors import AccessDeniedError, InvalidRequestError, NotFoundError, RefusedActionError
from ioc.storage.accounts import Session
from ioc.storage.subscriptions import NewSubscription, Subscription, Wants

_MOST_OF_A_DEPARTMENT = 100
_LARGEST_ID = 2**63 - 1
_Words = Annotated[list[Annotated[str, Field(max_length=100)]] | None, Field(min_length=1, max_length=200)]


class SubscriptionRequest(BaseModel):
    """What a department wants to hear of, and where. A filter that is left out lets everything through.

    With ``wants`` = ``notifications`` the policy's routes choose, group and hold; only ``min_severity`` fits beside it.
    """

    model_config = ConfigDict(extra="forbid")
    url: str = Field(max_length=2_000)
    description: str = Field("", max_length=500)
    min_severity: Severity = Severity.INFO
    feed_ids: _Words = None
    rule_ids: _Words = None
    unit_codes: _Words = None
    zone_ids: _Words = None
    change_types: list[ChangeType] | None = None
    wants: Wants = Wants.CHANGES
    department: str | None = Field(None, max_length=100)


class Redelivery(BaseModel):
    """Which settled deliveries to send again: one, or all since an instant."""

    model_config = ConfigDict(extra="forbid")
    delivery_id: int | None = Field(None, ge=1, le=_LARGEST_ID)
    since: AwareDatetime | None = None


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/subscriptions``."""
    routes = APIRouter(prefix="/api/v1/subscriptions", tags=["webhooks"])
    department = signed_in(api.accounts, *DEPARTMENTS)
    Signed = Annotated[Session, Depends(department)]  # noqa: N806  it is a type
    store = api.subscriptions

    async def own(subscription_id: UUID, session: Signed) -> Subscription:
        return await store.get(subscription_id, department=_scope(session))

    Own = Annotated[Subscription, Depends(own)]  # noqa: N806  it is a type

    async def note(request: Request, session: Session, action: str, on: UUID) -> None:
        await api.audit.note(
            actor=session.account.name, address=address_of(request), action=f"subscription.{action}", on=str(on)
        )

    @routes.get("")
    async def all_of_mine(session: Signed) -> dict[str, Any]:
        """The department's subscriptions; administrators and supervisors see everybody's."""
        return {"items": [_show(item) for item in await store.page(department=_scope(session))]}

    @routes.post("", status_code=201)
    async def add(request: Request, wanted: SubscriptionRequest, session: Signed) -> dict[str, Any]:
        """Subscribe. ``secret`` is shown here and never again; deliveries are signed with it (Standard Webhooks)."""
        _check_filters(wanted)
        api.destinations.check_url(wanted.url)
        owner = _department(session, wanted.department)
        if len(await store.page(department=owner)) >= _MOST_OF_A_DEPARTMENT:
            raise RefusedActionError("too_many", f"a department has at most {_MOST_OF_A_DEPARTMENT} subscriptions")
        made, secret = await store.add(
            NewSubscription(
                department=owner, url=wanted.url, description=wanted.description,
                min_severity=wanted.min_severity, feed_ids=wanted.feed_ids, rule_ids=wanted.rule_ids,
                unit_codes=wanted.unit_codes, zone_ids=wanted.zone_ids,
                change_types=None if wanted.change_types is None else [kind.value for kind in wanted.change_types],
                wants=wanted.wants,
            ),
            created_by=session.account.name,
        )  # fmt: skip
        await note(request, session, "add", made.subscription_id)
        return {**_show(made), "secret": secret}

    @routes.get("/{subscription_id}")
    async def one(subscription: Own) -> dict[str, Any]:
        """One subscription."""
        return _show(subscription)

    @routes.delete("/{subscription_id}", status_code=204)
    async def remove(request: Request, subscription: Own, session: Signed) -> Response:
        """Unsubscribe; what was not sent yet is dropped with it."""
        await store.remove(subscription.subscription_id)
        await note(request, session, "remove", subscription.subscription_id)
        return Response(status_code=204)

    @routes.post("/{subscription_id}/enable")
    async def enable(request: Request, subscription: Own, session: Signed) -> dict[str, Any]:
        """Let deliveries flow again; what waited is sent."""
        await store.set_enabled(subscription.subscription_id, enabled=True)
        await note(request, session, "enable", subscription.subscription_id)
        return _show(await store.get(subscription.subscription_id))

    @routes.post("/{subscription_id}/disable")
    async def disable(request: Request, subscription: Own, session: Signed) -> dict[str, Any]:
        """Hold deliveries; they wait."""
        await store.set_enabled(subscription.subscription_id, enabled=False, reason=f"by {session.account.name}")
        await note(request, session, "disable", subscription.subscription_id)
        return _show(await store.get(subscription.subscription_id))

    @routes.post("/{subscription_id}/rotate-secret")
    async def rotate(request: Request, subscription: Own, session: Signed) -> dict[str, Any]:
        """Give a new secret; for 24 hours deliveries are signed with both."""
        secret = await store.rotate(subscription.subscription_id)
        await note(request, session, "rotate", subscription.subscription_id)
        return {"secret": secret}

    @routes.post("/{subscription_id}/test", status_code=202)
    async def test(subscription: Own) -> dict[str, Any]:
        """Send a test event through the outbox."""
        return {"webhook_id": await store.send_test(subscription.subscription_id)}

    @routes.get("/{subscription_id}/deliveries")
    async def deliveries(
        subscription: Own,
        before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """What was sent or waits, newest first, each with every attempt."""
        found = await store.deliveries(subscription.subscription_id, before=before, limit=limit)
        attempts = await store.attempts([row["delivery_id"] for row in found])
        items = [{**row, "attempt_log": attempts[row["delivery_id"]]} for row in found]
        return {"items": msgspec.to_builtins(items)}

    @routes.post("/{subscription_id}/redeliver", status_code=202)
    async def redeliver(request: Request, subscription: Own, wanted: Redelivery, session: Signed) -> dict[str, Any]:
        """Send settled deliveries again, with the same ids and bytes."""
        if wanted.delivery_id is None and wanted.since is None:
            raise InvalidRequestError("nothing_named", "name a delivery_id or an instant since when")
        count = await store.redeliver(subscription.subscription_id, delivery_id=wanted.delivery_id, since=wanted.since)
        if count == 0 and wanted.delivery_id is not None:
            raise NotFoundError("settled delivery", str(wanted.delivery_id))
        await note(request, session, "redeliver", subscription.subscription_id)
        return {"count": count}

    return routes


def _check_filters(wanted: SubscriptionRequest) -> None:
    filters = (wanted.feed_ids, wanted.rule_ids, wanted.unit_codes, wanted.zone_ids, wanted.change_types)
    if wanted.wants is Wants.NOTIFICATIONS and any(chosen is not None for chosen in filters):
        raise InvalidRequestError(
            "filters_with_notifications",
            "what is told is chosen by the policy's routes; only min_severity fits beside them",
        )


def _scope(session: Session) -> str | None:
    """Give the department whose rows the caller may see; None means all."""
    if {"admin", "supervisor"} & set(session.account.roles):
        return None
    return session.account.department or f"account:{session.account.name}"


def _department(session: Session, wanted: str | None) -> str:
    own = _scope(session)
    if own is not None:
        if wanted not in (None, own):
            raise AccessDeniedError("a department subscribes for itself only")
        return own
    return wanted or session.account.department or f"account:{session.account.name}"


def _show(subscription: Subscription) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(subscription)
    return shown
