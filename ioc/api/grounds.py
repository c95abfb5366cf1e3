"""The grounds of a decision for the wire: reads what its condition looked at and tells each part in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.approaches import Part
from alerts.inquiry.bases import basis_of
from alerts.inquiry.grounds import Look
from alerts.language.rule import Rule
from alerts.world import World
from ioc.api.approach_texts import say_part
from ioc.api.inquiry_views import to_wire
from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.storage.decision_inputs import Cut, DecisionInputs


async def find_grounds(
    inputs: DecisionInputs, world: World, rule: Rule | None, alert: Alert
) -> tuple[dict[str, Any] | None, Sequence[Event]]:
    """Give the grounds of a decision and the readings that they rest on; None where its condition tells none.

    Args:
        inputs: what is stored.
        world: what rules know of the province.
        rule: the rule that decided, if it is still known.
        alert: the alert after the decision.
    """
    basis = None if rule is None else basis_of(rule, alert, world)
    if basis is None:
        return None, []
    events: list[Event] = []
    cuts: list[Cut | None] = []
    for look in basis.looks():
        found, cut = await _read(inputs, look, alert)
        events += found
        cuts.append(cut)
    grounds = basis.find(sorted(events, key=lambda event: (event.received_at, event.event_id)))
    shown = {
        "parts": [_to_part(part) for part in grounds.parts],
        "facts": to_wire(grounds.facts),
        "missing": list(grounds.missing),
        "cut": next((cut for cut in cuts if cut is not None), None) if grounds.missing else None,
    }
    return shown, grounds.events


async def _read(inputs: DecisionInputs, look: Look, alert: Alert) -> tuple[Sequence[Event], Cut | None]:
    if look.asset_id is None:
        return await inputs.of_all(look.kind, after=look.after, until=look.until, received_by=alert.decided_at), None
    known = await inputs.of_asset(
        look.kind, look.asset_id, after=look.after, until=look.until, received_by=alert.decided_at, limit=look.limit
    )
    return known.events, known.cut


def _to_part(part: Part) -> dict[str, Any]:
    told = part._asdict()
    return {**told, "text_vi": say_part(told, 0), "text_en": say_part(told, 1)}
