"""The register of suppressions: which conditions are off the operators' list, by whom, why and until when."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.notification.register import LONGEST
from ioc.api.auth import SUPERVISORS, VIEWERS, signed_in
from ioc.api.idempotency import IdempotentRouter
from ioc.api.matching import read_matchers
from ioc.api.paging import check_instant
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.domain.alerts import OperatorState
from ioc.errors import InvalidRequestError


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
    """Make the routes under ``/api/v1/suppressions``."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/suppressions", tags=["alerts"])
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type

    @routes.get("", dependencies=[Depends(signed_in(api.accounts, *VIEWERS))])
    async def register(ended: bool = False) -> dict[str, Any]:
        """What is off the list, the newest decision first; with ``ended`` also what was."""
        return {"items": [_to_entry(row) for row in await api.suppressions.entries(with_ended=ended)]}

    @routes.post("", status_code=201)
    async def add(wanted: SuppressionRequest, by: Supervisor) -> dict[str, Any]:
        """Take alerts off the list, open ones and later ones. ``held_count`` is how many open ones it holds now."""
        now, ends_at = services.clock.now(), check_instant(wanted.ends_at)
        if not now < ends_at <= now + LONGEST:
            raise InvalidRequestError("bad_range", f"`ends_at` must lie ahead, by at most {LONGEST.days} days")
        made = await api.suppressions.add(
            read_matchers(wanted.matchers), state=OperatorState(wanted.state), ends_at=ends_at, author=by.name,
            reason=wanted.reason, now=now,
        )  # fmt: skip
        shown = _to_entry(made)
        await _note(by, "suppression.added", shown)
        return shown

    @routes.post("/{suppression_id}/end")
    async def end(suppression_id: UUID, asked: EndRequest, by: Supervisor) -> dict[str, Any]:
        """End an entry now. What it held and no other entry covers goes back to the operators and is told."""
        now = services.clock.now()
        ended = await api.suppressions.end(suppression_id, actor=by.name, reason=asked.reason, now=now)
        shown = _to_entry(ended)
        await _note(by, "suppression.ended", shown)
        return shown

    return routes


async def _note(by: Person, action: str, shown: Mapping[str, Any]) -> None:
    names = ("state", "matchers", "ends_at", "reason", "end_reason")
    await by.note(action, shown["id"], **{name: shown[name] for name in names})


def _to_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("state", "matchers", "author", "reason", "ended_by", "end_reason", "held_count")
    times = ("starts_at", "ends_at", "created_at", "ended_at")
    return {
        "id": str(row["suppression_id"]),
        **{name: row[name] for name in plain},
        **{name: to_ms(row[name]) for name in times},
    }
