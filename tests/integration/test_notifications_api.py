"""Silences, the log of notifications and the reasons, over the real app."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from ioc.domain.alerts import Severity
from ioc.processing.notifier import Notifier
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from tests.support.alerts import apply, decide

ROUTING = f"/api/v1/alerts/{decide().alert_id}/routing"


async def notify(edge, *changes):
    """Let alerts happen, and a notifier of the deployment's own policy look at them twice."""
    await apply(PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue)), *changes)
    notifier = Notifier(edge.base.database, edge.api.policy, edge.clock, Random(1))
    await notifier.step()
    edge.clock.step(seconds=11)
    await notifier.step()


def hour_from(edge, hours=1):
    return (edge.clock.now() + timedelta(hours=hours)).isoformat()


async def test_what_was_told_is_shown_with_its_reason(edge, boss):
    await notify(edge, decide())
    found = (await boss.get(ROUTING)).json()
    assert found["held"] is None
    assert [item["departments"] for item in found["goes_to"]] == [["ioc-shift"]]
    assert [(group["reason"], group["told_count"]) for group in found["groups"]] == [("first", 1)]
    [told] = found["notifications"]
    assert (told["department"], told["reason"], told["firing_ids"]) == ("ioc-shift", "first", [str(decide().alert_id)])
    assert (await boss.get("/api/v1/notifications", params={"department": "ioc-shift"})).json()["items"] == [told]
    assert (await boss.get("/api/v1/notifications", params={"department": "tourism"})).json()["items"] == []


async def test_a_silence_holds_what_it_covers_and_says_so(edge, boss):
    wanted = {"matchers": "feed=air unit=06652", "ends_at": hour_from(edge), "comment": "bảo trì trạm"}
    made = await boss.post("/api/v1/silences", json=wanted)
    assert made.status_code == 201, made.text
    await notify(edge, decide())
    held = (await boss.get(ROUTING)).json()
    assert held["held"] == {"why": "silenced", "by": made.json()["id"], "until": made.json()["ends_at"]}
    assert [(group["reason"], group["held_why"]) for group in held["groups"]] == [("held", "silenced")]
    assert held["notifications"] == []
    assert [item["author"] for item in (await boss.get("/api/v1/silences")).json()["items"]] == ["boss"]
    ended = await boss.delete(f"/api/v1/silences/{made.json()['id']}")
    assert ended.json()["ended_by"] == "boss"
    assert (await boss.get("/api/v1/silences")).json()["items"] == []
    assert len((await boss.get("/api/v1/silences", params={"ended": True})).json()["items"]) == 1
    await notify(edge)
    assert (await boss.get(ROUTING)).json()["notifications"][0]["reason"] == "first"


@pytest.mark.parametrize(
    "wrong",
    [
        {"matchers": "   "},
        {"matchers": "feed air"},
        {"matchers": "severity>=loud"},
        {"matchers": "severity>=info"},
        {"matchers": 'severity>=info rule=~".*" unit=~"|.+"'},
        {"matchers": 'rule=~"(a+)+b"'},
        {"matchers": "aset!=site.ti-top"},
        {"matchers": 'asset=~".*a.*a.*a.*b"'},
        {"comment": "   "},
        {"hours": -1},
        {"hours": 24 * 31},
    ],
)
async def test_a_silence_that_cannot_be_is_refused_with_what_to_do(edge, boss, wrong):
    wanted = {"matchers": "feed=air", "ends_at": hour_from(edge, wrong.pop("hours", 1)), "comment": "thử", **wrong}
    answer = await boss.post("/api/v1/silences", json=wanted)
    assert answer.status_code in (400, 422), answer.text
    assert (await boss.get("/api/v1/silences", params={"ended": True})).json()["items"] == []


async def test_a_department_sees_only_what_it_was_told(edge, boss):
    await notify(edge, decide())
    await edge.add_person("du-lich", "department", department="tourism")
    async with edge.signed_in("du-lich") as client:
        asked = await client.get("/api/v1/notifications", params={"department": "ioc-shift"})
    assert asked.json()["items"] == []


async def test_the_tree_and_the_way_of_an_alert_through_it_are_shown(boss):
    tree = (await boss.get("/api/v1/routes")).json()["items"]
    assert (tree[0]["id"], tree[0]["depth"]) == ("ioc-shift", 0)
    asked = await boss.get("/api/v1/routes/explain", params={"label": ["rule=vessel.squall", "severity=critical"]})
    assert [item["route"] for item in asked.json()["goes_to"]] == ["critical", "sea"]
    assert {"route": "sea", "depth": 1, "refused_by": None} in asked.json()["steps"]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("sevrity=critical", "did you mean severity"),
        ("severity=urgent", "one of critical"),
        ("critical", "LABEL=VALUE"),
    ],
)
async def test_labels_that_no_alert_has_are_asked_back(boss, label, says):
    refused = await boss.get("/api/v1/routes/explain", params={"label": [label]})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_label")
    assert says in refused.json()["detail"]


async def test_where_an_alert_stands_on_its_ladder_is_shown_with_what_it_waits_for(edge, boss):
    await notify(edge, decide(severity=Severity.CRITICAL))
    ladder = (await boss.get(ROUTING)).json()["ladder"]
    assert (ladder["ladder"], ladder["reached"], ladder["waits"]) == ("critical", 0, "next_level")
    assert [(level["after_s"], level["departments"]) for level in ladder["levels"]] == [
        (300.0, ["ioc-lead"]), (900.0, ["provincial-office"]),
    ]  # fmt: skip
    edge.clock.step(seconds=300)
    await notify(edge)
    ladder = (await boss.get(ROUTING)).json()["ladder"]
    assert (ladder["reached"], [level["is_told"] for level in ladder["levels"]]) == (1, [True, False])
    edge.clock.step(seconds=600)
    await notify(edge)
    assert (await boss.get(ROUTING)).json()["ladder"]["waits"] == "at_top"


async def test_an_alert_without_a_ladder_says_so(edge, boss):
    await notify(edge, decide())
    assert (await boss.get(ROUTING)).json()["ladder"] is None
