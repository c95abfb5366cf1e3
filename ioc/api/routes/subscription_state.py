"""Whether a subscription delivers, and with which secret."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from ioc.api.auth import DEPARTMENTS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.subscription_access import own_subscription, to_subscription
from ioc.storage.subscriptions import Subscription


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes that change how a subscription delivers."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/subscriptions/{subscription_id}", tags=["webhooks"])
    person, store = person_with(api, *DEPARTMENTS), api.subscriptions
    Signed = Annotated[Person, Depends(person)]  # noqa: N806  it is a type
    Own = Annotated[Subscription, Depends(own_subscription(api, person))]  # noqa: N806  it is a type

    @routes.post("/enable")
    async def enable(subscription: Own, by: Signed) -> dict[str, Any]:
        """Let deliveries flow again; what waited is sent."""
        await store.set_enabled(subscription.subscription_id, enabled=True)
        await by.note("subscription.enable", subscription.subscription_id)
        return to_subscription(await store.get(subscription.subscription_id))

    @routes.post("/disable")
    async def disable(subscription: Own, by: Signed) -> dict[str, Any]:
        """Hold deliveries; they wait."""
        await store.set_enabled(subscription.subscription_id, enabled=False, reason=f"by {by.name}")
        await by.note("subscription.disable", subscription.subscription_id)
        return to_subscription(await store.get(subscription.subscription_id))

    @routes.post("/rotate-secret")
    async def rotate(subscription: Own, by: Signed) -> dict[str, Any]:
        """Give a new secret; for 24 hours deliveries are signed with both."""
        secret = await store.rotate(subscription.subscription_id)
        await by.note("subscription.rotate", subscription.subscription_id)
        return {"secret": secret}

    return routes
