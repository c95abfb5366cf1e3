"""Alerts over the real app: lists, journals, and operators who act with their roles, revisions and keys."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from ioc.domain.alerts import ChangeType, Severity
from tests.support.alerts import apply, at, decide
from tests.support.edge import ROLES

PATH = "/api/v1/alerts"
ALERT = f"{PATH}/{decide().alert_id}"
VERBS = ("acknowledge", "resolve", "comment", "shelve", "unshelve")


@pytest.fixture
async def truc(edge, store):
    await apply(store, decide())
    await edge.add_person("truc", "operator")
    async with edge.signed_in("truc") as client:
        yield client


async def test_an_alert_is_shown_with_everything_that_a_wall_needs(truc):
    [alert] = (await truc.get(PATH)).json()["items"]
    expected = {
        "id": str(decide().alert_id), "rev": 1, "severity": "major", "condition": "firing",
        "operator": "unacknowledged", "rule_id": "air-pm25", "asset_id": "air.hong-gai",
        "unit_code": "06652", "zone_id": "ha-long-bay",
        "title_vi": "Bụi mịn vượt ngưỡng", "title_en": "Fine dust above its limit", "value": 80.0, "limit": 50.0,
        "quantity_unit": "µg/m³", "lon": 107.07, "lat": 20.95, "started_at": round(at(0).timestamp() * 1000),
        "ended_at": None, "acked_by": None, "labels": {"asset_id": "air.hong-gai", "rule_id": "air-pm25"},
    }  # fmt: skip
    assert {name: alert[name] for name in expected} == expected


async def test_an_operator_takes_an_alert_from_its_beginning_to_its_end(edge, store, truc):
    answer = await truc.post(f"{ALERT}/acknowledge", json={"expected_revision": 1, "comment": "đã cử người"})
    assert answer.status_code == 200
    assert (answer.json()["operator"], answer.json()["acked_by"], answer.json()["rev"]) == ("acknowledged", "truc", 2)
    answer = await truc.post(f"{ALERT}/comment", json={"expected_revision": 2, "comment": "gió đổi hướng"})
    assert answer.json()["rev"] == 3
    await apply(store, decide(ChangeType.RESOLVED, 5))
    shown = (await truc.get(ALERT)).json()
    assert [(event["type"], event["actor"], event["reason"]) for event in shown["events"]] == [
        ("fired", None, None), ("acknowledged", "truc", "đã cử người"), ("commented", "truc", "gió đổi hướng"),
        ("resolved", None, "condition"),
    ]  # fmt: skip
    assert [event["alert"]["rev"] for event in shown["events"]] == [1, 2, 3, 4]
    assert (shown["alert"]["operator"], shown["alert"]["resolve_reason"]) == ("normal", "condition")
    assert (await truc.get(PATH)).json() == {"items": [], "next": None}
    assert len((await truc.get(PATH, params={"state": "all"})).json()["items"]) == 1
    noted = [(entry["actor"], entry["address"], entry["action"], entry["object"], entry["detail"])
             for entry in await edge.api.audit.newest()][:2]  # fmt: skip
    assert noted == [
        ("truc", "192.0.2.7", "alert.commented", str(decide().alert_id),
         {"revision": 3, "reason": "gió đổi hướng"}),
        ("truc", "192.0.2.7", "alert.acknowledged", str(decide().alert_id),
         {"revision": 2, "reason": "đã cử người"}),
    ]  # fmt: skip


async def test_who_comes_second_is_told_how_the_alert_stands(truc):
    first = await truc.post(f"{ALERT}/acknowledge", json={"expected_revision": 1})
    second = await truc.post(f"{ALERT}/resolve", json={"expected_revision": 1, "reason": "xong"})
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert (second.json()["code"], second.json()["current"]) == ("revision_conflict", first.json())


async def test_of_many_operators_at_once_one_acts_and_the_others_see_it(truc):
    asked = [truc.post(f"{ALERT}/acknowledge", json={"expected_revision": 1}) for _ in range(20)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert {answer.json()["current"]["rev"] for answer in answers if answer.status_code == 409} == {2}


async def test_a_request_that_is_repeated_with_its_key_gets_the_same_answer(truc):
    asked = {"json": {"expected_revision": 1, "comment": "một"}, "headers": {"Idempotency-Key": "a1"}}
    first = await truc.post(f"{ALERT}/comment", **asked)
    await truc.post(f"{ALERT}/acknowledge", json={"expected_revision": 2})
    again = await truc.post(f"{ALERT}/comment", **asked)
    assert (again.status_code, again.json()) == (200, first.json())
    other = await truc.post(f"{ALERT}/unshelve", json={"expected_revision": 3}, headers={"Idempotency-Key": "a1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_an_alert_is_shelved_until_an_instant_and_taken_off_again(edge, truc):
    until = edge.clock.now() + timedelta(hours=1)
    asked = {"expected_revision": 1, "reason": "bảo trì", "until": until.isoformat()}
    shelved = (await truc.post(f"{ALERT}/shelve", json=asked)).json()
    assert (shelved["operator"], shelved["shelved_until"]) == ("shelved", round(until.timestamp() * 1000))
    back = (await truc.post(f"{ALERT}/unshelve", json={"expected_revision": 2})).json()
    assert (back["operator"], back["shelved_until"]) == ("unacknowledged", None)


REFUSED = [
    ("shelve", {"reason": "bảo trì"}, 409, "until_required"),
    ("shelve", {"reason": "bảo trì", "until": "2020-01-01T00:00:00Z"}, 409, "until_required"),
    ("shelve", {"reason": "bảo trì", "until": "2100-01-01T00:00:00Z"}, 409, "until_too_late"),
    ("shelve", {"reason": "bảo trì", "until": "9999-12-31T23:59:59-12:00"}, 409, "until_too_late"),
    ("shelve", {"reason": "bảo trì", "until": "0001-01-01T00:00:00+12:00"}, 409, "until_required"),
    ("shelve", {"until": "2026-11-24T00:00:00"}, 422, "invalid"),
    ("shelve", {"reason": "  ", "until": "2100-01-01T00:00:00Z"}, 409, "reason_required"),
    ("unshelve", {}, 409, "not_shelved"),
    ("resolve", {}, 409, "reason_required"),
    ("comment", {}, 409, "comment_required"),
    ("comment", {"comment": "x" * 2_001}, 422, "invalid"),
    ("comment", {"comment": "\ud800"}, 422, "invalid"),
    ("comment", {"comment": "nul \x00"}, 400, "nul"),
    ("comment", {"comment": 7}, 422, "invalid"),
    ("comment", {"comment": "x", "unknown": 1}, 422, "invalid"),
    ("acknowledge", {"expected_revision": 0}, 422, "invalid"),
    ("acknowledge", {"expected_revision": 10**30}, 409, "revision_conflict"),
    ("acknowledge", {"expected_revision": None}, 422, "invalid"),
    ("delete", {}, 422, "invalid"),
]


async def test_an_action_that_lacks_something_is_refused_with_the_reason_and_changes_nothing(truc):
    for verb, body, status, code in REFUSED:
        content = json.dumps({"expected_revision": 1, **body})
        answer = await truc.post(f"{ALERT}/{verb}", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (status, code), (verb, body, answer.text)
    assert (await truc.get(ALERT)).json()["alert"]["rev"] == 1


async def test_an_alert_that_is_not_there_is_not_found(truc):
    nowhere = f"{PATH}/{decide(asset_id='nowhere').alert_id}"
    assert (await truc.get(nowhere)).status_code == 404
    assert (await truc.post(f"{nowhere}/acknowledge", json={"expected_revision": 1})).status_code == 404
    assert (await truc.get(f"{PATH}/not-an-id")).status_code == 422


@pytest.mark.parametrize("role", [*ROLES, None])
async def test_everybody_who_is_signed_in_may_look_and_operators_and_up_may_act(edge, store, role):
    await apply(store, decide())
    if role is None:
        async with edge.client() as client:
            assert (await client.get(PATH)).status_code == 401
            assert (await client.get(ALERT)).status_code == 401
            for verb in VERBS:
                assert (await client.post(f"{ALERT}/{verb}", json={"expected_revision": 1})).status_code == 401
        return
    await edge.add_person("ai", role)
    async with edge.signed_in("ai") as client:
        assert (await client.get(PATH)).status_code == 200
        assert (await client.get(ALERT)).status_code == 200
        may_act = role in {"operator", "supervisor", "admin"}
        for verb in VERBS:
            # The revision is wrong on purpose: who may act gets as far as being told so.
            answer = await client.post(f"{ALERT}/{verb}", json={"expected_revision": 9})
            assert answer.status_code == (409 if may_act else 403)
            assert ("current" in answer.json()) == may_act
        del client.headers["X-CSRF-Token"]
        assert (await client.post(f"{ALERT}/acknowledge", json={"expected_revision": 1})).status_code == 403
        assert (await client.get(ALERT)).json()["alert"]["rev"] == 1


async def test_pages_of_the_list_show_every_alert_once(store, truc):
    await apply(store, *(decide(minute=n, began=n, asset_id=f"air.s{n:02}") for n in range(1, 24)))
    seen, cursor = [], None
    while True:
        answer = (await truc.get(PATH, params={"limit": 5, **({"cursor": cursor} if cursor else {})})).json()
        seen += [alert["id"] for alert in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 24


async def test_the_list_is_filtered_by_severity_rule_asset_and_unit(store, truc):
    await apply(
        store, decide(asset_id="a", severity=Severity.CRITICAL), decide(asset_id="b", unit_code="06655", rule_id="r2")
    )

    async def shown(**wanted):
        return {alert["asset_id"] for alert in (await truc.get(PATH, params=wanted)).json()["items"]}

    assert await shown() == {"a", "b", "air.hong-gai"}
    assert await shown(severity="critical") == {"a"}
    assert await shown(rule="r2") == {"b"}
    assert await shown(asset="a") == {"a"}
    assert await shown(unit="06655") == {"b"}


async def test_a_question_that_makes_no_sense_is_answered_with_422(truc):
    for wanted in (
        {"state": "closed"}, {"severity": "fatal"}, {"limit": 0}, {"limit": 1_001}, {"limit": "many"},
        {"unit": "x" * 17}, {"cursor": "x"}, {"cursor": "|"}, {"cursor": "2026-11-23T00:00:00Z|"},
    ):  # fmt: skip
        answer = await truc.get(PATH, params=wanted)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), wanted


async def test_a_filter_that_is_not_there_is_refused_instead_of_letting_all_through(truc):
    refused = await truc.get(PATH, params={"rule_id": "crowd.density"})
    assert refused.status_code == 422
    assert "rule_id" in refused.json()["detail"]
