"""Rules: what is in force and who put it there, their versions, and what a candidate would have said."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.rule_versions import MOST_CHARACTERS
from ioc.api.auth import VIEWERS, address_of, signed_in
from ioc.api.paging import check_instant
from ioc.api.services import ApiServices, Services
from ioc.errors import NotFoundError
from ioc.rules.desk import Caller
from ioc.rules.shown import list_rules, to_activation, to_report, to_version
from ioc.storage.accounts import Session
from ioc.storage.rule_activations import Lane

SUPERVISORS = ("supervisor", "admin")
_LARGEST_ID = 2**63 - 1
_LARGEST_NUMBER = 2**31 - 1

RuleId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_.]{0,79}$", examples=["crowd.density"])]
Reason = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]
Expected = Annotated[int | None, Field(ge=0, le=_LARGEST_ID)]


class VersionRequest(BaseModel):
    """A rule as one YAML document with its tests, and why it is made."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    reason: Reason


class ActivationRequest(BaseModel):
    """Which version to put in force or to run in shadow; ``number`` null: the rule as the files have it.

    ``expected_activation`` is ``newest_activation`` of the rule as the caller saw it, 0 where there was none.
    """

    model_config = ConfigDict(extra="forbid")
    number: int | None = Field(ge=1, le=_LARGEST_NUMBER)
    mode: Lane = Lane.LIVE
    reason: Reason
    expected_activation: int = Field(ge=0, le=_LARGEST_ID)


class RollBackRequest(BaseModel):
    """Why to go back to what was in force before."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    expected_activation: Expected = None


class RetirementRequest(BaseModel):
    """Why to take a rule out of force (``live``), or to end its candidate (``shadow``)."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    mode: Lane = Lane.LIVE
    expected_activation: Expected = None


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/rules``."""
    routes = APIRouter(prefix="/api/v1/rules", tags=["rules"])
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    supervisor = signed_in(api.accounts, *SUPERVISORS)
    desk = api.rules

    @routes.get("", dependencies=[viewer])
    async def rules(retired: bool = False) -> dict[str, Any]:
        """The rules in force, with where they come from and their candidates; with ``retired`` the others as well."""
        return {"items": list_rules(desk.rules, with_retired=retired)}

    @routes.get("/{rule_id}/versions", dependencies=[viewer])
    async def versions(
        rule_id: RuleId,
        before: Annotated[int | None, Query(ge=1, le=_LARGEST_NUMBER)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """A rule's versions and activations, newest first; ``next`` is ``before`` of the next page of versions."""
        found = await desk.store.versions.page(rule_id, before=before, limit=limit + 1)
        history = await desk.store.activations.history(rule_id)
        if not found and not history and before is None and rule_id not in desk.rules.files:
            raise NotFoundError("rule", rule_id)
        return {
            "items": [to_version(version) for version in found[:limit]],
            "next": found[limit - 1].number if len(found) > limit else None,
            "activations": [to_activation(item) for item in history],
            "newest_activation": history[0].activation_id if history else 0,
            "file_version": rule.version if (rule := desk.rules.files.get(rule_id)) else None,
        }

    @routes.post("/{rule_id}/versions", status_code=201)
    async def save(
        request: Request, rule_id: RuleId, wanted: VersionRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Check a rule, run its tests and keep it as a version. Nothing comes into force."""
        made = await desk.save(wanted.source, by=_caller(request, session), reason=wanted.reason, rule_id=rule_id)
        return to_version(made)

    @routes.post("/{rule_id}/activate")
    async def activate(
        request: Request, rule_id: RuleId, wanted: ActivationRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Put a version in force, or let it run beside as a candidate of which nobody is told."""
        made = await desk.activate(
            rule_id, wanted.number, wanted.mode, by=_caller(request, session), reason=wanted.reason,
            expected=wanted.expected_activation,
        )  # fmt: skip
        return to_activation(made)

    @routes.post("/{rule_id}/roll-back")
    async def roll_back(
        request: Request, rule_id: RuleId, wanted: RollBackRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Put in force what was before; again, and it goes one further back."""
        made = await desk.roll_back(
            rule_id, by=_caller(request, session), reason=wanted.reason, expected=wanted.expected_activation
        )
        return to_activation(made)

    @routes.post("/{rule_id}/retire")
    async def retire(
        request: Request, rule_id: RuleId, wanted: RetirementRequest, session: Annotated[Session, Depends(supervisor)]
    ) -> dict[str, Any]:
        """Take a rule out of force, or end its candidate; its open alerts end with the reason ``rule_deleted``."""
        made = await desk.retire(
            rule_id, wanted.mode, by=_caller(request, session), reason=wanted.reason,
            expected=wanted.expected_activation,
        )  # fmt: skip
        return to_activation(made)

    @routes.get("/{rule_id}/shadow-report", dependencies=[viewer])
    async def report(
        rule_id: RuleId,
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        number: Annotated[int | None, Query(ge=1, le=_LARGEST_NUMBER)] = None,
    ) -> dict[str, Any]:
        """A candidate's alerts beside those of the rule in force, over the time in which it ran last."""
        made = await desk.report(
            rule_id, number=number, start=start and check_instant(start), end=end and check_instant(end)
        )
        return to_report(made)

    return routes


def _caller(request: Request, session: Session) -> Caller:
    return Caller(actor=session.account.name, address=address_of(request))
