"""Assignment, severity, suppression and the register over the real app, each with its roles, revisions and keys."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ioc.domain.alerts import ChangeType, Severity
from tests.support.alerts import apply, decide
from tests.support.edge import ROLES

PATH = "/api/v1/alerts"
ALERT = f"{PATH}/{decide().alert_id}"
REGISTER = "/api/v1/suppressions"


@pytest.fixture
async def people(edge, store):
    """Two operators and a supervisor, signed in, and an alert."""
    await apply(store, decide())
    for name, role in (("truc", "operator"), ("lan", "operator"), ("giang", "supervisor")):
        await edge.add_person(name, role)
    await edge.add_person("khach", "viewer")
    async with edge.signed_in("truc") as truc, edge.signed_in("lan") as lan, edge.signed_in("giang") as giang:
        yield {"truc": truc, "lan": lan, "giang": giang}


def _from_now(edge, **delay: float) -> str:
    return (edge.clock.now() + timedelta(**delay)).isoformat()


async def _assign(client, revision: int, to: str | None, **more):
    return await client.post(f"{ALERT}/assign", json={"expected_revision": revision, "to": to}, **more)


async def test_operators_take_alerts_and_give_away_their_own_and_a_supervisor_assigns_any(edge, people):
    truc, lan, giang = people["truc"], people["lan"], people["giang"]
    assert (await _assign(truc, 1, "lan")).status_code == 403
    taken = await _assign(truc, 1, "truc")
    assert (taken.status_code, taken.json()["assigned_to"], taken.json()["operator"]) == (200, "truc", "unacknowledged")
    assert (await _assign(truc, 2, "truc")).json()["code"] == "already_assigned"
    assert (await _assign(truc, 2, "lan")).json()["assigned_to"] == "lan"
    assert (await _assign(truc, 3, None)).status_code == 403
    assert (await _assign(lan, 3, None)).json()["assigned_to"] is None
    assert (await _assign(giang, 4, "truc")).json()["assigned_to"] == "truc"
    over = await _assign(lan, 5, "lan")
    assert (over.status_code, over.json().get("assigned_to")) == (200, "lan"), over.text
    for nobody in ("khach", "ai-do"):
        answer = await _assign(giang, 6, nobody)
        assert (answer.status_code, answer.json()["code"]) == (422, "no_such_operator")
    await edge.api.accounts.set_disabled("truc", disabled=True)
    assert (await _assign(giang, 6, "truc")).json()["code"] == "no_such_operator"
    able = (await giang.get("/api/v1/operators")).json()["items"]
    assert able == [
        {"name": "giang", "display_name": "Cán bộ giang"},
        {"name": "lan", "display_name": "Cán bộ lan"},
    ]
    events = (await giang.get(ALERT)).json()["events"]
    assert [(event["type"], event["actor"], event["alert"]["assigned_to"]) for event in events][1:3] == [
        ("assigned", "truc", "truc"), ("assigned", "truc", "lan"),
    ]  # fmt: skip


async def test_of_two_operators_who_take_an_alert_at_once_one_has_it_and_the_other_sees_whose_it_is(people):
    answers = await asyncio.gather(_assign(people["truc"], 1, "truc"), _assign(people["lan"], 1, "lan"))
    first, second = sorted(answers, key=lambda answer: answer.status_code)
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["current"]["assigned_to"] == first.json()["assigned_to"]


async def test_a_supervisor_overrules_the_severity_until_the_rule_says_more(edge, store, people):
    giang = people["giang"]
    await people["truc"].post(f"{ALERT}/acknowledge", json={"expected_revision": 1})
    asked = {"expected_revision": 2, "severity": "critical", "reason": "gần trường học"}
    raised = (await giang.post(f"{ALERT}/severity", json=asked)).json()
    assert [raised[name] for name in ("severity", "rule_severity", "severity_by", "operator", "acked_by")] == [
        "critical", "major", "giang", "unacknowledged", None,
    ]  # fmt: skip
    await apply(store, decide(ChangeType.SEVERITY, 5, severity=Severity.MINOR))
    shown = (await giang.get(ALERT)).json()["alert"]
    assert (shown["severity"], shown["rule_severity"]) == ("critical", "minor")
    asked = {"expected_revision": 4, "severity": "info", "reason": "đã xử lý tại chỗ"}
    assert (await giang.post(f"{ALERT}/severity", json=asked)).json()["severity_by"] == "giang"
    await apply(store, decide(ChangeType.SEVERITY, 6, severity=Severity.MAJOR))
    shown = (await giang.get(ALERT)).json()["alert"]
    assert (shown["severity"], shown["rule_severity"], shown["severity_by"]) == ("major", "major", None)
    noted = (await edge.api.audit.newest())[0]
    assert (noted["action"], noted["detail"]) == (
        "alert.severity_set", {"revision": 5, "reason": "đã xử lý tại chỗ", "severity": "info"},
    )  # fmt: skip


async def test_a_condition_is_taken_off_the_list_with_its_later_occurrences_and_returned(edge, store, people):
    giang, until = people["giang"], _from_now(edge, days=2)
    asked = {"json": {"expected_revision": 1, "until": until, "reason": "thay cảm biến"}}
    key = {"headers": {"Idempotency-Key": "a1"}}
    held = await giang.post(f"{ALERT}/out-of-service", **asked, **key)
    assert held.status_code == 200, held.text
    [entry] = (await giang.get(REGISTER)).json()["items"]
    until_ms = round((edge.clock.now() + timedelta(days=2)).timestamp() * 1000)
    assert [held.json()[name] for name in ("operator", "suppressed_until", "suppression_id")] == [
        "out_of_service", until_ms, entry["id"],
    ]  # fmt: skip
    wanted = ("state", "author", "reason", "ends_at", "held_count", "ended_at", "ended_by")
    assert [entry[name] for name in wanted] == [
        "out_of_service", "giang", "thay cảm biến", until_ms, 1, None, None,
    ]  # fmt: skip
    assert (await giang.post(f"{ALERT}/out-of-service", **asked, **key)).json() == held.json()
    stale = await giang.post(f"{ALERT}/suppress", **asked)
    assert (stale.status_code, stale.json()["current"]) == (409, held.json())
    routing = (await giang.get(f"{ALERT}/routing")).json()["held"]
    assert routing == {"why": "out_of_service", "by": entry["id"], "until": until_ms}
    await apply(store, decide(ChangeType.RESOLVED, 5), decide(minute=9, began=9))
    [later] = (await giang.get(PATH)).json()["items"]
    assert (later["operator"], later["rev"]) == ("out_of_service", 1)
    body = {"expected_revision": 1, "reason": "đã thay"}
    back = await giang.post(f"{PATH}/{later['id']}/return", json=body)
    assert [back.json()[name] for name in ("operator", "suppressed_until", "suppression_id")] == [
        "unacknowledged", None, None,
    ]  # fmt: skip
    assert (await giang.get(REGISTER)).json()["items"] == []
    [ended] = (await giang.get(REGISTER, params={"ended": True})).json()["items"]
    assert (ended["ended_by"], ended["end_reason"]) == ("giang", "đã thay")
    actions = [entry["action"] for entry in await edge.api.audit.newest()]
    assert actions[:2] == ["alert.returned", "alert.out_of_service"]


async def test_the_register_takes_many_alerts_off_and_only_the_register_gives_them_back(edge, store, people):
    giang = people["giang"]
    await apply(store, decide(asset_id="air.uong-bi"))
    wanted = {
        "matchers": "feed=air unit=06652", "state": "suppressed", "ends_at": _from_now(edge, days=90),
        "reason": "mất điện theo kế hoạch",
    }  # fmt: skip
    made = await giang.post(REGISTER, json=wanted)
    assert (made.status_code, made.json()["held_count"]) == (201, 2)
    refused = await giang.post(f"{ALERT}/return", json={"expected_revision": 2, "reason": "x"})
    assert (refused.status_code, refused.json()["code"], refused.json()["suppression_id"]) == (
        409, "held_with_others", made.json()["id"],
    )  # fmt: skip
    ended = await giang.post(f"{REGISTER}/{made.json()['id']}/end", json={"reason": "có điện lại"})
    assert (ended.json()["ended_by"], ended.json()["held_count"]) == ("giang", 0)
    assert {alert["operator"] for alert in (await giang.get(PATH)).json()["items"]} == {"unacknowledged"}
    assert [entry["action"] for entry in await edge.api.audit.newest()][:2] == [
        "suppression.ended",
        "suppression.added",
    ]
    for wrong in (
        {"matchers": " "}, {"matchers": "feed air"}, {"reason": " "}, {"state": "shelved"}, {"state": "normal"},
        {"ends_at": _from_now(edge, days=90, seconds=1)}, {"ends_at": _from_now(edge, days=-1)}, {"ends_at": None},
        {"ends_at": "9999-12-31T23:59:59-12:00"}, {"starts_at": _from_now(edge, days=1)},
    ):  # fmt: skip
        assert (await giang.post(REGISTER, json=wanted | wrong)).status_code == 422, wrong
    nowhere = await giang.post(f"{REGISTER}/{decide().alert_id}/end", json={"reason": "x"})
    assert nowhere.status_code == 404
    assert (await giang.get(REGISTER)).json()["items"] == []


REFUSED = [
    ("suppress", {"reason": "x"}, 409, "until_required"),
    ("suppress", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, 409, "until_required"),
    ("suppress", {"reason": "x", "until": "9999-12-31T23:59:59-12:00"}, 409, "until_too_late"),
    ("out-of-service", {"reason": " ", "until": "2100-01-01T00:00:00Z"}, 409, "reason_required"),
    ("out-of-service", {"reason": "x", "until": "2026-11-24T00:00:00"}, 422, "invalid"),
    ("return", {"reason": "x"}, 409, "not_suppressed"),
    ("return", {"until": "2100-01-01T00:00:00Z"}, 422, "invalid"),
    ("severity", {"severity": "critical"}, 409, "reason_required"),
    ("severity", {"severity": "major", "reason": "x"}, 409, "severity_unchanged"),
    ("severity", {"severity": "fatal", "reason": "x"}, 422, "invalid"),
    ("severity", {"reason": "x"}, 422, "invalid"),
    ("assign", {}, 422, "invalid"),
    ("assign", {"to": None}, 409, "already_assigned"),
    ("assign", {"to": "x" * 65}, 422, "invalid"),
]


async def test_a_decision_that_lacks_something_is_refused_with_the_reason_and_changes_nothing(people):
    giang = people["giang"]
    for verb, body, status, code in REFUSED:
        answer = await giang.post(f"{ALERT}/{verb}", json={"expected_revision": 1, **body})
        assert (answer.status_code, answer.json()["code"]) == (status, code), (verb, body, answer.text)
    assert (await giang.get(ALERT)).json()["alert"]["rev"] == 1
    assert (await giang.get(REGISTER, params={"ended": True})).json()["items"] == []


ASKED = {
    "assign": {"to": "ai"},
    "severity": {"severity": "info", "reason": "x"},
    "suppress": {"reason": "x"},
    "out-of-service": {"reason": "x"},
    "return": {"reason": "x"},
}


@pytest.mark.parametrize("role", [*ROLES, None])
async def test_who_may_decide_what(edge, store, role):
    await apply(store, decide())
    await edge.add_person("ai", role or "viewer")
    session = edge.client() if role is None else edge.signed_in("ai")
    operates, supervises = role in {"operator", "supervisor", "admin"}, role in {"supervisor", "admin"}
    entry = {"matchers": "feed=air", "state": "suppressed", "ends_at": _from_now(edge, days=1), "reason": "x"}
    async with session as client:
        for verb, body in ASKED.items():
            may = operates if verb == "assign" else supervises
            # The revision is wrong on purpose: who may decide gets as far as being told so.
            answer = await client.post(f"{ALERT}/{verb}", json={"expected_revision": 9, **body})
            # Who is no operator cannot be assigned either, but learns first that they may not ask.
            assert answer.status_code == (409 if may else 403 if role else 401), (verb, answer.text)
        for path in (REGISTER, "/api/v1/operators"):
            assert (await client.get(path)).status_code == (200 if role else 401)
        made = await client.post(REGISTER, json=entry)
        assert made.status_code == (201 if supervises else 403 if role else 401)
        number = made.json()["id"] if supervises else decide().alert_id
        ended = await client.post(f"{REGISTER}/{number}/end", json={"reason": "x"})
        assert ended.status_code == (200 if supervises else 403 if role else 401)
        if supervises:
            del client.headers["X-CSRF-Token"]
            assert (await client.post(REGISTER, json=entry)).status_code == 403
