"""What was sent to a subscription: look, try, send again."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ioc.api.auth import DEPARTMENTS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.paging import LARGEST_ID
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.subscription_access import own_subscription
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.subscriptions import Subscription


class Redelivery(BaseModel):
    """Which settled deliveries to send again: one, or all since an instant."""

    model_config = ConfigDict(extra="forbid")
    delivery_id: int | None = Field(None, ge=1, le=LARGEST_ID)
    since: AwareDatetime | None = None


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of a subscription's deliveries."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/subscriptions/{subscription_id}", tags=["webhooks"])
    person, store = person_with(api, *DEPARTMENTS), api.subscriptions
    Signed = Annotated[Person, Depends(person)]  # noqa: N806  it is a type
    Own = Annotated[Subscription, Depends(own_subscription(api, person))]  # noqa: N806  it is a type

    @routes.post("/test", status_code=202)
    async def test(subscription: Own) -> dict[str, Any]:
        """Send a test event through the outbox. ``held`` says why it does not go out yet; null where it does."""
        return {"webhook_id": await store.send_test(subscription.subscription_id), "held": _name_hold(subscription)}

    @routes.get("/deliveries")
    async def deliveries(
        subscription: Own,
        before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """What was sent or waits, newest first, each with every attempt."""
        found = await store.deliveries(subscription.subscription_id, before=before, limit=limit)
        attempts = await store.attempts([row["delivery_id"] for row in found])
        items = [{**row, "attempt_log": attempts[row["delivery_id"]]} for row in found]
        return {"items": msgspec.to_builtins(items)}

    @routes.post("/redeliver", status_code=202)
    async def redeliver(subscription: Own, wanted: Redelivery, by: Signed) -> dict[str, Any]:
        """Send settled deliveries again, with the same ids and bytes. ``held`` says why they do not go out yet."""
        if wanted.delivery_id is None and wanted.since is None:
            raise InvalidRequestError("nothing_named", "name a delivery_id or an instant since when")
        count = await store.redeliver(subscription.subscription_id, delivery_id=wanted.delivery_id, since=wanted.since)
        if count == 0 and wanted.delivery_id is not None:
            raise NotFoundError("settled delivery", str(wanted.delivery_id))
        await by.note("subscription.redeliver", subscription.subscription_id)
        return {"count": count, "held": _name_hold(subscription)}

    return routes


def _name_hold(subscription: Subscription) -> str | None:
    if subscription.enabled:
        return None
    return f"the subscription is disabled ({subscription.disabled_reason}); nothing goes out until it is enabled"
