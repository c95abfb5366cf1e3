"""The grounds of a decision for the wire: reads what its condition looked at and tells each part in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.inquiry.asking import Fact
from alerts.inquiry.bases import basis_of
from alerts.inquiry.grounds import Look
from alerts.language.rule import Rule
from alerts.world import World
from ioc.api.approach_texts import say_part
from ioc.api.inquiry_views import to_wire
from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.domain.grounds import Grounds, Part
from ioc.storage.decision_inputs import Cut, DecisionInputs


async def find_grounds(
    inputs: DecisionInputs, world: World, rule: Rule | None, alert: Alert, kept: Grounds | None
) -> tuple[dict[str, Any] | None, Sequence[Event]]:
    """Give the grounds of a decision and the readings that they rest on; None where its condition tells none.

    What can be found again of stored readings says more; what was kept with the decision stands where that is gone.

    Args:
        inputs: what is stored.
        world: what rules know of the province.
        rule: the rule that decided, if it is still known.
        alert: the alert after the decision.
        kept: what the journal has of what the condition asked for.
    """
    basis = None if rule is None else basis_of(rule, alert, world, kept)
    if basis is None:
        return (None, []) if kept is None else (_show(kept.parts, kept.facts), [])
    events: list[Event] = []
    cuts: list[Cut | None] = []
    for look in basis.looks():
        found, cut = await _read(inputs, look, alert)
        events += found
        cuts.append(cut)
    grounds = basis.find(sorted(events, key=lambda event: (event.received_at, event.event_id)))
    parts = grounds.parts or (kept.parts if kept is not None else ())
    cut = next((cut for cut in cuts if cut is not None), None) if grounds.missing else None
    return _show(parts, grounds.facts, missing=grounds.missing, cut=cut), grounds.events


def _show(
    parts: Sequence[Part], facts: Mapping[str, Fact], *, missing: Sequence[str] = (), cut: Cut | None = None
) -> dict[str, Any]:
    return {
        "parts": [_to_part(part) for part in parts], "facts": to_wire(facts), "missing": list(missing), "cut": cut
    }  # fmt: skip


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
