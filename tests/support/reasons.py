"""Asking why an alert fired: a rule file lives through what came, and the API is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Payload
from tests.support.alerts import apply
from tests.support.engine_runs import run

FOLDER = Path(__file__).resolve().parents[2] / "alerts" / "rules"
FEEDS = {
    "env.air.reading": "air",
    "vessel.position": "vessels",
    "met.warning": "weather",
    "met.obs": "weather",
    "tourism.crowd": "tourism",
    "env.rain": "rain",
    "energy.outage": "energy",
    "env.water.level": "water",
    "border.lane": "border",
}


def reading(asset_id: str, data: Payload, when: datetime, *, delay: float = 1 / 60, **others: Any) -> Event:
    """What a source said; it came ``delay`` minutes later."""
    feed_id = FEEDS[data.KIND]
    return Event(
        event_id=event_id(feed_id, asset_id, when, data.KIND), feed_id=feed_id, asset_id=asset_id, observed_at=when,
        received_at=when + timedelta(minutes=delay), data=data, **others,
    )  # fmt: skip


async def live_through(store, name: str, events: list[Event], *, is_stored: bool = True) -> None:
    """Let the rules of a file see events in the order of their arrival, and keep what a worker keeps."""
    events = sorted(events, key=lambda event: event.received_at)
    if is_stored:
        async with store.begin("test") as transaction:
            await transaction.record(events)
    await apply(store, *run(Rulebook.load([FOLDER / name]), load_world(), events).changes)


async def ask_why(viewer, rule_id: str, decision: int | None = None) -> dict[str, Any]:
    [alert] = [item for item in (await viewer.get("/api/v1/alerts")).json()["items"] if item["rule_id"] == rule_id]
    asked = {} if decision is None else {"decision": decision}
    answer = await viewer.get(f"/api/v1/alerts/{alert['id']}/why", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def to_ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)
