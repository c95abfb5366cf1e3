"""Which subscriptions a caller may see, and how one looks on the wire."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Depends

from ioc.api.people import Person
from ioc.api.services import ApiServices
from ioc.errors import AccessDeniedError
from ioc.storage.subscriptions import Subscription

_EVERYBODYS = frozenset({"admin", "supervisor"})


def scope_of(person: Person) -> str | None:
    """Give the department whose subscriptions the caller may see; None means all."""
    return None if _EVERYBODYS & person.roles else person.department


def choose_department(person: Person, wanted: str | None) -> str:
    """Give the department that the caller subscribes for.

    Raises:
        AccessDeniedError: it is not theirs.
    """
    own = scope_of(person)
    if own is not None:
        if wanted not in (None, own):
            raise AccessDeniedError("a department subscribes for itself only")
        return own
    return wanted or person.department


def own_subscription(
    api: ApiServices, person: Callable[..., Awaitable[Person]]
) -> Callable[..., Awaitable[Subscription]]:
    """Make a dependency that gives the subscription of the path, if it is the caller's to see."""

    async def find(subscription_id: UUID, by: Annotated[Person, Depends(person)]) -> Subscription:
        return await api.subscriptions.get(subscription_id, department=scope_of(by))

    return find


def to_subscription(subscription: Subscription) -> dict[str, Any]:
    """Give a subscription without its secret."""
    shown: dict[str, Any] = msgspec.to_builtins(subscription)
    return shown
