"""What is in force of a rule: versions put there, tried beside it, rolled back and taken out, each for a reason."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import SUPERVISORS
from ioc.api.idempotency import IdempotentRouter
from ioc.api.paging import LARGEST_ID
from ioc.api.people import Person, person_with
from ioc.api.rule_requests import LARGEST_NUMBER, Reason, RuleId, to_caller
from ioc.api.services import ApiServices, Services
from ioc.rules.shown import to_activation
from ioc.storage.rule_activations import Lane

_Expected = Annotated[
    int,
    Field(
        ge=0, le=LARGEST_ID, description="`newest_activation` of the rule as the caller saw it, 0 where there was none"
    ),
]


class ActivationRequest(BaseModel):
    """Which version to put in force or to run in shadow; ``number`` null: the rule as the files have it."""

    model_config = ConfigDict(extra="forbid")
    number: int | None = Field(ge=1, le=LARGEST_NUMBER)
    mode: Lane = Lane.LIVE
    reason: Reason
    expected_activation: _Expected


class RollBackRequest(BaseModel):
    """Why to go back to what was in force before."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    expected_activation: _Expected


class RetirementRequest(BaseModel):
    """Why to take a rule out of force (``live``), or to end its candidate (``shadow``)."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    mode: Lane = Lane.LIVE
    expected_activation: _Expected


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/rules`` that change what is in force."""
    routes = IdempotentRouter(api.answers, prefix="/api/v1/rules/{rule_id}", tags=["rules"])
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type
    desk = api.rules

    @routes.post("/activate")
    async def activate(rule_id: RuleId, wanted: ActivationRequest, by: Supervisor) -> dict[str, Any]:
        """Put a version in force, or let it run beside as a candidate of which nobody is told."""
        made = await desk.activate(
            rule_id, wanted.number, wanted.mode, by=to_caller(by), reason=wanted.reason,
            expected=wanted.expected_activation,
        )  # fmt: skip
        return to_activation(made)

    @routes.post("/roll-back")
    async def roll_back(rule_id: RuleId, wanted: RollBackRequest, by: Supervisor) -> dict[str, Any]:
        """Put in force what was before; again, and it goes one further back."""
        made = await desk.roll_back(
            rule_id, by=to_caller(by), reason=wanted.reason, expected=wanted.expected_activation
        )
        return to_activation(made)

    @routes.post("/retire")
    async def retire(rule_id: RuleId, wanted: RetirementRequest, by: Supervisor) -> dict[str, Any]:
        """Take a rule out of force, or end its candidate; its open alerts end with the reason ``rule_deleted``."""
        made = await desk.retire(
            rule_id, wanted.mode, by=to_caller(by), reason=wanted.reason,
            expected=wanted.expected_activation,
        )  # fmt: skip
        return to_activation(made)

    return routes
