"""The tree of routes, who would be told of an alert, and why one was told or was not."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from alerts.notification.escalation import why_it_waits
from alerts.notification.inhibition import Inhibitors
from alerts.notification.labels import labels_of, read_labels
from alerts.notification.policy import walk
from alerts.notification.suppression import Holds, why_suppressed
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.notification_views import to_climb, to_explanation, to_group, to_held, to_notification, to_route
from ioc.api.services import ApiServices, Services
from ioc.domain.alerts import Alert
from ioc.errors import InvalidRequestError
from ioc.storage.notifications import to_silence


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/routes``, and that of one alert."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1", tags=["notifications"], dependencies=[viewer])
    store = api.notifications

    @routes.get("/routes")
    async def tree() -> dict[str, Any]:
        """The tree of routes, parents first, each with its depth."""
        return {"items": [to_route(route, depth) for route, depth in walk(api.policy.root)]}

    @routes.get("/routes/explain")
    async def explain(
        label: Annotated[list[Annotated[str, Field(max_length=300)]], Query(min_length=1, max_length=20)],
    ) -> dict[str, Any]:
        """Who would be told of an alert with labels such as ``rule=crowd.density``, and what each route says to it."""
        try:
            labels = read_labels(label)
        except ValueError as error:
            raise InvalidRequestError("bad_label", str(error)) from error
        return to_explanation(api.policy, labels)

    @routes.get("/alerts/{alert_id}/routing")
    async def routing(alert_id: UUID) -> dict[str, Any]:
        """Why an alert was told or was not: what holds it, its groups and its ladder, and what was told of it."""
        alert = await api.alerts.get(alert_id)
        held = why_suppressed(alert, await _holds(services, api), services.clock.now())
        return {
            "alert_id": str(alert_id),
            "labels": labels_of(alert),
            "held": to_held(held),
            "ladder": await _climb(api, alert, is_held=held is not None),
            "groups": [to_group(row) for row in await store.groups_of(alert_id)],
            "notifications": [to_notification(row) for row in await store.notifications(alert_id=alert_id)],
            **to_explanation(api.policy, labels_of(alert)),
        }

    return routes


async def _climb(api: ApiServices, alert: Alert, *, is_held: bool) -> dict[str, Any] | None:
    """Tell where an alert stands on its ladder; None when it is on none."""
    found = await api.notifications.ladder_of(alert.alert_id)
    ladder = None if found is None else api.policy.find_ladder(found[0])
    if found is None or ladder is None:
        return None
    _, rung, look_at = found
    is_off_route = not api.policy.is_on_ladder(labels_of(alert), ladder.ladder_id)
    waits = why_it_waits(alert, ladder, rung, is_held=is_held, is_off_route=is_off_route)
    return to_climb(ladder, rung, waits, look_at)


async def _holds(services: Services, api: ApiServices) -> Holds:
    firing: list[Alert] = await api.notifications.firing_alerts()
    found = await api.notifications.silences(over_since=services.clock.now())
    return Holds(
        silences=[to_silence(row) for row in found],
        windows=api.policy.windows,
        inhibitors=Inhibitors(api.policy.inhibitions, [(alert.alert_id, labels_of(alert)) for alert in firing]),
    )
