"""How the rules do, and why one told nobody: cost, memory and faults of each, and what a silent period lacked."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field

from alerts.inquiry.asking import Question
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.inquiry_views import to_answer
from ioc.api.paging import check_instant
from ioc.api.rule_views import to_rules_health
from ioc.api.services import ApiServices, Services


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes ``/api/v1/rules/health`` and ``/api/v1/rules/{rule_id}/why-not``."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1/rules", tags=["rules"], dependencies=[viewer])

    @routes.get("/health")
    async def health() -> dict[str, Any]:
        """Every rule with what it costs, holds and where it failed, summed over the processes and by process.

        Counters run since a process started (``started_at``); rates and shares are of the last minute.
        """
        reports, faults = await api.rule_health.reports(), await api.rule_health.faults()
        return to_rules_health(api.rulebook.rules, reports, faults)

    @routes.get("/{rule_id}/why-not")
    async def why_not(
        rule_id: Annotated[str, Field(max_length=200)],
        start: Annotated[AwareDatetime, Query(alias="from")],
        end: Annotated[AwareDatetime, Query(alias="to")],
        asset: Annotated[
            str | None, Query(max_length=200, description="unset only for rules over a unit, a zone or the province")
        ] = None,
    ) -> dict[str, Any]:
        """Why a rule told nobody of an asset in a period of at most 31 days, by the source's own time.

        Computed: the rule runs alone over what came then, as it was in force then; ``stretches`` says by which version
        each part of the period was judged. The first of ``findings`` leads; those that are decisive explain the silence
        of their stretch alone. ``course`` has [at, value, limit] of the value that came nearest.
        """
        question = Question(rule_id=rule_id, asset_id=asset, start=check_instant(start), end=check_instant(end))
        return to_answer(await api.inquirer.ask(question))

    return routes
