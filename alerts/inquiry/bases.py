"""Which conditions can tell the grounds of their decisions, and by what."""

from __future__ import annotations

from alerts.conditions.absence import Absence
from alerts.conditions.spike import Spike
from alerts.conditions.vessel_warned import VesselWarned
from alerts.inquiry.grounds import Basis
from alerts.inquiry.leapt import LeapBasis
from alerts.inquiry.silences import SilenceBasis
from alerts.inquiry.warned import WarnedBasis
from alerts.language.rule import Rule
from alerts.world import World
from ioc.domain.alerts import Alert
from ioc.domain.grounds import Grounds


def basis_of(rule: Rule, alert: Alert, world: World, kept: Grounds | None) -> Basis | None:
    """Give what finds the grounds of a decision; None where its readings, windows and limits say all.

    Args:
        rule: the rule that decided.
        alert: the alert after the decision.
        world: what rules know of the province.
        kept: what the journal has of what the condition asked for.
    """
    match rule.condition:
        case Absence() as condition if alert.asset_id is not None:
            return SilenceBasis(condition, alert)
        case Spike() as condition if alert.asset_id is not None:
            return LeapBasis(rule, condition, alert)
        case VesselWarned() as condition:
            return WarnedBasis(condition, alert, world, kept)
        case _:
            return None
