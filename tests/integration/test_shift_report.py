"""Several alerts at once, and what a shift hands over: the numbers are the journal's."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from ioc.domain.alerts import ChangeType, Severity
from ioc.storage.reports import read_shift
from tests.support.alerts import apply, ask, at, decide

SEVERAL = "/api/v1/alerts/acknowledge"
SHIFT = "/api/v1/reports/shift"


async def test_exactly_the_named_alerts_are_acknowledged_each_for_itself(edge, store, truc):
    first, second, third = (decide(asset_id=f"air.{name}") for name in ("a", "b", "c"))
    await apply(store, first, second, third)
    missing = uuid4()
    items = [
        {"id": str(first.alert_id), "expected_revision": 1},
        {"id": str(second.alert_id), "expected_revision": 7},
        {"id": str(missing), "expected_revision": 1},
    ]
    answer = (await truc.post(SEVERAL, json={"items": items, "comment": "đã xem"})).json()
    assert [(item["done"], item["code"]) for item in answer["items"]] == [
        (True, None), (False, "revision_conflict"), (False, "not_found")
    ]  # fmt: skip
    assert answer["done_count"] == 1
    assert answer["items"][1]["alert"]["rev"] == 1
    listed = {item["id"]: item["operator"] for item in (await truc.get("/api/v1/alerts")).json()["items"]}
    assert listed == {
        str(first.alert_id): "acknowledged",
        str(second.alert_id): "unacknowledged",
        str(third.alert_id): "unacknowledged",
    }  # fmt: skip


async def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(store, truc):
    alert = decide()
    await apply(store, alert)
    body = {"items": [{"id": str(alert.alert_id), "expected_revision": 1}]}
    answers = [(await truc.post(SEVERAL, json=body, headers={"Idempotency-Key": "k1"})).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["items"][0]["alert"]["rev"] == 2
    assert (await truc.post(SEVERAL, json=body)).json()["items"][0]["code"] == "revision_conflict"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": "all"},
        {"items": [{"id": str(uuid4()), "expected_revision": 1}] * 2},
        {"items": [{"id": str(uuid4()), "expected_revision": 1}], "all": True},
        {"items": [{"id": str(uuid4()), "expected_revision": 1} for _ in range(201)]},
    ],
)
async def test_a_group_that_is_not_named_one_by_one_is_refused(truc, body):
    assert (await truc.post(SEVERAL, json=body)).status_code == 422


async def test_a_viewer_acknowledges_nothing(edge, store):
    alert = decide()
    await apply(store, alert)
    await edge.add_person("xem", "viewer")
    async with edge.signed_in("xem") as viewer:
        body = {"items": [{"id": str(alert.alert_id), "expected_revision": 1}]}
        assert (await viewer.post(SEVERAL, json=body)).status_code == 403
        assert (await viewer.get(SHIFT)).status_code == 200


async def test_a_shift_is_what_the_journal_says(edge, store, truc):
    quick, slow, calm = (
        decide(asset_id="air.a", began=-5),  # its condition had to last before anybody could see it
        decide(asset_id="air.b", severity=Severity.CRITICAL),
        decide(asset_id="air.c"),
    )
    await apply(store, quick, slow, calm)
    edge.clock.put(at(30))
    answer = await truc.post(
        SEVERAL,
        json={
            "items": [{"id": str(alert.alert_id), "expected_revision": 1} for alert in (quick, slow)],
            "comment": "<b>rõ</b>",
        },
    )
    assert answer.json()["done_count"] == 2
    entries = await edge.api.alerts.events_after(0)
    wanted = {"from": at(-1).isoformat(), "to": at(60).isoformat()}
    edge.clock.step(minutes=5)
    report = (await truc.get(SHIFT, params=wanted)).json()
    assert report["fired"] == {"critical": 1, "major": 2, "minor": 0, "info": 0}
    assert sum(report["fired"].values()) == sum(entry.type is ChangeType.FIRED for entry in entries)
    assert report["ended"] == {"critical": 0, "major": 0, "minor": 0, "info": 0}
    assert report["fired_by_rule"] == {"air-pm25": 3}
    assert report["fired_by_unit"] == {"06652": 3}
    assert [(deed["actor"], deed["type"], deed["reason"]) for deed in report["deeds"]] == [
        ("truc", "acknowledged", "<b>rõ</b>")
    ] * 2  # fmt: skip
    assert [item["severity"] for item in report["open"]] == ["critical", "major", "major"]
    assert report["mean_to_acknowledge_s"] == 30 * 60
    for language, word in (("vi", "Báo cáo ca trực"), ("en", "Shift report")):
        page = await truc.get(f"{SHIFT}.html", params={**wanted, "lang": language})
        assert page.headers["content-type"].startswith("text/html")
        assert word in page.text
        assert "&lt;b&gt;rõ&lt;/b&gt;" in page.text
        assert "<script" not in page.text


async def test_what_was_open_at_the_end_is_shown_as_it_stood_then(edge, store, truc):
    alert = decide()
    await apply(store, alert)
    edge.clock.put(at(5))
    now = edge.clock.now()
    await truc.post(SEVERAL, json={"items": [{"id": str(alert.alert_id), "expected_revision": 1}]})
    edge.clock.step(minutes=5)
    before = (await truc.get(SHIFT, params={"from": at(-1).isoformat(), "to": now.isoformat()})).json()
    after = (await truc.get(SHIFT, params={"from": at(-1).isoformat()})).json()
    assert [item["operator"] for item in before["open"]] == ["unacknowledged"]
    assert [item["operator"] for item in after["open"]] == ["acknowledged"]


async def test_what_time_took_off_the_list_later_was_open_at_the_end(edge, store, truc):
    left, shelved = decide(severity=Severity.MINOR), decide(asset_id="air.b")
    await apply(store, left, shelved)
    actions = edge.api.alert_actions
    await actions.act(shelved.alert_id, ask("shelved", 1, 1, until=at(60), reason="đang sửa"))
    over = (decide(ChangeType.RESOLVED, 2, severity=Severity.MINOR), decide(ChangeType.RESOLVED, 2, asset_id="air.b"))
    await apply(store, *over)
    span = {"from": at(-1).isoformat(), "to": at(10).isoformat()}
    before = (await truc.get(SHIFT, params=span)).json()
    assert sorted(item["operator"] for item in before["open"]) == ["returned_unacknowledged", "shelved"]
    assert await actions.end_shelves(now=at(60)) == 1
    assert await actions.acknowledge_returned(ended_before=at(60), now=at(1_500)) == 1
    assert (await truc.get(SHIFT, params=span)).json() == before


async def test_what_was_in_shadow_then_was_not_open_and_what_is_now_was(edge, store, truc):
    given, taken = decide(asset_id="air.given", shadow=True), decide(asset_id="air.taken")
    await apply(store, given, taken)
    turned = [
        decide(ChangeType.UPDATED, 200, asset_id=str(one.asset_id), shadow=not one.shadow) for one in (given, taken)
    ]
    await apply(store, *turned)
    for minute, asset_id, count in ((10, "air.taken", 1), (210, "air.given", 1)):
        report = await read_shift(edge.api.alerts, at(minute - 15), at(minute))
        assert [alert.asset_id for alert in report.report.open] == [asset_id]
        assert report.performance.annunciation_count == count


@pytest.mark.parametrize("span", [timedelta(0), timedelta(days=-1), timedelta(days=8)])
async def test_a_span_that_is_no_shift_is_refused(truc, span):
    answer = await truc.get(SHIFT, params={"from": (at(0) - span).isoformat(), "to": at(0).isoformat()})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_range")
