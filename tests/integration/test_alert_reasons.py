"""Why an alert fired: told from the journal, the rule and the readings, by a real engine's decision on a real store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from tests.support.alerts import at

RULES = Rulebook.load([Path(__file__).resolve().parents[2] / "alerts" / "rules" / "28-crowd.yaml"])


def crowd(minute: float, density: float) -> Event:
    when = at(minute)
    return Event(
        event_id=event_id("tourism", "site.bai-chay-beach", when, "tourism.crowd"), feed_id="tourism",
        asset_id="site.bai-chay-beach", observed_at=when, received_at=when + timedelta(seconds=1),
        data=Crowd(density_p_m2=density, people_count=900), unit_code="06667",
    )  # fmt: skip


async def test_the_limit_the_rule_and_the_reading_that_tipped_it_are_told(edge, viewer):
    readings = [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(8)]
    engine, store = Engine(RULES, load_world()), PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))
    async with store.begin("test") as transaction:
        await transaction.record(readings)
        await transaction.apply(engine.step("p", readings).changes)
    [alert] = (await viewer.get("/api/v1/alerts")).json()["items"]
    why = (await viewer.get(f"/api/v1/alerts/{alert['id']}/why")).json()
    assert (why["rule"]["id"], why["rule"]["is_same"]) == (alert["rule_id"], True)
    assert (why["rule"]["source"], why["rule"]["is_in_force"], why["rule"]["number"]) == ("file", True, None)
    fired = why["decisions"][0]
    assert (fired["type"], fired["value"]) == ("fired", 4.6)
    limits = [item["limit"] for level in why["rule"]["levels"] for item in level["when"]]
    assert fired["limit"] in limits
    [reading] = why["readings"]
    assert reading["is_tipping"]
    assert reading["values"]["density_p_m2"] == 4.6
    tipped = next(item for item in readings if UUID(bytes=item.event_id).hex == fired["inputs"][-1])
    assert reading["observed_at"] == round(tipped.observed_at.timestamp() * 1000) == fired["observed_at"]


async def test_an_alert_that_is_not_there_has_no_reason(viewer):
    assert (await viewer.get(f"/api/v1/alerts/{uuid4()}/why")).status_code == 404
