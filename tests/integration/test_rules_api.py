"""Rules over the real app: saved, put in force, run in shadow, rolled back; each by somebody and for a reason."""

from __future__ import annotations

import asyncio

import pytest

from alerts.engine.stepping import Engine
from ioc.bootstrap.knowledge import load_world
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from tests.integration.test_alert_reasons import crowd
from tests.support.rule_texts import crowd_rule

PATH = "/api/v1/rules/crowd.density"
WHY = "ngưỡng mới cho lễ hội"


async def saved(boss, source):
    answer = await boss.post(f"{PATH}/versions", json={"source": source, "reason": WHY})
    assert answer.status_code == 201, answer.text
    return answer.json()["number"]


async def newest(boss):
    return (await boss.get(f"{PATH}/versions")).json()["newest_activation"]


async def activated(boss, number, mode="live", status=200):
    wanted = {"number": number, "mode": mode, "reason": WHY, "expected_activation": await newest(boss)}
    answer = await boss.post(f"{PATH}/activate", json=wanted)
    assert answer.status_code == status, answer.text
    return answer.json()


async def rule(boss, **params):
    items = (await boss.get("/api/v1/rules", params=params)).json()["items"]
    return next((item for item in items if item["id"] == "crowd.density"), None)


async def test_a_version_comes_into_force_with_its_author_and_goes_again_by_a_roll_back(edge, boss):
    before = await rule(boss)
    assert (before["source"], before["candidates"], before["newest_activation"]) == ("file", [], 0)
    number = await saved(boss, crowd_rule(3.0))
    assert (await rule(boss)) == before
    await activated(boss, number)
    now = await rule(boss)
    assert (now["source"], now["number"], now["author"], now["reason"]) == ("version", 1, "boss", WHY)
    assert now["version"] != now["file_version"] == before["version"]
    assert edge.api.rulebook.find("crowd.density").version == now["version"]
    back = await boss.post(f"{PATH}/roll-back", json={"reason": "quá nhiều", "expected_activation": 1})
    assert (back.json()["state"], back.json()["is_roll_back"]) == ("file", True)
    assert (await rule(boss))["version"] == before["version"]
    again = await boss.post(f"{PATH}/roll-back", json={"reason": "nữa", "expected_activation": await newest(boss)})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_before")
    history = (await boss.get(f"{PATH}/versions")).json()["activations"]
    assert [(item["state"], item["actor"]) for item in history] == [("file", "boss"), ("version", "boss")]
    audited = [entry["action"] for entry in await edge.api.audit.newest() if entry["action"].startswith("rule.")]
    assert audited == ["rule.rolled_back", "rule.activated", "rule.saved"]


async def test_a_rule_with_faults_or_failing_tests_is_not_saved(boss):
    broken = crowd_rule().replace("severity: major", "severity: huge", 1)
    refused = await boss.post(f"{PATH}/versions", json={"source": broken, "reason": WHY})
    assert refused.status_code == 422
    assert any(fault.startswith("rule:5: ") for fault in refused.json()["faults"]), refused.text
    failing = crowd_rule().replace("density_p_m2: 2.0", "density_p_m2: 1.9")
    refused = await boss.post(f"{PATH}/versions", json={"source": failing, "reason": WHY})
    assert (refused.status_code, refused.json()["code"]) == (422, "tests_failed")
    assert refused.json()["failed"][0]["test"] == "it fires once it has held"
    other = await boss.post(f"{PATH}/versions", json={"source": crowd_rule(rule_id="crowd.other"), "reason": WHY})
    assert (other.status_code, other.json()["code"]) == (422, "other_rule")
    assert (await boss.get(f"{PATH}/versions")).json()["items"] == []


async def test_a_rule_without_a_test_may_run_in_shadow_but_not_come_into_force(boss):
    number = await saved(boss, crowd_rule(has_test=False))
    assert (await activated(boss, number, status=409))["code"] == "no_tests"
    assert (await activated(boss, number, "shadow"))["mode"] == "shadow"


async def test_who_saw_an_older_state_is_refused(boss):
    number = await saved(boss, crowd_rule(3.0))
    wanted = {"number": number, "reason": WHY, "expected_activation": 0}
    assert (await boss.post(f"{PATH}/activate", json=wanted)).status_code == 200
    again = await boss.post(f"{PATH}/activate", json={**wanted, "number": None})
    assert (again.status_code, again.json()["code"]) == (409, "stale_activation")
    for verb in ("roll-back", "retire"):
        late = await boss.post(f"{PATH}/{verb}", json={"reason": WHY, "expected_activation": 0})
        assert (late.status_code, late.json()["code"]) == (409, "stale_activation")
        unseen = await boss.post(f"{PATH}/{verb}", json={"reason": WHY})
        assert (unseen.status_code, unseen.json()["faults"][0]["where"]) == (422, "body.expected_activation")
    assert await newest(boss) == 1


async def test_two_at_once_put_one_thing_in_force(boss):
    numbers = [await saved(boss, crowd_rule(limit)) for limit in (3.0, 4.0)]
    asked = [{"number": number, "reason": WHY, "expected_activation": 0} for number in numbers]
    answers = await asyncio.gather(*(boss.post(f"{PATH}/activate", json=wanted) for wanted in asked))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_retired_rule_is_not_in_force_and_comes_back_as_in_the_files(boss):
    await boss.post(f"{PATH}/retire", json={"reason": "hết mùa", "expected_activation": 0})
    assert await rule(boss) is None
    assert (await rule(boss, retired=True))["source"] == "retired"
    assert (await activated(boss, None))["state"] == "file"
    assert (await rule(boss))["source"] == "file"
    nothing = await boss.post("/api/v1/rules/no.rule/retire", json={"reason": "x", "expected_activation": 0})
    assert nothing.status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"reason": " "}, {"number": 0}, {"mode": "file"}, {"expected_activation": -1}, {"more": 1}],
)
async def test_what_makes_no_sense_is_refused(boss, wrong):
    wanted = {"number": 1, "reason": WHY, "expected_activation": 0, **wrong}
    assert (await boss.post(f"{PATH}/activate", json=wanted)).status_code == 422


async def decided(edge, *densities):
    """Let an engine with the rules in force decide on a crowd, minute by minute, as a worker would."""
    engine = Engine(edge.api.rulebook, load_world())
    readings = [crowd(minute, density) for minute, density in enumerate(densities)]
    store = PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))
    async with store.begin("test") as transaction:
        await transaction.record(readings)
        await transaction.apply(engine.step("p", readings).changes)


async def test_why_names_the_version_that_decided_also_when_a_later_one_is_in_force(edge, boss):
    await activated(boss, await saved(boss, crowd_rule(3.0)))
    await decided(edge, *[3.5] * 7)
    [alert] = (await boss.get("/api/v1/alerts")).json()["items"]
    await activated(boss, await saved(boss, crowd_rule(4.0)))
    why = (await boss.get(f"/api/v1/alerts/{alert['id']}/why")).json()
    shown = why["rule"]
    assert (shown["number"], shown["author"], shown["is_same"], shown["is_in_force"]) == (1, "boss", True, False)
    assert [item["limit"] for level in shown["levels"] for item in level["when"]] == [3.0]
    assert why["readings"]


async def test_why_says_when_the_deciding_rule_came_from_a_file_that_changed(edge, boss):
    await activated(boss, await saved(boss, crowd_rule(3.0)))
    await decided(edge, *[3.5] * 7)
    async with edge.base.database.connection() as connection:
        await connection.execute("ALTER TABLE alert_event DISABLE TRIGGER alert_event_append_only")
        await connection.execute("UPDATE alert_event SET alert = jsonb_set(alert, '{rule_version}', '\"gone\"')")
    [alert] = (await boss.get("/api/v1/alerts")).json()["items"]
    shown = (await boss.get(f"/api/v1/alerts/{alert['id']}/why")).json()["rule"]
    assert (shown["version"], shown["source"], shown["is_same"]) == ("gone", "changed_file", False)


async def test_a_candidate_is_compared_with_what_was_in_force_while_it_ran(edge, boss):
    await activated(boss, await saved(boss, crowd_rule(1.0)), "shadow")
    [beside] = (await rule(boss))["candidates"]
    assert (beside["number"], beside["author"]) == (1, "boss")
    # Alerts of this test lie in the past of the candidate's activation: the store's own clock says when it ran.
    async with edge.base.database.connection() as connection:
        await connection.execute("ALTER TABLE rule_activation DISABLE TRIGGER USER")
        await connection.execute("UPDATE rule_activation SET at = '2026-11-23T02:00Z'")
        await connection.execute("ALTER TABLE rule_activation ENABLE TRIGGER USER")
    await decided(edge, *[1.5] * 8, *[0.1] * 8, *[2.5] * 8)
    report = (await boss.get(f"{PATH}/shadow-report", params={"to": "2026-11-23T03:00:00Z"})).json()
    assert (report["number"], report["firings"], report["in_force_firings"]) == (1, 2, 1)
    assert (report["added"], report["gone"]) == (1, 0)
    [unit] = report["units"]
    assert (unit["unit_code"], unit["added"]) == ("06667", 1)
    assert unit["in_alarm_s"] > unit["in_force_in_alarm_s"] > 0
    [first] = report["first_added"]
    assert first["asset_id"] == "site.bai-chay-beach"
    outside = await boss.get(f"{PATH}/shadow-report", params={"to": "2026-11-22T03:00:00Z"})
    assert (outside.status_code, outside.json()["code"]) == (422, "bad_range")
    assert (await boss.get("/api/v1/rules/gate.queue/shadow-report")).status_code == 404
    open_alerts = (await boss.get("/api/v1/alerts")).json()["items"]
    assert all(not alert["shadow"] for alert in open_alerts if alert["rule_id"] == "crowd.density")
