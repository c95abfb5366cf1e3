"""Which conditions can tell the grounds of their decisions, and by what."""

from __future__ import annotations

from alerts.conditions.absence import Absence
from alerts.conditions.vessel_warned import VesselWarned
from alerts.inquiry.grounds import Basis
from alerts.inquiry.silences import SilenceBasis
from alerts.inquiry.warned import WarnedBasis
from alerts.language.rule import Rule
from alerts.world import World
from ioc.domain.alerts import Alert


def basis_of(rule: Rule, alert: Alert, world: World) -> Basis | None:
    """Give what finds the grounds of a decision; None where its readings, windows and limits say all.

    Args:
        rule: the rule that decided.
        alert: the alert after the decision.
        world: what rules know of the province.
    """
    match rule.condition:
        case Absence() as condition if alert.asset_id is not None:
            return SilenceBasis(condition, alert)
        case VesselWarned() as condition:
            return WarnedBasis(condition, alert, world)
        case _:
            return None
