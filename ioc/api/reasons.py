"""What a decision of the engine rests on: the readings that it names, and what its windows held."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.conditions.index import Index
from alerts.conditions.window import Measured
from alerts.inquiry.hours_of_index import PollutantState, first_hour_of, look_at_hours
from alerts.language.rule import Rule
from alerts.memory.readings import MOST_READINGS
from alerts.memory.windowing import Windows, WindowState
from alerts.rulebook.lateness import LatenessMarks
from ioc.api.views import to_ms, to_reading
from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, AirReading, Observation
from ioc.domain.quantities import Quality
from ioc.storage.decision_inputs import DecisionInputs
from ioc.storage.series import HistoryStore, Reading


async def find_readings(
    history: HistoryStore, inputs: DecisionInputs, rule: Rule | None, alert: Alert, ids: Sequence[str],
    grounds: Sequence[Event] = (),
) -> dict[str, Any]:  # fmt: skip
    """Give the newest readings of the alert's thing at a decision, all others that it names, and what else it rests on.

    Ids that no stored reading of the rule's kinds has stand in ``inputs_missing``.

    Args:
        history: how things stood.
        inputs: the readings that decisions name.
        rule: the rule that decided, if it is still known.
        alert: the alert after the decision.
        ids: ids (hex) of the events that the decision names.
        grounds: what else it rests on.
    """
    if rule is None:
        return {"readings": [], "inputs_missing": list(ids)}
    kinds = [kind.KIND for kind in rule.condition.kinds]
    found: list[Reading] = []
    if alert.asset_id is not None:
        for kind in kinds:
            found += await history.as_of(alert.observed_at, kind=kind, assets=[alert.asset_id])
    known = {_id_of(reading) for reading in found}
    others = [item for item in ids if item not in known]
    if others:
        found += await inputs.find(others, kinds=kinds, received_at=alert.received_at, decided_at=alert.decided_at)
    known, marks = {_id_of(reading) for reading in found}, LatenessMarks([rule])
    found += [_of_event(event) for event in grounds if UUID(bytes=bytes(event.event_id)).hex not in known]
    return {
        "readings": [
            {**to_reading(reading, marks), "is_tipping": _id_of(reading) in ids, "name": KINDS[reading.kind].name}
            for reading in found
        ],
        "inputs_missing": [item for item in ids if item not in known],
    }


async def find_window_state(inputs: DecisionInputs, rule: Rule | None, alert: Alert) -> dict[str, Any] | None:
    """Give what the windows of a rule held of an alert's thing at a decision; None where the rule has none.

    It is worked out by the engine's own code from the readings that had come by then and are still stored.
    """
    condition = None if rule is None else rule.condition
    if isinstance(condition, Index) and alert.asset_id is not None:
        return await _find_index_state(inputs, alert.asset_id, alert)
    if not isinstance(condition, Measured) or not condition.windows or alert.asset_id is None:
        return None
    windows, kind = Windows(condition.windows), condition.kinds[0]
    after = alert.observed_at - windows.reach
    known = await inputs.of_asset(
        kind.KIND, alert.asset_id, after=after, until=alert.observed_at, received_by=alert.decided_at,
        limit=MOST_READINGS, quantity=dict(alert.labels).get("quantity") if kind is Observation else None,
    )  # fmt: skip
    # In a thread: thousands of readings are not done at once, and requests and walls go on beside it.
    states = await asyncio.to_thread(_look, windows, known.events, alert.observed_at)
    return {
        "at": to_ms(alert.observed_at),
        "read_after": to_ms(after),
        "cut": known.cut,
        "windows": [_to_window(state) for state in states],
    }


async def _find_index_state(inputs: DecisionInputs, asset_id: str, alert: Alert) -> dict[str, Any]:
    """Give what the hourly index was made of: by pollutant its concentration, its sub-index and its hours."""
    at = alert.observed_at
    after = first_hour_of(at) - timedelta(microseconds=1)
    known = await inputs.of_asset(
        AirReading.KIND, asset_id, after=after, until=at, received_by=alert.decided_at, limit=MOST_READINGS
    )
    states = await asyncio.to_thread(look_at_hours, known.events, at)
    return {
        "at": to_ms(at), "read_after": to_ms(after), "cut": known.cut,
        "windows": [_to_pollutant(state) for state in states],
    }  # fmt: skip


def _to_pollutant(state: PollutantState) -> dict[str, Any]:
    return {
        "name": state.pollutant.value,
        "value": state.concentration_ug_m3,
        "unit": "µg/m³",
        "sub_index": state.sub_index,
        "hours": [{"from": to_ms(begins_at), "mean": mean, "readings_count": count}
                  for begins_at, mean, count in state.hours],
    }  # fmt: skip


def _look(windows: Windows, events: Sequence[Event], at: datetime) -> list[WindowState]:
    readings = windows.begin()
    for event in events:
        if event.quality != Quality.BAD:
            windows.add(readings, event.data, event.observed_at)
    return windows.look(readings, at)


def _to_window(state: WindowState) -> dict[str, Any]:
    return {
        "name": state.window.name,
        "value": state.value,
        "after": to_ms(state.after),
        "until": to_ms(state.until),
        "readings_count": state.readings_count,
        "first_at": state.first_at and to_ms(state.first_at),
        "last_at": state.last_at and to_ms(state.last_at),
        "filled_tenths": state.filled_tenths,
        "needed_tenths": state.needed_tenths,
    }


def _of_event(event: Event) -> Reading:
    values = {field.name: getattr(event.data, field.name) for field in KINDS[event.kind].fields}
    return Reading(
        kind=event.kind, asset_id=event.asset_id, observed_at=event.observed_at, received_at=event.received_at,
        event_id=event.event_id, quality=event.quality, feed_id=event.feed_id, unit_code=event.unit_code,
        lon_deg=event.lon_deg, lat_deg=event.lat_deg, values=values,
    )  # fmt: skip


def _id_of(reading: Reading) -> str:
    return UUID(bytes=bytes(reading.event_id)).hex
