"""Subscriptions over the real app: departments with their own, secrets shown once, and a log of all that was sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from ioc.api.app import create_app
from ioc.api.services import Services
from ioc.delivery.client import WebhookClient
from ioc.delivery.destination import DestinationPolicy
from ioc.processing.dispatcher import Dispatcher
from ioc.sealing import Sealer
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import PostgresOutbox, enqueue
from tests.support.alerts import apply, decide
from tests.support.edge import ROLES
from tests.support.receivers import Receiver, status, verify

PATH = "/api/v1/subscriptions"
HOOK = "https://pccc.example.org/hook"
DEADLINE_S = 20.0
LOOPBACK = DestinationPolicy(allow_http=True, allow_loopback=True)


@asynccontextmanager
async def _department(edge, name: str):
    await edge.add_person(name, "department", department=f"so-{name}")
    async with edge.signed_in(name) as client:
        yield client


@pytest.fixture
async def pccc(edge):
    async with _department(edge, "pccc") as client:
        yield client


@asynccontextmanager
async def _dispatching(edge):
    outbox = PostgresOutbox(edge.base.database, Sealer([edge.base.keys.encryption_key]))
    async with WebhookClient(policy=LOOPBACK, deadline_s=2.0) as client, asyncio.TaskGroup() as group:
        dispatcher = Dispatcher(outbox=outbox, client=client, clock=edge.clock, random=Random(7), workers=4)
        running = group.create_task(dispatcher.run())
        yield
        running.cancel()


async def _until(client, subscription_id, wanted) -> list[dict]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = (await client.get(f"{PATH}/{subscription_id}/deliveries")).json()["items"]
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


def _let_it_call_this_machine(edge) -> None:
    """Make the app with another policy of destinations: the receivers of the test are here."""
    api = replace(edge.api, destinations=LOOPBACK)
    edge.app = create_app(Services(clock=edge.clock, api=api))


async def test_a_department_subscribes_and_sees_the_secret_once(edge, pccc):
    wanted = {
        "url": HOOK, "description": "Trực ban", "min_severity": "major", "unit_codes": ["06652"],
        "zone_ids": ["ha-long-bay"], "rule_ids": ["air.pm25_day"], "feed_ids": ["air"],
        "change_types": ["fired", "resolved"],
    }  # fmt: skip
    answer = await pccc.post(PATH, json=wanted)
    assert answer.status_code == 201
    made = answer.json()
    assert made.pop("secret").startswith("whsec_")
    assert {name: made[name] for name in wanted} == wanted
    assert (made["department"], made["enabled"], made["created_by"]) == ("so-pccc", True, "pccc")
    assert (await pccc.get(f"{PATH}/{made['subscription_id']}")).json() == made
    assert (await pccc.get(PATH)).json() == {"items": [made]}
    noted = [(entry["actor"], entry["action"], entry["object"]) for entry in await edge.api.audit.newest()]
    assert ("pccc", "subscription.add", made["subscription_id"]) in noted


async def test_a_secret_stands_nowhere_as_it_is(edge, pccc):
    made = (await pccc.post(PATH, json={"url": HOOK})).json()
    rotated = (await pccc.post(f"{PATH}/{made['subscription_id']}/rotate-secret")).json()
    async with edge.base.database.connection() as connection:
        for table in ("subscription", "delivery", "audit_log"):
            for (text,) in await (await connection.execute(f"SELECT t::text FROM {table} t")).fetchall():
                for secret in (made["secret"], rotated["secret"]):
                    assert secret.removeprefix("whsec_") not in text
                    assert secret.encode().hex() not in text


async def test_an_address_that_could_turn_inward_is_refused_before_it_is_saved(pccc):
    for url in (
        "http://pccc.example.org/", "https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/latest",
        "https://10.0.0.1/", "https://[::1]/", "https://0x7f000001/", "https://user@pccc.example.org/", "not a url", "",
        "https://pccc.example.org:0/",
    ):  # fmt: skip
        answer = await pccc.post(PATH, json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "destination_refused"), url
    assert (await pccc.get(PATH)).json() == {"items": []}


async def test_a_wish_that_makes_no_sense_is_refused(pccc):
    for wrong in (
        {}, {"url": 7}, {"url": HOOK, "min_severity": "fatal"}, {"url": HOOK, "change_types": ["exploded"]},
        {"url": HOOK, "unit_codes": []}, {"url": HOOK, "unit_codes": "06652"}, {"url": HOOK, "secret": "mine"},
        {"url": "https://pccc.example.org/" + "x" * 2_000},
    ):  # fmt: skip
        answer = await pccc.post(PATH, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wrong


async def test_a_filter_that_would_never_let_anything_through_is_refused_with_the_nearest_names(pccc):
    wanted = {
        "url": HOOK, "rule_ids": ["air.pm25_day", "air.pm25_dya"], "feed_ids": ["vesels"],
        "unit_codes": ["06652", "0665"], "zone_ids": ["ha-long-bai"],
    }  # fmt: skip
    answer = await pccc.post(PATH, json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_name")
    detail = answer.json()["detail"]
    for wrong, near in (
        ("air.pm25_dya", "air.pm25_day"),
        ("vesels", "vessels"),
        ("0665", "06652"),
        ("ha-long-bai", "ha-long-bay"),
    ):
        [told] = [part for part in detail.split("; ") if repr(wrong) in part]
        assert near in told
    assert (await pccc.get(PATH)).json() == {"items": []}
    answer = await pccc.post(PATH, json={"url": HOOK, "rule_ids": [f"nothing.{number}" for number in range(200)]})
    assert answer.status_code == 422
    assert "195 more" in answer.json()["detail"]


async def test_a_test_event_and_a_redelivery_say_that_a_disabled_subscription_holds_them(pccc):
    made = (await pccc.post(PATH, json={"url": HOOK})).json()
    own = f"{PATH}/{made['subscription_id']}"
    again = {"since": "2026-01-01T00:00:00Z"}
    assert (await pccc.post(f"{own}/test")).json()["held"] is None
    assert (await pccc.post(f"{own}/redeliver", json=again)).json()["held"] is None
    await pccc.post(f"{own}/disable")
    for answer in (await pccc.post(f"{own}/test"), await pccc.post(f"{own}/redeliver", json=again)):
        assert answer.status_code == 202
        assert answer.json()["held"] == "the subscription is disabled (by pccc); nothing goes out until it is enabled"


async def test_a_department_sees_and_touches_its_own_subscriptions_only(edge, pccc):
    made = (await pccc.post(PATH, json={"url": HOOK})).json()
    own = f"{PATH}/{made['subscription_id']}"
    calls = [
        ("GET", own, None), ("GET", f"{own}/deliveries", None), ("POST", f"{own}/disable", None),
        ("POST", f"{own}/enable", None), ("POST", f"{own}/rotate-secret", None), ("POST", f"{own}/test", None),
        ("POST", f"{own}/redeliver", {"since": "2026-01-01T00:00:00Z"}), ("DELETE", own, None),
    ]  # fmt: skip
    async with _department(edge, "moi-truong") as other:
        assert (await other.get(PATH)).json() == {"items": []}
        for method, path, body in calls:
            answer = await other.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)
            assert HOOK not in answer.text
        assert (await other.post(PATH, json={"url": HOOK, "department": "so-pccc"})).status_code == 403
    assert (await pccc.get(own)).json()["enabled"] is True
    await edge.add_person("quan-tri", "admin")
    async with edge.signed_in("quan-tri") as admin:
        assert [item["subscription_id"] for item in (await admin.get(PATH)).json()["items"]] == [
            made["subscription_id"]
        ]
        for method, path, body in calls:
            assert (await admin.request(method, path, json=body)).status_code in {200, 202, 204}, (method, path)
        made = (await admin.post(PATH, json={"url": HOOK, "department": "so-y-te"})).json()
        assert made["department"] == "so-y-te"


@pytest.mark.parametrize("role", [*ROLES, None])
async def test_subscriptions_are_for_departments_supervisors_and_administrators(edge, role):
    allowed = role in {"department", "supervisor", "admin"}
    if role is None:
        async with edge.client() as client:
            assert (await client.get(PATH)).status_code == 401
            assert (await client.post(PATH, json={"url": HOOK})).status_code == 401
        return
    await edge.add_person("ai", role)
    async with edge.signed_in("ai") as client:
        assert (await client.get(PATH)).status_code == (200 if allowed else 403)
        assert (await client.post(PATH, json={"url": HOOK})).status_code == (201 if allowed else 403)
        del client.headers["X-CSRF-Token"]
        assert (await client.post(PATH, json={"url": HOOK})).status_code == 403


async def test_a_department_has_a_hundred_subscriptions_at_most(edge, pccc):
    async with edge.base.database.connection() as connection:
        await connection.execute(
            "INSERT INTO subscription (subscription_id, department, url, sealed_secret, created_at, created_by)"
            " SELECT gen_random_uuid(), 'so-pccc', 'https://pccc.example.org/', '', now(), 'x'"
            " FROM generate_series(1, 99)"
        )
    assert (await pccc.post(PATH, json={"url": HOOK})).status_code == 201
    answer = await pccc.post(PATH, json={"url": HOOK})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many")


async def test_a_test_event_arrives_signed_and_is_seen_in_the_log(edge, pccc):
    _let_it_call_this_machine(edge)
    async with edge.signed_in("pccc") as client, Receiver(answers=[status(503)]) as receiver, _dispatching(edge):
        made = (await client.post(PATH, json={"url": receiver.url})).json()
        own = f"{PATH}/{made['subscription_id']}"
        sent = (await client.post(f"{own}/test")).json()
        await _until(client, made["subscription_id"], lambda found: _outcomes(found) == [["throttled"]])
        edge.clock.step(seconds=7)
        first, second = await receiver.wait_for(2)
        [shown] = await _until(client, made["subscription_id"], lambda found: found[0]["state"] == "delivered")
        assert first.webhook_id == second.webhook_id == sent["webhook_id"] == shown["webhook_id"]
        verify(second, made["secret"], now=edge.clock.now())
        assert second.json["type"] == "subscription.test"
        assert [(entry["attempt"], entry["outcome"], entry["status"]) for entry in shown["attempt_log"]] == [
            (1, "throttled", 503), (2, "delivered", 200),
        ]  # fmt: skip


async def test_what_waited_while_a_subscription_was_disabled_is_sent_when_it_is_enabled(edge, pccc):
    _let_it_call_this_machine(edge)
    store = PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))
    async with edge.signed_in("pccc") as client, Receiver() as receiver, Receiver() as other, _dispatching(edge):
        made = (await client.post(PATH, json={"url": receiver.url})).json()
        await client.post(PATH, json={"url": other.url})
        own = f"{PATH}/{made['subscription_id']}"
        held = (await client.post(f"{own}/disable")).json()
        assert (held["enabled"], held["disabled_reason"]) == (False, "by pccc")
        await apply(store, decide())
        await other.wait_for(1)
        assert receiver.received == []
        assert (await client.post(f"{own}/enable")).json()["enabled"] is True
        [received] = await receiver.wait_for(1)
        assert received.json["type"] == "alert.fired"


async def test_a_rotated_secret_is_shown_once_and_signs_at_once(edge, pccc):
    _let_it_call_this_machine(edge)
    async with edge.signed_in("pccc") as client, Receiver() as receiver, _dispatching(edge):
        made = (await client.post(PATH, json={"url": receiver.url})).json()
        own = f"{PATH}/{made['subscription_id']}"
        new = (await client.post(f"{own}/rotate-secret")).json()["secret"]
        assert new != made["secret"]
        assert "secret" not in (await client.get(own)).text.replace("subscription", "")
        await client.post(f"{own}/test")
        [received] = await receiver.wait_for(1)
        verify(received, new, now=edge.clock.now())
        verify(received, made["secret"], now=edge.clock.now())


async def test_deliveries_are_sent_again_one_by_one_or_since_an_instant(edge, pccc):
    _let_it_call_this_machine(edge)
    async with edge.signed_in("pccc") as client, Receiver() as receiver, _dispatching(edge):
        made = (await client.post(PATH, json={"url": receiver.url})).json()
        own, count = f"{PATH}/{made['subscription_id']}", 5
        for _ in range(count):
            await client.post(f"{own}/test")
        shown = await _until(client, made["subscription_id"], _all_delivered)
        assert [item["delivery_id"] for item in shown] == sorted((item["delivery_id"] for item in shown), reverse=True)
        page = (await client.get(f"{own}/deliveries", params={"before": shown[1]["delivery_id"], "limit": 2})).json()
        assert [item["delivery_id"] for item in page["items"]] == [item["delivery_id"] for item in shown[2:4]]
        answer = await client.post(f"{own}/redeliver", json={"delivery_id": shown[0]["delivery_id"]})
        assert (answer.status_code, answer.json()) == (202, {"count": 1, "held": None})
        await receiver.wait_for(count + 1)
        await _until(client, made["subscription_id"], _all_delivered)
        since = (edge.clock.now() - timedelta(hours=1)).isoformat()
        assert (await client.post(f"{own}/redeliver", json={"since": since})).json() == {"count": count, "held": None}
        await receiver.wait_for(2 * count + 1)
        assert len({item.webhook_id for item in receiver.received}) == count
        assert (await client.post(f"{own}/redeliver", json={})).json()["code"] == "nothing_named"
        assert (await client.post(f"{own}/redeliver", json={"delivery_id": 10**9})).status_code == 404
        assert (await client.post(f"{own}/redeliver", json={"delivery_id": 10**30})).status_code == 422
        assert (await client.get(f"{own}/deliveries", params={"before": 10**30})).status_code == 422
        for never in ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"):
            assert (await client.post(f"{own}/redeliver", json={"since": never})).json() == {"count": 0, "held": None}
        for always in ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"):
            await _until(client, made["subscription_id"], _all_delivered)
            assert (await client.post(f"{own}/redeliver", json={"since": always})).json() == {
                "count": count,
                "held": None,
            }


async def test_unsubscribing_takes_everything_with_it(edge, pccc):
    made = (await pccc.post(PATH, json={"url": HOOK})).json()
    own = f"{PATH}/{made['subscription_id']}"
    await pccc.post(f"{own}/test")
    assert (await pccc.delete(own)).status_code == 204
    assert (await pccc.get(own)).status_code == 404
    assert (await pccc.delete(own)).status_code == 404
    async with edge.base.database.connection() as connection:
        for table in ("subscription", "delivery", "delivery_attempt"):
            assert await (await connection.execute(f"SELECT * FROM {table}")).fetchall() == []


def _outcomes(found) -> list[list[str]]:
    return [[entry["outcome"] for entry in item["attempt_log"]] for item in found]


def _all_delivered(found) -> bool:
    return bool(found) and all(item["state"] == "delivered" for item in found)


async def test_who_wants_notifications_must_be_somebody_that_the_policy_tells(edge, pccc):
    wanted = {"url": HOOK, "wants": "notifications"}
    refused = await pccc.post(PATH, json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "no_route")
    assert "tourism" in refused.json()["detail"]
    assert (await pccc.post(PATH, json={"url": HOOK})).status_code == 201, "changes need no route"
    await edge.add_person("du-lich", "department", department="tourism")
    async with edge.signed_in("du-lich") as client:
        assert (await client.post(PATH, json=wanted)).status_code == 201
