"""Who is told what: silences, the log of notifications, the tree of routes, and why an alert was told or was not."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.notification.inhibition import Inhibitors
from alerts.notification.labels import labels_of
from alerts.notification.policy import Policy, Route, walk
from alerts.notification.suppression import Holds, Suppression, why_suppressed
from ioc.api.auth import SUPERVISORS, VIEWERS, address_of, signed_in
from ioc.api.matching import read_matchers
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.domain.alerts import Alert
from ioc.errors import InvalidRequestError
from ioc.storage.accounts import Session
from ioc.storage.notifications import to_silence

_LONGEST = timedelta(days=30)
_LARGEST_ID = 2**63 - 1
_LOG_FIELDS = (
    "notification_id",
    "department",
    "group_key",
    "route_id",
    "reason",
    "form",
    "new_count",
    "receivers_count",
)


class SilenceRequest(BaseModel):
    """Which alerts to keep quiet, until when, and why. It begins now where no start is given, and always ends."""

    model_config = ConfigDict(extra="forbid")
    matchers: str = Field(min_length=1, max_length=2_000, examples=['rule=station.silent unit="06652"'])
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime
    comment: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/silences``, ``notifications`` and ``routes``."""
    routes = APIRouter(prefix="/api/v1", tags=["notifications"])
    viewer = signed_in(api.accounts, *VIEWERS)
    supervisor = signed_in(api.accounts, *SUPERVISORS)
    store = api.notifications

    async def note(request: Request, session: Session, action: str, row: dict[str, Any]) -> None:
        await api.audit.note(
            actor=session.account.name, address=address_of(request), action=f"silence.{action}", on=row["id"],
            detail={"matchers": row["matchers"], "comment": row["comment"]},
        )  # fmt: skip

    @routes.get("/silences", dependencies=[Depends(viewer)])
    async def silences(ended: bool = False) -> dict[str, Any]:
        """Silences that have not ended, the latest first; with ``ended`` all of them."""
        found = await store.silences(over_since=None if ended else services.clock.now())
        return {"items": [_to_silence(dict(row)) for row in found]}

    @routes.post("/silences", status_code=201)
    async def add(
        request: Request, wanted: SilenceRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Keep alerts quiet. ``matching_count`` is how many that hold now it covers."""
        now = services.clock.now()
        matchers = read_matchers(wanted.matchers)
        starts_at = now if wanted.starts_at is None else check_instant(wanted.starts_at)
        ends_at = check_instant(wanted.ends_at)
        if not max(now, starts_at) < ends_at <= starts_at + _LONGEST:
            raise InvalidRequestError(
                "bad_range", f"`ends_at` must lie ahead and after `starts_at`, by at most {_LONGEST.days} days"
            )
        made = await store.add_silence(
            matchers, starts_at=starts_at, ends_at=ends_at, author=session.account.name, comment=wanted.comment, now=now
        )
        shown = _to_silence(dict(made))
        await note(request, session, "added", shown)
        firing = await store.firing_alerts()
        return {**shown, "matching_count": sum(matchers.matches(labels_of(alert)) for alert in firing)}

    @routes.delete("/silences/{silence_id}")
    async def end(
        request: Request, silence_id: UUID, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """End a silence now. What still holds is told at once; the silence stays in the list of the ended."""
        ended = await store.end_silence(silence_id, actor=session.account.name, now=services.clock.now())
        shown = _to_silence(dict(ended))
        await note(request, session, "ended", shown)
        return shown

    @routes.get("/notifications")
    async def notifications(
        session: Annotated[Session, Depends(viewer)],
        department: Annotated[str | None, Query(max_length=100)] = None,
        alert: UUID | None = None,
        before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> dict[str, Any]:
        """What was told to whom and why, newest first; ``next`` is ``before`` of the next page."""
        own = _own_department(session)
        found = await store.notifications(department=own or department, alert_id=alert, before=before, limit=limit + 1)
        page = found[:limit]
        following = page[-1]["notification_id"] if len(found) > limit else None
        return {"items": [_to_notification(dict(row)) for row in page], "next": following}

    @routes.get("/routes", dependencies=[Depends(viewer)])
    async def tree() -> dict[str, Any]:
        """The tree of routes, parents first, each with its depth."""
        return {"items": [_to_route(route, depth) for route, depth in walk(api.policy.root)]}

    @routes.get("/routes/explain", dependencies=[Depends(viewer)])
    async def explain(
        label: Annotated[list[Annotated[str, Field(max_length=300, pattern="=")]], Query(min_length=1, max_length=20)],
    ) -> dict[str, Any]:
        """Who would be told of an alert with labels such as ``rule=crowd.density``, and what each route says to it."""
        return _explain(api.policy, dict(text.split("=", 1) for text in label))

    @routes.get("/alerts/{alert_id}/routing", dependencies=[Depends(viewer)])
    async def routing(alert_id: UUID) -> dict[str, Any]:
        """Why an alert was told or was not: what holds it now, the groups it stands in, and what was told of it."""
        alert = await api.alerts.get(alert_id)
        held = why_suppressed(alert, await _holds(services, api), services.clock.now())
        return {
            "alert_id": str(alert_id),
            "labels": labels_of(alert),
            "held": _to_held(held),
            "groups": [_to_group(dict(row)) for row in await store.groups_of(alert_id)],
            "notifications": [_to_notification(dict(row)) for row in await store.notifications(alert_id=alert_id)],
            **_explain(api.policy, labels_of(alert)),
        }

    return routes


async def _holds(services: Services, api: ApiServices) -> Holds:
    firing: list[Alert] = await api.notifications.firing_alerts()
    found = await api.notifications.silences(over_since=services.clock.now())
    return Holds(
        silences=[to_silence(row) for row in found],
        windows=api.policy.windows,
        inhibitors=Inhibitors(api.policy.inhibitions, [(alert.alert_id, labels_of(alert)) for alert in firing]),
    )


def _own_department(session: Session) -> str | None:
    """Give the department whose notifications the caller may see; None means all."""
    if set(session.account.roles) == {"department"}:
        return session.account.department or f"account:{session.account.name}"
    return None


def _explain(policy: Policy, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "goes_to": [
            {"route": item.route.route_id, "departments": list(item.route.departments), "group": item.group_key}
            for item in policy.route(labels)
        ],
        "steps": [
            {"route": step.route_id, "depth": step.depth, "refused_by": step.refused_by}
            for step in policy.explain(labels)
        ],
    }


def _to_route(route: Route, depth: int) -> dict[str, Any]:
    return {
        "id": route.route_id, "depth": depth, "match": route.matchers.to_text(),
        "departments": list(route.departments), "group_by": list(route.group_by), "continue": route.goes_on,
        "ladder": route.ladder_id, "resolved": route.wants_ends,
    }  # fmt: skip


def _to_silence(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: to_ms(row[name]) for name in ("starts_at", "ends_at", "created_at")}
    texts = {name: row[name] for name in ("matchers", "author", "comment", "ended_by")}
    return {"id": str(row["silence_id"]), **texts, **times}


def _to_notification(row: dict[str, Any]) -> dict[str, Any]:
    ids = {name: [str(value) for value in row[name]] for name in ("firing_ids", "resolved_ids")}
    return {"at": to_ms(row["at"]), **{name: row[name] for name in _LOG_FIELDS}, **ids}


def _to_group(row: dict[str, Any]) -> dict[str, Any]:
    plain = ("group_key", "route_id", "departments", "labels", "reason", "told_count", "held_why", "held_by")
    times = ("opened_at", "joined_at", "told_at", "decided_at", "look_at", "held_until")
    return {**{name: row[name] for name in plain}, **{name: to_ms(row[name]) for name in times}}


def _to_held(held: Suppression | None) -> dict[str, Any] | None:
    return None if held is None else {"why": held.why.value, "by": held.by, "until": to_ms(held.until)}
