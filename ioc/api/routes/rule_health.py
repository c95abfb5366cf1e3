"""How the rules do: cost, memory and faults of each, over all processes that run them."""

from typing import Any

from fastapi import APIRouter, Depends

from ioc.api.auth import VIEWERS, signed_in
from ioc.api.rule_views import to_rules_health
from ioc.api.services import ApiServices, Services


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the route ``/api/v1/rules/health``."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1/rules", tags=["rules"], dependencies=[viewer])

    @routes.get("/health")
    async def health() -> dict[str, Any]:
        """Every rule with what it costs, holds and where it failed, summed over the processes and by process.

        Counters run since a process started (``started_at``); rates and shares are of the last minute.
        """
        reports, faults = await api.rule_health.reports(), await api.rule_health.faults()
        return to_rules_health(api.rulebook.rules, reports, faults)

    return routes
