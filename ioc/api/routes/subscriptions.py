"""Departments' webhooks: who is subscribed to what, and where it goes."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import DEPARTMENTS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.subscription_access import choose_department, own_subscription, scope_of, to_subscription
from ioc.api.subscription_filters import check_names
from ioc.domain.alerts import ChangeType, Severity
from ioc.errors import InvalidRequestError, RefusedActionError
from ioc.storage.subscriptions import NewSubscription, Subscription, Wants

_MOST_OF_A_DEPARTMENT = 100
_Words = Annotated[list[Annotated[str, Field(max_length=100)]] | None, Field(min_length=1, max_length=200)]


class SubscriptionRequest(BaseModel):
    """What a department wants to hear of, and where. A filter that is left out lets everything through.

    Rules must be in force, feeds, units and zones must exist: one that does not would let nothing through for ever.

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


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes ``/api/v1/subscriptions`` and of one of them."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/subscriptions", tags=["webhooks"])
    person, store = person_with(api, *DEPARTMENTS), api.subscriptions
    Signed = Annotated[Person, Depends(person)]  # noqa: N806  it is a type
    Own = Annotated[Subscription, Depends(own_subscription(api, person))]  # noqa: N806  it is a type

    @routes.get("")
    async def all_of_mine(by: Signed) -> dict[str, Any]:
        """The department's subscriptions; administrators and supervisors see everybody's."""
        return {"items": [to_subscription(item) for item in await store.page(department=scope_of(by))]}

    @routes.post("", status_code=201)
    async def add(wanted: SubscriptionRequest, by: Signed) -> dict[str, Any]:
        """Subscribe. ``secret`` is shown here and never again; deliveries are signed with it (Standard Webhooks)."""
        _check_filters(wanted)
        check_names(api, wanted.model_dump(include={"feed_ids", "rule_ids", "unit_codes", "zone_ids"}))
        api.destinations.check_url(wanted.url)
        owner = choose_department(by, wanted.department)
        if wanted.wants is Wants.NOTIFICATIONS:
            _check_routed(owner, api.policy.departments)
        if len(await store.page(department=owner)) >= _MOST_OF_A_DEPARTMENT:
            raise RefusedActionError("too_many", f"a department has at most {_MOST_OF_A_DEPARTMENT} subscriptions")
        made, secret = await store.add(_to_new(wanted, owner), created_by=by.name)
        await by.note("subscription.add", made.subscription_id)
        return {**to_subscription(made), "secret": secret}

    @routes.get("/{subscription_id}")
    async def one(subscription: Own) -> dict[str, Any]:
        """One subscription."""
        return to_subscription(subscription)

    @routes.delete("/{subscription_id}", status_code=204)
    async def remove(subscription: Own, by: Signed) -> Response:
        """Unsubscribe; what was not sent yet is dropped with it."""
        await store.remove(subscription.subscription_id)
        await by.note("subscription.remove", subscription.subscription_id)
        return Response(status_code=204)

    return routes


def _check_filters(wanted: SubscriptionRequest) -> None:
    filters = (wanted.feed_ids, wanted.rule_ids, wanted.unit_codes, wanted.zone_ids, wanted.change_types)
    if wanted.wants is Wants.NOTIFICATIONS and any(chosen is not None for chosen in filters):
        raise InvalidRequestError(
            "filters_with_notifications",
            "what is told is chosen by the policy's routes; only min_severity fits beside them",
        )


def _check_routed(department: str, routed: Collection[str]) -> None:
    """Refuse who would wait for ever: notifications go to departments that the policy names, to nobody else."""
    if department not in routed:
        raise InvalidRequestError(
            "no_route",
            f"no route or ladder of the policy tells {department!r}; they tell {', '.join(sorted(routed))}",
        )


def _to_new(wanted: SubscriptionRequest, department: str) -> NewSubscription:
    return NewSubscription(
        department=department, url=wanted.url, description=wanted.description, min_severity=wanted.min_severity,
        feed_ids=wanted.feed_ids, rule_ids=wanted.rule_ids, unit_codes=wanted.unit_codes, zone_ids=wanted.zone_ids,
        change_types=None if wanted.change_types is None else [kind.value for kind in wanted.change_types],
        wants=wanted.wants,
    )  # fmt: skip
