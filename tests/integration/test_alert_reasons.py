"""Why an alert fired: told from the journal, the rule and the readings, by a real engine's decision on a real store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import (
    Crowd,
    Outage,
    Rain,
    WaterLevel,
)
from ioc.domain.quantities import Quality
from ioc.storage.decision_inputs import Cut
from tests.support.alerts import at
from tests.support.reasons import FOLDER, ask_why, live_through, reading, to_ms

RULES = Rulebook.load([FOLDER / "28-crowd.yaml"])


def rain(begin: datetime) -> list[Event]:
    """A cloudburst of 9 mm each ten minutes, some rain hours before it, one reading that came late and a bad one."""

    def fallen(minute: float, rain_mm: float, **others: Any) -> Event:
        data = Rain(rain_mm=rain_mm, period_min=10)
        return reading("rain.ba-che", data, begin + timedelta(minutes=minute), **others)

    return [
        fallen(-600, 2), *(fallen(minute, 9) for minute in range(0, 60, 10)),
        fallen(15, 5, delay=20), fallen(25, 20, quality=Quality.BAD),
    ]  # fmt: skip


def crowd(minute: float, density: float) -> Event:
    when = at(minute)
    return Event(
        event_id=event_id("tourism", "site.bai-chay-beach", when, "tourism.crowd"), feed_id="tourism",
        asset_id="site.bai-chay-beach", observed_at=when, received_at=when + timedelta(seconds=1),
        data=Crowd(density_p_m2=density, people_count=900), unit_code="06667",
    )  # fmt: skip


async def test_the_limit_the_rule_and_the_reading_that_tipped_it_are_told(store, viewer):
    readings = [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(8)]
    async with store.begin("test") as transaction:
        await transaction.record(readings)
        await transaction.apply(Engine(RULES, load_world()).step("p", readings).changes)
    [alert] = (await viewer.get("/api/v1/alerts")).json()["items"]
    why = (await viewer.get(f"/api/v1/alerts/{alert['id']}/why")).json()
    assert (why["rule"]["id"], why["rule"]["is_same"]) == (alert["rule_id"], True)
    assert (why["rule"]["source"], why["rule"]["is_in_force"], why["rule"]["number"]) == ("file", True, None)
    fired = why["decisions"][0]
    assert (fired["type"], fired["value"]) == ("fired", 4.6)
    limits = [item["limit"] for level in why["rule"]["levels"] for item in level["when"]]
    assert fired["limit"] in limits
    [newest] = why["readings"]
    assert newest["is_tipping"]
    assert (why["inputs_missing"], why["window_state"]) == ([], None)
    assert all(
        (level["formula"], level["clear_formula"], level["compared"]) == (None, None, [])
        for level in why["rule"]["levels"]
    )
    assert newest["values"]["density_p_m2"] == 4.6
    tipped = next(item for item in readings if UUID(bytes=item.event_id).hex == fired["inputs"][-1])
    assert newest["observed_at"] == round(tipped.observed_at.timestamp() * 1000) == fired["observed_at"]


async def test_a_rule_with_formulas_tells_them(store, viewer):
    asset_id = "site.tuan-chau-hall"
    crowds = [reading(asset_id, Crowd(people_count=4801, capacity_count=4000), at(minute)) for minute in range(6)]
    await live_through(store, "29-site-load.yaml", crowds)
    why = await ask_why(viewer, "site.load")
    levels = [(level["severity"], level["formula"], level["clear_formula"]) for level in why["rule"]["levels"]]
    assert levels == [
        ("minor", "people_count > 1.2 * capacity_count", "people_count <= 1.1 * capacity_count"),
        ("major", "people_count > 1.5 * capacity_count", "people_count <= 1.4 * capacity_count"),
    ]
    assert all(level["when"] == level["clear"] == [] for level in why["rule"]["levels"])
    [newest] = why["readings"]
    assert newest["is_tipping"]
    assert (newest["values"]["people_count"], newest["values"]["capacity_count"]) == (4801, 4000)


async def test_a_formula_tells_what_it_compared_both_sides_worked_out(store, viewer):
    reports = [
        reading("unit.06652", Outage(customers_off_count=3000, customers_count=14_017), at(minute))
        for minute in range(0, 10, 5)
    ]
    await live_through(store, "35-outage.yaml", reports)
    why = await ask_why(viewer, "power.outage")
    assert (why["decisions"][0]["value"], why["decisions"][0]["limit"]) == (3000.0, None)
    compared = [[(part["what"], part["value"], part["operator"], part["limit"], part["is_met"], part["way"])
                 for part in level["compared"]] for level in why["rule"]["levels"]]  # fmt: skip
    assert compared == [
        [("customers_off_count", 3000.0, ">", 5000.0, False, 0)],
        [("customers_off_count", 3000.0, ">", pytest.approx(2803.4), True, 0)],
    ]


async def test_a_gauge_tells_its_own_limits(store, viewer):
    levels_m = [reading("water.yen-lap", WaterLevel(level_m=29.2), at(10 * number)) for number in range(2)]
    await live_through(store, "15-reservoir.yaml", levels_m)
    why = await ask_why(viewer, "reservoir.crest")
    levels = {level["severity"]: level["when"] for level in why["rule"]["levels"]}
    assert levels == {
        "minor": [{"quantity": "level_m", "operator": ">=", "limit": 29.0}],
        "major": [{"quantity": "level_m", "operator": ">=", "limit": 29.5}],
    }
    assert all(level["is_in_force"] for level in why["rule"]["levels"])


async def test_windows_are_told_as_they_stood_at_each_decision(edge, store, viewer):
    begin = edge.clock.now() - timedelta(days=2)
    await live_through(store, "10-rain.yaml", rain(begin))
    why = await ask_why(viewer, "rain.sums")
    fired, risen = why["decisions"][:2]
    assert (fired["type"], fired["value"]) == ("fired", 36.0)
    state, until = why["window_state"], begin + timedelta(minutes=30)
    assert (state["at"], state["cut"]) == (fired["observed_at"], None) == (to_ms(until), None)
    assert state["read_after"] == to_ms(until - timedelta(days=1))
    windows = {window["name"]: window for window in state["windows"]}
    # What came late had not come yet, and what is bad never counts.
    assert windows["rain_1h"] == {
        "name": "rain_1h", "value": 36.0, "after": to_ms(until - timedelta(hours=1)), "until": to_ms(until),
        "readings_count": 4, "first_at": to_ms(begin), "last_at": to_ms(until), "filled_tenths": 4, "needed_tenths": 0,
    }  # fmt: skip
    for name in ("rain_12h", "rain_24h"):
        assert (windows[name]["value"], windows[name]["readings_count"]) == (38.0, 5)
        assert windows[name]["first_at"] == to_ms(begin - timedelta(minutes=600))
    later = await ask_why(viewer, "rain.sums", risen["revision"])
    hour = next(window for window in later["window_state"]["windows"] if window["name"] == "rain_1h")
    assert (risen["type"], risen["value"]) == ("severity", 50.0) == ("severity", hour["value"])
    assert (hour["readings_count"], hour["last_at"]) == (6, risen["observed_at"])


async def test_what_the_store_no_longer_keeps_is_told_to_be_missing(edge, store, viewer):
    begin = edge.clock.now() - edge.base.settings.store.retention + timedelta(hours=12)
    await live_through(store, "10-rain.yaml", rain(begin))
    assert (await ask_why(viewer, "rain.sums"))["window_state"]["cut"] == "retention"
    async with edge.base.database.connection() as connection:
        await connection.execute(
            "INSERT INTO archive_file (kind, feed_id, day, part, name, rows_count, bytes_count, sha256, first_at,"
            " last_at, archived_at) VALUES ('env.rain', 'rain', %(day)s, 1, 'a', 1, 1, '', %(at)s, %(at)s, %(at)s)",
            {"at": begin - timedelta(minutes=600), "day": begin.date()},
        )
    assert (await ask_why(viewer, "rain.sums"))["window_state"]["cut"] == "archive"


async def test_no_more_readings_are_looked_at_than_a_rule_keeps(edge, store):
    begin = edge.clock.now() - timedelta(days=2)
    await live_through(store, "10-rain.yaml", rain(begin))
    known = await edge.api.decision_inputs.of_asset(
        "env.rain", "rain.ba-che", after=begin - timedelta(days=1), until=begin + timedelta(minutes=30),
        received_by=begin + timedelta(minutes=31), limit=3,
    )  # fmt: skip
    assert known.cut is Cut.TOO_MANY
    assert [event.observed_at for event in known.events] == [
        begin + timedelta(minutes=minute) for minute in (20, 25, 30)
    ]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_alert_about_no_asset_tells_the_readings_that_its_decision_names(store, viewer, is_stored):
    reports = [
        reading(f"unit.{code}", Outage(customers_off_count=off, customers_count=10_000), at(minute + place / 60))
        for minute in range(9)
        for place, (code, off) in enumerate(
            (("06652", 4000), ("06658", 6000), ("06661", 6000), ("06670", 4000), ("06673", 0))
        )
    ]  # fmt: skip
    await live_through(store, "35-outage.yaml", reports, is_stored=is_stored)
    why = await ask_why(viewer, "power.outage_province")
    fired = why["decisions"][0]
    assert (fired["value"], len(fired["inputs"])) == (40.0, 1)
    assert why["window_state"] is None
    if not is_stored:
        assert (why["readings"], why["inputs_missing"]) == ([], fired["inputs"])
        return
    [tipping] = why["readings"]
    told = next(event for event in reports if UUID(bytes=event.event_id).hex == fired["inputs"][0])
    assert tipping["is_tipping"]
    assert (tipping["asset_id"], tipping["observed_at"]) == (told.asset_id, fired["observed_at"])
    assert tipping["values"]["customers_off_count"] == told.data.customers_off_count
    assert why["inputs_missing"] == []


async def test_a_revision_that_is_no_decision_is_refused_and_the_decisions_are_named(store, viewer, truc):
    await live_through(store, "28-crowd.yaml", [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(8)])
    [alert] = (await viewer.get("/api/v1/alerts")).json()["items"]
    path = f"/api/v1/alerts/{alert['id']}"
    await truc.post(f"{path}/acknowledge", json={"expected_revision": alert["rev"]})
    unknown = await viewer.get(f"{path}/why", params={"decision": 999})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    acknowledged = await viewer.get(f"{path}/why", params={"decision": alert["rev"] + 1})
    assert (acknowledged.status_code, acknowledged.json()["code"]) == (422, "not_a_decision")
    assert acknowledged.json()["detail"].endswith("(acknowledged) is none of the engine's decisions: these are 1")


async def test_an_alert_that_is_not_there_has_no_reason(viewer):
    assert (await viewer.get(f"/api/v1/alerts/{uuid4()}/why")).status_code == 404
