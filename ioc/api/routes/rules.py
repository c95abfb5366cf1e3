"""Rules: what is in force and who put it there, their versions, and what a candidate would have said."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.lifecycle.versions import MOST_CHARACTERS
from ioc.api.auth import SUPERVISORS, VIEWERS, signed_in
from ioc.api.idempotency import IdempotentRouter
from ioc.api.paging import check_instant
from ioc.api.people import Person, person_with
from ioc.api.rule_requests import LARGEST_NUMBER, Reason, RuleId, to_caller
from ioc.api.services import ApiServices, Services
from ioc.errors import NotFoundError
from ioc.rules.shown import list_rules, to_activation, to_report, to_version


class VersionRequest(BaseModel):
    """A rule as one YAML document with its tests, and why it is made."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    reason: Reason


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/rules`` that look at rules and save versions."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/rules", tags=["rules"])
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type
    desk = api.rules

    @routes.get("", dependencies=[viewer])
    async def rules(retired: bool = False) -> dict[str, Any]:
        """The rules in force, with where they come from and their candidates; with ``retired`` the others as well."""
        return {"items": list_rules(desk.rules, with_retired=retired)}

    @routes.get("/{rule_id}/versions", dependencies=[viewer])
    async def versions(
        rule_id: RuleId,
        before: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
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
    async def save(rule_id: RuleId, wanted: VersionRequest, by: Supervisor) -> dict[str, Any]:
        """Check a rule, run its tests and keep it as a version. Nothing comes into force."""
        made = await desk.save(wanted.source, by=to_caller(by), reason=wanted.reason, rule_id=rule_id)
        return to_version(made)

    @routes.get("/{rule_id}/shadow-report", dependencies=[viewer])
    async def report(
        rule_id: RuleId,
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        number: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
    ) -> dict[str, Any]:
        """A candidate's alerts beside those of the rule in force, over the time in which it ran last."""
        made = await desk.report(
            rule_id, number=number, start=start and check_instant(start), end=end and check_instant(end)
        )
        return to_report(made)

    return routes
