"""Silences: what supervisors keep quiet, until when, and why."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.notification.labels import labels_of
from ioc.api.auth import SUPERVISORS, VIEWERS, signed_in
from ioc.api.idempotency import IdempotentRouter
from ioc.api.matching import read_matchers
from ioc.api.notification_views import to_silence
from ioc.api.paging import check_instant
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.errors import InvalidRequestError

_LONGEST = timedelta(days=30)


class SilenceRequest(BaseModel):
    """Which alerts to keep quiet, until when, and why. It begins now where no start is given, and always ends."""

    model_config = ConfigDict(extra="forbid")
    matchers: str = Field(min_length=1, max_length=2_000, examples=['rule=station.silent unit="06652"'])
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime
    comment: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/silences``."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/silences", tags=["notifications"])
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type
    store = api.notifications

    @routes.get("", dependencies=[viewer])
    async def silences(ended: bool = False) -> dict[str, Any]:
        """Silences that have not ended, the latest first; with ``ended`` all of them."""
        found = await store.silences(over_since=None if ended else services.clock.now())
        return {"items": [to_silence(row) for row in found]}

    @routes.post("", status_code=201)
    async def add(wanted: SilenceRequest, by: Supervisor) -> dict[str, Any]:
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
            matchers, starts_at=starts_at, ends_at=ends_at, author=by.name, comment=wanted.comment, now=now
        )
        shown = to_silence(made)
        await _note(by, "silence.added", shown)
        firing = await store.firing_alerts()
        return {**shown, "matching_count": sum(matchers.matches(labels_of(alert)) for alert in firing)}

    @routes.delete("/{silence_id}")
    async def end(silence_id: UUID, by: Supervisor) -> dict[str, Any]:
        """End a silence now. What still holds is told at once; the silence stays in the list of the ended."""
        shown = to_silence(await store.end_silence(silence_id, actor=by.name, now=services.clock.now()))
        await _note(by, "silence.ended", shown)
        return shown

    return routes


async def _note(by: Person, action: str, shown: dict[str, Any]) -> None:
    await by.note(action, shown["id"], matchers=shown["matchers"], comment=shown["comment"])
