"""Why an alert: each decision with the rule, its limits of that day, and the readings that it rests on."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from alerts.conditions.asset_limits import AssetLimits
from alerts.conditions.window import Measured
from alerts.inquiry.measures import weigh_formula
from alerts.language.rule import PROVINCE_TIME, Bindable, Comparison, Rule
from ioc.api.auth import VIEWERS, signed_in
from ioc.api.grounds import find_grounds
from ioc.api.reasons import find_readings, find_values, find_window_state
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.domain.alerts import Alert, AlertEvent, ChangeType
from ioc.domain.kinds import KINDS
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.rules.desk import Decider

_DECISIONS = frozenset(
    {
        ChangeType.FIRED,
        ChangeType.SEVERITY,
        ChangeType.RECOVERING,
        ChangeType.RESOLVED,
        ChangeType.NO_DATA,
        ChangeType.FLAPPING,
        ChangeType.STEADY,
    }
)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes that give reasons."""
    viewer = Depends(signed_in(api.accounts, *VIEWERS))
    routes = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], dependencies=[viewer])

    @routes.get("/{alert_id}/why")
    async def why(
        alert_id: UUID, decision: Annotated[int | None, Query(ge=1, description="revision; unset: the first")] = None
    ) -> dict[str, Any]:
        """The decisions of the engine about an alert; for one of them what the rule saw then.

        ``readings`` are the newest of the thing at that moment and all that the decision names (``is_tipping``).
        ``window_state`` is what the rule's windows held then, worked out from the readings that are still stored.
        ``grounds`` are what else its condition asked for then, part by part in words, where it tells that.

        Raises:
            NotFoundError: no such alert, or no such revision of it.
            InvalidRequestError: the revision is no decision of the engine.
        """
        journal = await api.alerts.events(alert_id)
        alert = await api.alerts.get(alert_id)
        decided = [entry for entry in journal if entry.type in _DECISIONS and entry.actor is None]
        inputs = await api.alerts.inputs(alert_id)
        chosen = _choose(decided, journal, decision)
        version = alert.rule_version if chosen is None else chosen.alert.rule_version
        decider = await api.rules.find_decider(alert.rule_id, version)
        rule = decider.rule or api.rulebook.find(alert.rule_id)
        state = await _find_state(api, rule, chosen, inputs)
        return {
            "alert_id": str(alert_id),
            "rule": _to_rule(rule, alert, chosen, find_values(state)) | _to_decider(decider, version),
            "decisions": [_to_decision(entry, inputs.get(entry.revision, [])) for entry in decided],
            **state,
        }

    return routes


def _choose(decided: Sequence[AlertEvent], journal: Sequence[AlertEvent], revision: int | None) -> AlertEvent | None:
    """Give the decision of a revision, the first one where none is asked for; None where the engine decided nothing."""
    if revision is None:
        return next(iter(decided), None)
    found = next((entry for entry in journal if entry.revision == revision), None)
    if found is None:
        raise NotFoundError("decision", str(revision))
    if found not in decided:
        revisions = ", ".join(str(entry.revision) for entry in decided)
        raise InvalidRequestError(
            "not_a_decision",
            f"revision {revision} ({found.type.value}) is none of the engine's decisions: these are {revisions}",
        )
    return found


async def _find_state(
    api: ApiServices, rule: Rule | None, entry: AlertEvent | None, inputs: Mapping[int, list[str]]
) -> dict[str, Any]:
    """Give what one decision saw: readings, windows, and what else it rests on."""
    if entry is None:
        return {"readings": [], "inputs_missing": [], "window_state": None, "grounds": None}
    ids = inputs.get(entry.revision, [])
    kept = await api.alerts.grounds(entry.alert_id, entry.revision)
    grounds, events = await find_grounds(api.decision_inputs, api.world, rule, entry.alert, kept)
    found = await find_readings(api.history, api.decision_inputs, rule, entry.alert, ids, events)
    window_state = await find_window_state(api.decision_inputs, rule, entry.alert)
    return found | {"window_state": window_state, "grounds": grounds}


def _to_rule(rule: Rule | None, alert: Alert, entry: AlertEvent | None, values: Mapping[str, object]) -> dict[str, Any]:
    """Tell a rule with its limits of the day of a decision, and what its formulas compared of the values then."""
    shown: dict[str, Any] = {"id": alert.rule_id}
    if rule is None:
        return shown
    at = alert.started_at if entry is None else entry.alert.observed_at
    day = at.astimezone(PROVINCE_TIME).date()
    levels = rule.condition.levels
    formulas = getattr(rule.condition, "formulas", ()) or (("", ""),) * len(levels)
    own = rule.condition.comparisons_of(alert.asset_id or "") if isinstance(rule.condition, AssetLimits) else {}
    return shown | {
        "condition": rule.condition_name,
        "keeps_firing_s": rule.keep_firing_for.total_seconds(),
        "lateness_s": rule.lateness.total_seconds(),
        "levels": [
            {
                "severity": level.severity.value,
                "when": [_to_comparison(item, day) for item in level.when or own.get(level.severity, ())],
                "clear": [_to_comparison(item, day) for item in level.clear],
                "formula": formula or None,
                "clear_formula": clear_formula or None,
                "compared": _to_compared(rule.condition, formula, values),
                "is_in_force": level.is_in_force(day),
                "for_s": level.hold_for.total_seconds(),
            }
            for level, (formula, clear_formula) in zip(levels, formulas, strict=True)
        ],
        "windows": [
            {
                "name": window.name, "quantity": window.quantity, "aggregate": window.aggregate.value,
                "span_s": window.span.total_seconds(),
            }
            for window in getattr(rule.condition, "windows", ())
        ],
        "compared_with": getattr(rule.condition, "compared_with", None),
    }  # fmt: skip


def _to_decider(decider: Decider, version: str) -> dict[str, Any]:
    """Tell which version decided. ``is_same``: what is shown is that one, and not what came into force since."""
    saved = decider.saved
    return {
        "version": version,
        "is_same": decider.rule is not None,
        "is_in_force": decider.is_in_force,
        "source": decider.source,
        "number": saved and saved.number,
        "author": saved and saved.author,
        "reason": saved and saved.reason,
        "saved_at": saved and to_ms(saved.created_at),
    }


def _to_compared(condition: Bindable, formula: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Give the comparisons of a formula with both sides; those of one ``way`` must hold together, one way is enough."""
    if not isinstance(condition, Measured) or not formula:
        return []
    return [
        {
            "what": part.what, "value": part.value, "operator": part.operator, "limit": part.limit,
            "is_met": part.is_met, "way": number,
        }
        for number, way in enumerate(weigh_formula(formula, KINDS[condition.kinds[0].KIND], condition.windows, values))
        for part in way
    ]  # fmt: skip


def _to_comparison(item: Comparison, day: date) -> dict[str, Any]:
    return {"quantity": item.quantity, "operator": item.operator, "limit": item.limit.on(day)}


def _to_decision(entry: AlertEvent, ids: list[str]) -> dict[str, Any]:
    alert = entry.alert
    return {
        "revision": entry.revision, "type": entry.type.value, "at": to_ms(entry.at), "reason": entry.reason,
        "severity": alert.severity.value, "value": alert.value, "limit": alert.limit,
        "unit": alert.quantity_unit if alert.value is not None else "",
        "observed_at": to_ms(alert.observed_at), "inputs": ids,
        "detail_vi": alert.detail_vi, "detail_en": alert.detail_en,
    }  # fmt: skip
