"""Why nobody was told: asked of a real store over the API and on the command line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from random import Random

import pytest
from typer.testing import CliRunner

from alerts.engine.stepping import Engine
from alerts.inquiry.asking import Question, Reason
from alerts.rulebook.book import Rulebook
from ioc.api.inquiries import Inquirer, merge
from ioc.bootstrap.knowledge import load_world
from ioc.cli import make_app
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd, VesselPosition, WeatherObservation
from ioc.errors import OverloadedError
from ioc.processing.notifier import Notifier
from ioc.rules.tenures import RuleTenures
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.known_assets import KnownAssets
from ioc.storage.notifications import NotificationStore
from ioc.storage.outbox import enqueue
from ioc.storage.rule_activations import Lane, State, Wish
from ioc.storage.rule_alerts import RuleAlerts
from ioc.storage.rules import RuleStore
from ioc.storage.stored_events import StoredEvents
from tests.support.alerts import at, decide
from tests.support.edge import SCHEMA, open_edge, prepare

SITE, BOAT = "site.bai-chay-beach", "vessel.574000123"
RULE = "crowd.density"


def event(asset_id: str, data, minute: float, **others) -> Event:
    when = at(minute)
    return Event(
        event_id=event_id("test", asset_id, when, data.KIND), feed_id="test", asset_id=asset_id, observed_at=when,
        received_at=when + timedelta(seconds=1), data=data, **others,
    )  # fmt: skip


def crowd(minute: float, density: float, asset_id: str = SITE) -> Event:
    return event(asset_id, Crowd(density_p_m2=density, people_count=900), minute, unit_code="06667")


@pytest.fixture
async def address(plain_postgres_url, fresh_database):
    return await fresh_database(plain_postgres_url, prepare=prepare)


@pytest.fixture
async def edge(tmp_path, address):
    async with open_edge(tmp_path, address) as edge:
        await edge.add_person("xem", "viewer")
        yield edge


@pytest.fixture
async def viewer(edge):
    async with edge.signed_in("xem") as client:
        yield client


async def record(edge, *events: Event, changes=()) -> None:
    store = PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))
    async with store.begin("test") as transaction:
        await transaction.record(events)
        if changes:
            await transaction.apply(changes)


async def ask(viewer, rule: str = RULE, *, asset: str | None = SITE, start: float = 0, end: float = 60):
    wanted = {"from": at(start).isoformat(), "to": at(end).isoformat()} | ({} if asset is None else {"asset": asset})
    return await viewer.get(f"/api/v1/rules/{rule}/why-not", params=wanted)


async def test_the_nearest_value_and_its_course_are_told(edge, viewer):
    await record(edge, *(crowd(minute, 1.0 + 0.01 * minute) for minute in range(60)), crowd(5, 9.0, "site.other"))
    found = (await ask(viewer)).json()
    assert (found["reason"], found["is_explained"]) == ("level_not_reached", True)
    near = found["findings"][0]["facts"]["levels"][0]
    assert (near["value"], near["at"]) == (pytest.approx(1.59), round(at(59).timestamp() * 1000))
    assert near["distance"] == pytest.approx(near["limit"] - 1.59)
    assert found["events_count"] == 60, "another site's readings are none of this question's"
    assert len(found["course"]["points"]) == 60
    assert found["course"]["points"][0] == [round(at(0).timestamp() * 1000), 1.0, near["limit"]]
    assert "1.6" in found["findings"][0]["text_en"]
    assert found["findings"][0]["text_vi"]


async def test_an_alert_that_there_was_is_told_with_who_heard_of_it(edge, viewer):
    readings = [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(30)]
    rules = Rulebook([rule for rule in edge.api.rulebook.rules if rule.rule_id == RULE])
    changes = Engine(rules, load_world()).step("p", readings).changes
    await record(edge, *readings, changes=changes)
    found = (await ask(viewer)).json()
    assert found["reason"] == "fired"
    [alert] = found["findings"][0]["facts"]["alerts"]
    [listed] = (await viewer.get("/api/v1/alerts")).json()["items"]
    assert (alert["alert_id"], alert["told"]) == (listed["id"], [])
    assert "fires_now" not in [item["reason"] for item in found["findings"]]
    assert (await ask(viewer, start=-120, end=-60)).json()["reason"] == "no_readings"


async def test_an_asset_that_nobody_knows_is_told_from_one_that_is_silent(edge, viewer):
    await record(edge, crowd(-600, 1.0), crowd(-600, 1.0, "site.moi-mo"))
    found = (await ask(viewer, asset="site.bai-chay-beech")).json()
    assert (found["reason"], found["is_explained"]) == ("asset_unknown", True)
    assert [item["reason"] for item in found["findings"]] == ["asset_unknown", "no_readings"]
    assert found["findings"][0]["facts"]["near"][0]["asset_id"] == SITE
    assert f"Did you mean {SITE} (" in found["findings"][0]["text_en"]
    assert f"Có phải là {SITE} (" in found["findings"][0]["text_vi"]
    heard = (await ask(viewer, asset="site.moi-moo")).json()["findings"][0]
    assert heard["facts"]["near"][0] == {"asset_id": "site.moi-mo", "name_vi": "site.moi-mo", "name_en": "site.moi-mo"}
    far = (await ask(viewer, asset="xyz")).json()["findings"][0]
    assert (far["reason"], far["facts"]["near"]) == ("asset_unknown", [])
    assert far["text_en"].endswith("nothing that is stored is about it.")
    for known in (SITE, "site.moi-mo"):
        assert (await ask(viewer, asset=known)).json()["reason"] == "no_readings"


async def test_a_silent_station_is_told_from_a_thing_of_another_kind_by_what_it_ever_sent(edge, viewer):
    await record(edge, event("met.bai-chay", WeatherObservation(wind_m_s=5.0), -600), crowd(-600, 1.0))
    silent = (await ask(viewer, "wind.suspension", asset="met.bai-chay")).json()
    assert [item["reason"] for item in silent["findings"]] == ["no_readings"]
    other = (await ask(viewer, "wind.suspension", asset=SITE)).json()
    assert [item["reason"] for item in other["findings"]] == ["no_readings", "outside"]
    assert other["findings"][1]["text_en"] == "The rule looks at sensor, not at site."


async def test_an_asset_that_nobody_knows_is_named_also_where_others_are_looked_at(edge, viewer):
    weather = WeatherObservation(wind_m_s=5.0)
    await record(edge, *(event("weather.bai-chay", weather, minute) for minute in range(60)))
    found = (await ask(viewer, "vessel.under_warning", asset="vessel.999")).json()
    assert found["reason"] == "asset_unknown"


async def fire_and_notify(edge) -> dict:
    """Have a crowd fire, the notifier decide, and the question asked; gives the alert as the answer tells of it."""
    readings = [crowd(minute, 4.6) for minute in range(30)]
    rules = Rulebook([rule for rule in edge.api.rulebook.rules if rule.rule_id == RULE])
    await record(edge, *readings, changes=Engine(rules, load_world()).step("p", readings).changes)
    notifier = Notifier(edge.base.database, edge.api.policy, edge.clock, Random(1))
    for _ in range(3):
        await notifier.step()
        edge.clock.step(minutes=1)
    async with edge.signed_in("xem") as viewer:
        [finding] = [item for item in (await ask(viewer)).json()["findings"] if item["reason"] == "fired"]
    [alert] = finding["facts"]["alerts"]
    return {**alert, "text": finding["text_en"]}


async def test_who_was_told_of_the_alert_is_told(edge):
    alert = await fire_and_notify(edge)
    assert alert["told"]
    assert alert["told"][0]["reason"] == "first"
    assert alert["told"][0]["department"] in alert["text"]
    assert alert["told"][0]["receivers_count"] == 0
    assert "nothing receives for" in alert["text"]


async def test_what_held_the_alert_is_told(edge):
    await edge.add_person("truc", "supervisor")
    async with edge.signed_in("truc") as supervisor:
        ends_at = (edge.clock.now() + timedelta(hours=2)).isoformat()
        asked = {"matchers": f"rule={RULE}", "ends_at": ends_at, "comment": "bài thử"}
        assert (await supervisor.post("/api/v1/silences", json=asked)).status_code == 201
    alert = await fire_and_notify(edge)
    assert (alert["told"], {item["why"] for item in alert["held"]}) == ([], {"silenced"})
    assert "held: silenced" in alert["text"]


async def test_a_rule_that_would_fire_on_what_came_and_made_no_alert_is_told_as_that(edge, viewer):
    await record(edge, *(crowd(minute, 4.6) for minute in range(30)))
    assert (await ask(viewer)).json()["reason"] == "fires_now"


async def test_a_rule_that_is_not_there_is_told_from_one_that_is_no_more(edge, viewer):
    unknown = (await ask(viewer, "crowd.densty")).json()
    assert (unknown["reason"], unknown["findings"][0]["facts"]["near"][0]) == ("rule_unknown", RULE)
    await record(edge, changes=[decide()])
    retired = (await ask(viewer, "air-pm25", asset="air.hong-gai")).json()
    assert retired["reason"] == "retired"


async def test_a_rule_past_one_asset_sees_the_asset_and_what_is_around_it(edge, viewer):
    place = {"lon_deg": 107.12, "lat_deg": 20.86}
    boats = [event(BOAT, VesselPosition(sog_kn=8.0), minute, **place) for minute in range(60)]
    others = [event("vessel.2", VesselPosition(sog_kn=8.0), minute, **place) for minute in range(60)]
    calm = [event("met.bai-chay", WeatherObservation(wind_m_s=3.0), minute, **place) for minute in range(0, 60, 10)]
    await record(edge, *boats, *others, *calm)
    found = (await ask(viewer, "vessel.under_warning", asset=BOAT)).json()
    assert (found["reason"], found["events_count"]) == ("not_met", 66)


LOWER = resources.files("alerts").joinpath("rules/28-crowd.yaml").read_text("utf-8").replace(">= 2\n", ">= 1.9\n")


async def put(edge, minute: float, state: State, number: int | None = None) -> None:
    wish = Wish(rule_id=RULE, lane=Lane.LIVE, state=state, number=number, actor="lan", reason="lễ hội", at=at(minute))
    await edge.api.rules.store.activations.activate(wish)


async def save_lower(edge) -> int:
    made = await edge.api.rules.store.versions.save(
        rule_id=RULE, source=LOWER, version="v", tests_count=1, author="lan", reason="lễ hội", at=at(-100)
    )
    return made.number


async def test_a_period_is_judged_by_the_version_that_was_in_force_then_and_not_by_that_of_now(edge, viewer):
    number = await save_lower(edge)
    await put(edge, -90, State.VERSION, number)
    await put(edge, 90, State.FILE)
    await record(edge, *(crowd(minute, 0.5 if 80 <= minute < 95 else 1.95) for minute in range(-10, 120)))
    found = (await ask(viewer)).json()
    assert (found["reason"], found["findings"][0]["facts"]["limit"]) == ("fires_now", 1.9)
    [stretch] = found["stretches"]
    assert (stretch["source"], stretch["number"], stretch["actor"], stretch["reason"]) == (
        "version", number, "lan", "lễ hội",
    )  # fmt: skip
    assert stretch["version"] == found["version"]
    later = (await ask(viewer, start=95, end=120)).json()
    assert (later["reason"], later["stretches"][0]["source"]) == ("level_not_reached", "file")


async def test_each_part_of_a_period_is_judged_by_its_own_version_and_a_part_without_one_is_told(edge, viewer):
    number = await save_lower(edge)
    await put(edge, 20, State.OFF)
    await put(edge, 40, State.VERSION, number)
    await record(edge, *(crowd(minute, 1.95 if minute < 43 else 0.5) for minute in range(60)))
    found = (await ask(viewer)).json()
    assert found["is_explained"]
    assert [(item["stretch"], item["reason"]) for item in found["findings"]] == [
        (2, "pending"), (0, "level_not_reached"), (1, "not_in_force"),
    ]  # fmt: skip
    assert [(item["source"], item["from"], item["to"]) for item in found["stretches"]] == [
        (source, round(at(start).timestamp() * 1000), round(at(end).timestamp() * 1000))
        for source, start, end in (("file", 0, 20), ("retired", 20, 40), ("version", 40, 60))
    ]
    assert "retired (lan: lễ hội)" in found["findings"][2]["text_en"]


async def test_a_rule_that_is_retired_now_is_judged_where_it_was_in_force(edge, viewer):
    await put(edge, 90, State.OFF)
    await edge.api.rules.rules.refresh()
    await record(edge, *(crowd(minute, 1.5) for minute in range(60)))
    assert (await ask(viewer)).json()["reason"] == "level_not_reached"
    gone = (await ask(viewer, start=95, end=120)).json()
    assert (gone["reason"], gone["is_explained"], gone["version"]) == ("not_in_force", True, None)


async def test_an_alert_of_another_version_shows_that_the_file_has_changed(edge, viewer):
    readings = [crowd(minute, 4.6) for minute in range(30)]
    [rule] = [rule for rule in edge.api.rulebook.rules if rule.rule_id == RULE]
    changes = Engine(Rulebook([replace(rule, version="a file of then")]), load_world()).step("p", readings).changes
    await record(edge, *readings, changes=changes)
    found = (await ask(viewer)).json()
    assert [item["reason"] for item in found["findings"]] == ["fired", "changed_file"]
    assert found["findings"][1]["facts"]["versions"] == ["a file of then"]


async def test_the_command_line_shows_each_stretch_with_its_version(edge, address, tmp_path, monkeypatch):
    await put(edge, 30, State.VERSION, await save_lower(edge))
    await record(edge, *(crowd(minute, 1.0) for minute in range(60)))
    for name, value in {"DATA_DIR": str(tmp_path), "STORE__URL": address, "STORE__SCHEMA_NAME": SCHEMA}.items():
        monkeypatch.setenv(f"IOC_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")
    wanted = ["rules", "why-not", RULE, "--asset", SITE, "--from", "2026-11-23T09:00", "--to", "2026-11-23T03:00Z"]
    shown = await asyncio.to_thread(CliRunner().invoke, make_app(), wanted)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    first = next(place for place, line in enumerate(lines) if "the rule of the files, as it is now" in line)
    second = next(place for place, line in enumerate(lines) if "version 1 (" in line and "by lan: lễ hội" in line)
    assert first < second
    assert ["level_not_reached" in lines[place + 1] for place in (first, second)] == [True, True]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"start": 10, "end": 10}, "bad_range"),
        ({"start": 0, "end": 60 * 24 * 32}, "bad_range"),
        ({"asset": None}, "asset_missing"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(viewer, wanted, code):
    answer = await ask(viewer, **wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_instant_without_an_offset_is_refused_and_the_offset_asked_for(viewer):
    wanted = {"from": "2026-11-23T08:00:00", "to": "2026-11-23T09:00:00Z", "asset": SITE}
    refused = await viewer.get(f"/api/v1/rules/{RULE}/why-not", params=wanted)
    assert refused.status_code == 422
    [fault] = refused.json()["faults"]
    assert fault["where"] == "query.from"
    assert fault["what"].startswith("write the offset of an instant: 2026-11-23T08:00:00+07:00")


async def test_a_question_is_for_people_who_are_signed_in(edge):
    async with edge.client() as client:
        assert (await ask(client)).status_code == 401


def make_inquirer(edge, **others) -> Inquirer:
    database = edge.base.database
    return Inquirer(
        open_events=lambda: StoredEvents(database), alerts=RuleAlerts(database), assets=KnownAssets(database),
        world=load_world(),
        notifications=NotificationStore(database), rules=lambda: edge.api.rulebook.rules, clock=edge.clock,
        tenures=RuleTenures(RuleStore(database), lambda: edge.api.rules.rules.files).of, **others,
    )  # fmt: skip


QUESTION = Question(rule_id=RULE, asset_id=SITE, start=at(0), end=at(60))


async def test_a_question_that_needs_too_many_events_is_refused_with_their_number(edge):
    await record(edge, *(crowd(minute, 1.0) for minute in range(60)))
    with pytest.raises(Exception, match="60 events for this, at most are 59") as refused:
        await make_inquirer(edge, most_events=59).ask(QUESTION)
    assert refused.value.code == "too_many_events"
    assert (await make_inquirer(edge, most_events=60).ask(QUESTION)).findings[0].reason is Reason.LEVEL_NOT_REACHED


async def test_one_question_is_answered_at_a_time(edge):
    await record(edge, *(crowd(minute, 1.0) for minute in range(60)))
    inquirer = make_inquirer(edge)
    answers = await asyncio.gather(*(inquirer.ask(QUESTION) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(found, OverloadedError) for found in answers) == 2
    assert (await inquirer.ask(QUESTION)).events_count == 60


async def test_streams_are_merged_in_the_order_of_arrival():
    async def stream(*chunks):
        for chunk in chunks:
            yield [crowd(minute, 1.0) for minute in chunk]

    streams = [stream([0, 3, 4], [9]), stream([1, 2], [5, 6, 7]), stream()]
    merged = [event.observed_at for events in [part async for part in merge(streams)] for event in events]
    assert merged == [at(minute) for minute in (0, 1, 2, 3, 4, 5, 6, 7, 9)]


async def test_the_command_line_asks_whether_another_name_was_meant(edge, address, tmp_path, monkeypatch):
    for name, value in {"DATA_DIR": str(tmp_path), "STORE__URL": address, "STORE__SCHEMA_NAME": SCHEMA}.items():
        monkeypatch.setenv(f"IOC_{name}", value)
    monkeypatch.setenv("COLUMNS", "300")
    wanted = ["rules", "why-not", RULE, "--asset", "site.bai-chay-beech", "--from", "2026-11-23T09:00", "--to",
              "2026-11-23T10:00"]  # fmt: skip
    shown = await asyncio.to_thread(CliRunner().invoke, make_app(), wanted)
    assert shown.exit_code == 0, shown.output
    assert "asset_unknown" in shown.output
    assert f"Did you mean {SITE}" in shown.output


async def test_the_command_line_says_why_and_draws_it(edge, address, tmp_path, monkeypatch):
    await record(edge, *(crowd(minute, 1.0) for minute in range(60)))
    for name, value in {"DATA_DIR": str(tmp_path), "STORE__URL": address, "STORE__SCHEMA_NAME": SCHEMA}.items():
        monkeypatch.setenv(f"IOC_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")
    wanted = ["rules", "why-not", RULE, "--asset", SITE, "--from", "2026-11-23T09:00", "--to", "2026-11-23T03:00Z"]
    shown = await asyncio.to_thread(CliRunner().invoke, make_app(), [*wanted, "--plot", str(tmp_path / "why.svg")])
    assert shown.exit_code == 0, shown.output
    assert "level_not_reached" in shown.output
    assert "Nearest: density_p_m2 = 1 at" in shown.output
    drawn = (tmp_path / "why.svg").read_text("utf-8")
    assert drawn.count("<polyline") == 1
    assert "stroke-dasharray" in drawn
    asked = await asyncio.to_thread(CliRunner().invoke, make_app(), [*wanted, "--json"])
    assert json.loads(asked.output)["reason"] == "level_not_reached"
