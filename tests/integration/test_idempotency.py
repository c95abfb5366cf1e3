"""``Idempotency-Key`` over the real app, on every route by which people make or change something."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.support.alerts import apply, decide
from tests.support.edge import open_edge
from tests.support.rule_texts import crowd_rule

KEY = {"Idempotency-Key": "k1"}
RULE = "/api/v1/rules/crowd.density"
HOOK = {"url": "https://pccc.example.org/hook"}


@asynccontextmanager
async def _another_process(tmp_path, address):
    async with open_edge(tmp_path / "other", address) as edge, edge.signed_in("boss") as client:
        yield client


async def _count(edge, table: str, column: str = "*") -> int:
    async with edge.base.database.connection() as connection:
        row = await (await connection.execute(f"SELECT count({column}) FROM {table}")).fetchone()
    return row[0]


async def _noted(edge) -> list[str]:
    """What stands in the audit log, but for who came in."""
    actions = [entry["action"] for entry in await edge.api.audit.newest()]
    return [action for action in actions if action != "login"]


async def _prepare_silence(edge, boss):
    ends_at = (edge.clock.now() + timedelta(hours=1)).isoformat()
    return "/api/v1/silences", {"matchers": "rule=air-pm25", "ends_at": ends_at, "comment": "bảo trì"}, "silence"


async def _prepare_suppression(edge, boss):
    body = {"matchers": "rule=air-pm25", "state": "suppressed", "reason": "sửa trạm"}
    ends_at = (edge.clock.now() + timedelta(hours=1)).isoformat()
    return "/api/v1/suppressions", body | {"ends_at": ends_at}, "suppression"


async def _prepare_end_of_suppression(edge, boss):
    path, body, _ = await _prepare_suppression(edge, boss)
    made = (await boss.post(path, json=body)).json()
    return f"{path}/{made['id']}/end", {"reason": "xong"}, "alert_event"


async def _prepare_version(edge, boss):
    return f"{RULE}/versions", {"source": crowd_rule(3.0), "reason": "lễ hội"}, "rule_version"


async def _prepare_activation(edge, boss):
    path, body, _ = await _prepare_version(edge, boss)
    assert (await boss.post(path, json=body)).status_code == 201
    return f"{RULE}/activate", {"number": 1, "reason": "lễ hội", "expected_activation": 0}, "rule_activation"


async def _activate_twice(edge, boss):
    path, body, _ = await _prepare_activation(edge, boss)
    newest = 0
    for number in (1, None):
        answer = await boss.post(path, json=body | {"number": number, "expected_activation": newest})
        assert answer.status_code == 200, answer.text
        newest = answer.json()["activation"]
    return newest


async def _prepare_roll_back(edge, boss):
    newest = await _activate_twice(edge, boss)
    return f"{RULE}/roll-back", {"reason": "quá nhiều", "expected_activation": newest}, "rule_activation"


async def _prepare_retirement(edge, boss):
    return f"{RULE}/retire", {"reason": "hết mùa", "expected_activation": 0}, "rule_activation"


async def _prepare_backtest(edge, boss):
    now = edge.clock.now()
    period = {"from": (now - timedelta(hours=2)).isoformat(), "to": (now - timedelta(hours=1)).isoformat()}
    return "/api/v1/backtests", {"rules": crowd_rule(3.0), **period}, "backtest_run"


async def _prepare_cancel(edge, boss):
    path, body, _ = await _prepare_backtest(edge, boss)
    run = (await boss.post(path, json=body)).json()
    return f"{path}/{run['id']}/cancel", None, "backtest_run"


async def _prepare_subscription(edge, boss):
    return "/api/v1/subscriptions", HOOK, "subscription"


async def _prepare_test_delivery(edge, boss):
    made = (await boss.post("/api/v1/subscriptions", json=HOOK)).json()
    return f"/api/v1/subscriptions/{made['subscription_id']}/test", None, "delivery"


async def _prepare_rotation(edge, boss):
    made = (await boss.post("/api/v1/subscriptions", json=HOOK)).json()
    return f"/api/v1/subscriptions/{made['subscription_id']}/rotate-secret", None, "subscription"


async def _prepare_switch(edge, boss):
    made = (await boss.post("/api/v1/subscriptions", json=HOOK)).json()
    return f"/api/v1/subscriptions/{made['subscription_id']}/disable", None, "subscription"


async def _prepare_acknowledgements(edge, boss):
    return (
        "/api/v1/alerts/acknowledge",
        {"items": [{"id": str(decide().alert_id), "expected_revision": 1}]},
        "alert_event",
    )


ACTIONS = [
    _prepare_silence, _prepare_suppression, _prepare_end_of_suppression, _prepare_version, _prepare_activation,
    _prepare_roll_back, _prepare_retirement, _prepare_backtest, _prepare_cancel, _prepare_subscription,
    _prepare_test_delivery, _prepare_rotation, _prepare_switch, _prepare_acknowledgements,
]  # fmt: skip


@pytest.mark.parametrize("prepare", ACTIONS, ids=lambda prepare: prepare.__name__.removeprefix("_prepare_"))
async def test_what_is_asked_twice_with_one_key_is_done_once_and_answered_alike(
    edge, store, boss, tmp_path, address, prepare
):
    await apply(store, decide())
    path, body, table = await prepare(edge, boss)
    first = await boss.post(path, json=body, headers=KEY)
    assert first.status_code in {200, 201, 202}, first.text
    done, noted = await _count(edge, table), await _noted(edge)
    again = await boss.post(path, json=body, headers=KEY)
    async with _another_process(tmp_path, address) as other:
        elsewhere = await other.post(path, json=body, headers=KEY)
    for answer in (again, elsewhere):
        assert (answer.status_code, answer.content) == (first.status_code, first.content)
        assert {**answer.headers} == {**first.headers}
    assert (await _count(edge, table), await _noted(edge)) == (done, noted)
    unlike = await boss.post(path, json={**(body or {}), "reason": "khác"}, headers=KEY)
    assert unlike.status_code == 422, unlike.text
    assert await _count(edge, table) == done


async def test_the_same_key_for_something_else_is_refused_with_a_code(edge, boss):
    path, body, _ = await _prepare_silence(edge, boss)
    assert (await boss.post(path, json=body, headers=KEY)).status_code == 201
    for other in ((path, body | {"comment": "khác"}), ("/api/v1/subscriptions", HOOK)):
        refused = await boss.post(other[0], json=other[1], headers=KEY)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert refused.headers["content-type"] == "application/problem+json"
    assert (await _count(edge, "silence"), await _count(edge, "subscription")) == (1, 0)


async def test_of_equal_requests_at_once_one_is_done_and_all_are_answered_alike(edge, boss, tmp_path, address):
    path, body, _ = await _prepare_subscription(edge, boss)
    async with _another_process(tmp_path, address) as other:
        asked = [client.post(path, json=body, headers=KEY) for _ in range(3) for client in (boss, other)]
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.content for answer in answers}) == 1
    assert await _count(edge, "subscription") == 1


async def test_a_refusal_is_not_kept_and_the_same_request_may_succeed_later(edge, boss):
    path, body, _ = await _prepare_activation(edge, boss)
    wanted = body | {"expected_activation": 7}
    for _ in range(2):
        refused = await boss.post(path, json=wanted, headers=KEY)
        assert (refused.status_code, refused.json()["code"]) == (409, "stale_activation")
    assert (await boss.post(path, json=body, headers=KEY)).status_code == 200
    bad = await boss.post("/api/v1/backtests", json=(await _prepare_backtest(edge, boss))[1] | {"rules": "rule: ["},
                          headers={"Idempotency-Key": "k2"})  # fmt: skip
    assert (bad.status_code, bad.json()["code"]) == (422, "rules_have_faults")
    assert await _count(edge, "kept_answer") == 1


async def test_who_lost_the_right_does_not_get_the_answer_again(edge, boss):
    path, body, _ = await _prepare_subscription(edge, boss)
    assert (await boss.post(path, json=body, headers=KEY)).json()["secret"].startswith("whsec_")
    async with edge.base.database.connection() as connection:
        await connection.execute("UPDATE account SET roles = '{viewer}' WHERE name = 'boss'")
    again = await boss.post(path, json=body, headers=KEY)
    assert again.status_code == 403
    assert "whsec_" not in again.text


async def test_every_post_of_people_takes_the_key_and_says_so(edge):
    without = {"/api/v1/auth/", "/api/v1/ingest/", "/api/v1/keys", "/api/v1/accounts/", "/api/v1/dead-letters/"}
    found: dict[str, Any] = {}
    for path, methods in edge.app.openapi()["paths"].items():
        if "post" in methods and not any(path.startswith(start) for start in without):
            headers = [item for item in methods["post"].get("parameters", []) if item["in"] == "header"]
            found[path] = [item["name"].lower() for item in headers if "reused" in item["description"]]
    assert len(found) >= 20
    assert {tuple(names) for names in found.values()} == {("idempotency-key",)}, found


@pytest.mark.parametrize("key", ["", "x" * 65])
async def test_a_key_that_is_none_is_refused(edge, boss, key):
    path, body, _ = await _prepare_silence(edge, boss)
    refused = await boss.post(path, json=body, headers={"Idempotency-Key": key})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert await _count(edge, "silence") == 0
