"""Webhooks from the alert's transaction to real receivers, kind and hostile, and to the end of every delivery."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest

from ioc.delivery.client import WebhookClient
from ioc.delivery.destination import DestinationPolicy
from ioc.delivery.policy import SCHEDULE
from ioc.delivery.signing import make_secret
from ioc.domain.alerts import ChangeType, Severity
from ioc.processing.dispatcher import Dispatcher
from ioc.sealing import Sealer
from ioc.storage.alert_actions import Action, AlertActions
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import LEASE, PostgresOutbox, enqueue
from ioc.storage.pool import Database
from ioc.storage.subscriptions import NewSubscription, SubscriptionStore
from tests.support import alerts, receivers
from tests.support.alerts import apply
from tests.support.receivers import JumpingClock, Receiver, status, verify
from tests.support.roles import RoleProcess

KEY = bytes(range(32))
POLICY = DestinationPolicy(allow_http=True, allow_loopback=True)
DEADLINE_S = 20.0
BEGAN_AT = datetime.now(UTC) - timedelta(minutes=10)
"""Dispatchers go by the machine's clock, and give up what has lain for too long."""


def at(minute: float) -> datetime:
    return BEGAN_AT + timedelta(minutes=minute)


def decide(kind: ChangeType = ChangeType.FIRED, minute: float = 0, **wanted):
    times = dict.fromkeys(("observed_at", "received_at", "decided_at"), at(minute))
    return alerts.decide(kind, minute, **{**times, "started_at": at(0), **wanted})


class Post:
    """The whole way of a webhook: store, outbox, dispatcher, and questions about what became of deliveries."""

    def __init__(self, address: str, database: Database) -> None:
        self.address, self.database, self.clock = address, database, JumpingClock()
        sealer = Sealer([KEY])
        self.store = PostgresBatchStore(database, alerts=AlertWriter(enqueue))
        self.alerts, self.actions = PostgresAlertStore(database), AlertActions(database, enqueue)
        self.outbox = PostgresOutbox(database, sealer)
        self.subscriptions = SubscriptionStore(database, sealer, self.clock, make_secret=make_secret)

    async def subscribe(self, url: str, **wanted) -> tuple[object, str]:
        made, secret = await self.subscriptions.add(
            NewSubscription(department="pccc", url=url, **wanted), created_by="lan"
        )
        return made.subscription_id, secret

    @asynccontextmanager
    async def dispatching(self, *, deadline_s: float = 1.0, policy: DestinationPolicy = POLICY, workers: int = 8):
        async with WebhookClient(policy=policy, deadline_s=deadline_s) as client, asyncio.TaskGroup() as group:
            dispatcher = Dispatcher(
                outbox=self.outbox, client=client, clock=self.clock, random=Random(7), workers=workers
            )
            running = group.create_task(dispatcher.run())
            yield running
            running.cancel()

    async def deliveries(self, subscription_id) -> list[dict]:
        """Deliveries of an endpoint, oldest first, each with its attempts."""
        found = await self.subscriptions.deliveries(subscription_id)
        attempts = await self.subscriptions.attempts([row["delivery_id"] for row in found])
        return [{**row, "log": attempts[row["delivery_id"]]} for row in reversed(found)]

    async def until(self, subscription_id, wanted) -> list[dict]:
        """Wait until the deliveries are as wanted."""
        found = []
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    found = await self.deliveries(subscription_id)
                    if wanted(found):
                        # Read once more: attempts are read after deliveries, and may be newer than they.
                        return await self.deliveries(subscription_id)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {DEADLINE_S} s; at last {found}") from None

    async def until_settled(self, subscription_id) -> list[dict]:
        return await self.until(subscription_id, lambda found: found and all(row["settled_at"] for row in found))

    async def until_attempted(self, subscription_id, times: int) -> dict:
        def attempted(found) -> bool:
            return bool(found) and len(_finished(found[0])) >= times

        return (await self.until(subscription_id, attempted))[0]

    async def until_given_up(self, subscription_id) -> dict:
        """Let time go by from one attempt to the next, to the end of the schedule."""
        for attempt in range(1, len(SCHEDULE)):
            await self.until_attempted(subscription_id, attempt)
            self.clock.jump(SCHEDULE[attempt] * 1.21)
        [delivery] = await self.until_settled(subscription_id)
        return delivery


def _finished(row) -> list[dict]:
    return [entry for entry in row["log"] if entry["outcome"] not in ("under_way", "lost")]


def _outcomes(row) -> list[str]:
    return [entry["outcome"] for entry in row["log"]]


@pytest.fixture
async def post(plain_postgres_url, fresh_database):
    address = await fresh_database(plain_postgres_url, prepare=migrate_database)
    async with Database(address, max_size=8) as database:
        yield Post(address, database)


async def test_an_alert_reaches_its_subscriber_signed_and_whole(post):
    async with Receiver() as receiver, post.dispatching():
        subscription_id, secret = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        [received] = await receiver.wait_for(1)
        verify(received, secret, now=post.clock.now())
        with pytest.raises(AssertionError):
            verify(received, make_secret(), now=post.clock.now())
        assert received.headers["content-type"] == "application/json"
        assert not {"cookie", "authorization"} & set(received.headers)
        said = received.json
        assert said["type"] == "alert.fired"
        assert said["data"]["alert"]["alert_id"] == str(decide().alert_id)
        assert said["data"]["alert"]["title_vi"] == "Bụi mịn vượt ngưỡng"
        assert (said["data"]["alert"]["revision"], said["data"]["previous_state"]) == (1, None)
        [delivery] = await post.until_settled(subscription_id)
    assert (delivery["state"], delivery["attempts"], _outcomes(delivery)) == ("delivered", 1, ["delivered"])
    assert delivery["webhook_id"] == received.webhook_id


async def test_a_receiver_sees_the_revisions_of_an_alert_in_order_each_with_the_state_before(post):
    async with Receiver() as receiver, post.dispatching():
        await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await post.actions.act(
            decide().alert_id, Action(type=ChangeType.ACKNOWLEDGED, actor="lan", at=at(1), expected_revision=1)
        )
        await apply(post.store, decide(ChangeType.UPDATED, 2, value=99), decide(ChangeType.RESOLVED, 3))
        received = [item.json for item in await receiver.wait_for(4)]
    assert [item["type"] for item in received] == [
        "alert.fired", "alert.acknowledged", "alert.updated", "alert.resolved",
    ]  # fmt: skip
    assert [item["data"]["alert"]["revision"] for item in received] == [1, 2, 3, 4]
    assert [(item["data"]["previous_state"] or {}).get("operator") for item in received] == [
        None, "unacknowledged", "acknowledged", "acknowledged",
    ]  # fmt: skip
    assert received[1]["data"]["actor"] == "lan"


async def test_a_failed_attempt_is_made_again_with_the_same_id_and_bytes_after_the_wait_of_the_schedule(post):
    async with Receiver(answers=[status(500, body=b"out of order")]) as receiver, post.dispatching():
        subscription_id, secret = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        failed = await post.until_attempted(subscription_id, 1)
        assert failed["state"] == "pending"
        assert (failed["log"][0]["status"], failed["log"][0]["detail"]) == (500, "out of order")
        wait = failed["next_attempt_at"] - failed["log"][0]["at"]
        assert SCHEDULE[1] * 0.8 <= wait <= SCHEDULE[1] * 1.2 + timedelta(seconds=2)
        post.clock.jump(timedelta(seconds=7))
        first, second = await receiver.wait_for(2)
        [delivery] = await post.until_settled(subscription_id)
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert second.sent_at - first.sent_at >= timedelta(seconds=6)
    verify(second, secret, now=post.clock.now())
    assert (delivery["state"], _outcomes(delivery)) == ("delivered", ["server_error", "delivered"])


async def test_a_delivery_that_never_succeeds_ends_as_failed_with_all_its_attempts(post):
    async with Receiver(then=status(503)) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        delivery = await post.until_given_up(subscription_id)
    assert (delivery["state"], delivery["attempts"]) == ("failed", len(SCHEDULE))
    assert _outcomes(delivery) == ["throttled"] * len(SCHEDULE)
    assert len({received.webhook_id for received in receiver.received}) == 1
    assert len(receiver.received) == len(SCHEDULE)


async def test_a_receiver_that_asks_for_time_gets_it(post):
    async with Receiver(answers=[status(429, headers=["Retry-After: 600"])]) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        delivery = await post.until_attempted(subscription_id, 1)
        assert delivery["next_attempt_at"] - delivery["log"][0]["at"] >= timedelta(seconds=600)


HOSTILE = {
    "never answers": (receivers.never_answer, "timed_out"),
    "trickles headers": (receivers.trickle_headers, "timed_out"),
    "trickles a body": (receivers.trickle_body, "timed_out"),
    "cuts the connection": (receivers.reset, "unreachable"),
    "talks nonsense": (receivers.talk_nonsense, "unreachable"),
    "promises more than it sends": (receivers.half_close, "unreachable"),
    "redirects": (status(302, headers=["Location: http://169.254.169.254/latest/meta-data"]), "redirected"),
    "redirects for good": (status(308, headers=["Location: http://127.0.0.1:1/"]), "redirected"),
    "refuses": (status(404), "rejected"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_whatever_a_receiver_does_is_a_failed_attempt_and_is_tried_again(post, name):
    behaviour, outcome = HOSTILE[name]
    async with Receiver(answers=[behaviour]) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        failed = await post.until_attempted(subscription_id, 1)
        assert _outcomes(failed) == [outcome]
        assert failed["log"][0]["duration_ms"] < 3_000
        post.clock.jump(timedelta(seconds=7))
        [delivery] = await post.until_settled(subscription_id)
    assert delivery["state"] == "delivered"
    assert len(receiver.received) == 2


async def test_a_port_that_nobody_listens_on_is_an_attempt_like_others(post):
    async with Receiver() as receiver:
        url = receiver.url
    async with post.dispatching():
        subscription_id, _ = await post.subscribe(url)
        await apply(post.store, decide())
        assert _outcomes(await post.until_attempted(subscription_id, 1)) == ["unreachable"]


@pytest.mark.parametrize("behaviour", [receivers.endless_body, receivers.endless_headers, receivers.gzip_bomb])
async def test_a_receiver_that_answers_without_end_costs_little_memory(post, behaviour):
    async with Receiver(then=behaviour) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        tracemalloc.start()
        try:
            await apply(post.store, decide())
            await post.until_attempted(subscription_id, 1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 12_000_000, f"{peak:,} bytes; the receiver could send {receiver.bytes_sent:,}"
    assert receiver.bytes_sent < 30_000_000


async def test_a_receiver_that_is_gone_is_called_no_more_until_somebody_enables_it(post):
    async with Receiver(answers=[status(410)]) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await post.until_attempted(subscription_id, 1)
        disabled = await post.subscriptions.get(subscription_id)
        assert (disabled.enabled, disabled.disabled_reason) == (False, "gone")
        await apply(post.store, decide(ChangeType.UPDATED, 1, value=99))
        post.clock.jump(timedelta(hours=1))
        await _let_pass_a_look(post)
        assert len(receiver.received) == 1
        await post.subscriptions.set_enabled(subscription_id, enabled=True)
        delivered = await post.until_settled(subscription_id)
    # The first was tried and gives way to the second, which says all that it said.
    assert [row["state"] for row in delivered][-1] == "delivered"
    assert receiver.received[-1].json["data"]["alert"]["value"] == 99


async def _let_pass_a_look(post) -> None:
    """Wait until the dispatcher has looked at the outbox again: another endpoint's delivery is through."""
    async with Receiver() as other:
        subscription_id, _ = await post.subscribe(other.url)
        await post.subscriptions.send_test(subscription_id)
        await post.until_settled(subscription_id)


async def test_five_days_of_failures_disable_an_endpoint_and_keep_its_queue(post):
    async with Receiver(then=status(500)) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await post.subscriptions.send_test(subscription_id)
        await post.until_attempted(subscription_id, 1)
        post.clock.jump(timedelta(days=5))
        await post.until_attempted(subscription_id, 2)
        subscription = await post.subscriptions.get(subscription_id)
    assert (subscription.enabled, subscription.disabled_reason) == (False, "server_error")
    [delivery] = await post.deliveries(subscription_id)
    assert delivery["state"] == "pending"


async def test_hostile_receivers_hold_no_other_up(post):
    """Ten endpoints that never answer have long queues; a healthy one gets everything at once all the same."""
    count = 30
    async with Receiver(then=receivers.never_answer) as hostile, Receiver() as kind:
        bad = [(await post.subscribe(f"{hostile.url}/{number}"))[0] for number in range(10)]
        async with post.dispatching(deadline_s=8.0, workers=44):
            await apply(post.store, *(decide(asset_id=f"air.early-{number}") for number in range(8)))
            await hostile.wait_for(40)
            subscription_id, _ = await post.subscribe(kind.url)
            started = asyncio.get_running_loop().time()
            await apply(post.store, *(decide(asset_id=f"air.s{number}") for number in range(count)))
            await kind.wait_for(count)
            assert asyncio.get_running_loop().time() - started < 4.0
            await post.until_settled(subscription_id)
            for subscription in bad:
                assert {row["state"] for row in await post.deliveries(subscription)} == {"pending"}


async def test_endpoints_that_fail_share_half_of_the_attempts_under_way(post):
    now = post.clock.now()
    async with Receiver() as receiver:
        for _ in range(10):
            subscription_id, _ = await post.subscribe(receiver.url)
            await post.subscriptions.send_test(subscription_id)
            await post.subscriptions.send_test(subscription_id)
    async with post.database.connection() as connection:
        await connection.execute("UPDATE subscription SET failing_since = now()")
    claimed = await post.outbox.claim(now=now + timedelta(seconds=1), limit=8, failing_limit=4)
    assert len({due.subscription_id for due in claimed}) == len(claimed) == 4
    assert await post.outbox.claim(now=now + timedelta(seconds=1), limit=4, failing_limit=0) == []


async def test_several_dispatchers_share_the_work_and_send_nothing_twice(post):
    count = 60
    async with Receiver() as receiver, post.dispatching(), post.dispatching(), post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, *(decide(asset_id=f"air.s{number}") for number in range(count)))
        await receiver.wait_for(count)
        deliveries = await post.until_settled(subscription_id)
    assert len(receiver.received) == len({item.webhook_id for item in receiver.received}) == count
    assert {(row["state"], row["attempts"]) for row in deliveries} == {("delivered", 1)}


async def test_an_alert_is_never_sent_ahead_of_its_own_earlier_revision(post):
    """The first revision hangs at a receiver that never answers; the second waits until it gives way, others do not."""
    async with Receiver(answers=[receivers.never_answer]) as receiver, post.dispatching(deadline_s=3.0):
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await receiver.wait_for(1)
        await apply(post.store, decide(ChangeType.UPDATED, 1, value=99), decide(asset_id="air.uong-bi"))
        _, second = await receiver.wait_for(2)
        assert second.json["data"]["alert"]["asset_id"] == "air.uong-bi"
        received = await receiver.wait_for(3)
        first, _, third = await post.until_settled(subscription_id)
    assert received[2].json["data"]["alert"]["revision"] == 2
    assert (first["state"], third["state"]) == ("superseded", "delivered")


async def test_a_revision_that_could_not_be_delivered_gives_way_to_the_next(post):
    async with Receiver(answers=[status(500)]) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await post.until_attempted(subscription_id, 1)
        await apply(post.store, decide(ChangeType.RESOLVED, 1))
        deliveries = await post.until_settled(subscription_id)
    assert [row["state"] for row in deliveries] == ["superseded", "delivered"]
    assert receiver.received[-1].json["type"] == "alert.resolved"


async def test_a_revision_that_fails_while_the_next_one_waits_behind_it_gives_way(post):
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def fail_when_told(receiver, writer) -> None:
        asked.set()
        await may_answer.wait()
        await status(500)(receiver, writer)

    async with Receiver(answers=[fail_when_told]) as receiver, post.dispatching(deadline_s=30.0):
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await asked.wait()
        await apply(post.store, decide(ChangeType.RESOLVED, 1))
        may_answer.set()
        deliveries = await post.until_settled(subscription_id)
    assert [row["state"] for row in deliveries] == ["superseded", "delivered"]
    assert receiver.received[-1].json["type"] == "alert.resolved"


async def test_a_dispatcher_that_is_killed_after_the_receiver_said_yes_sends_the_same_again(post, tmp_path):
    """kill -9 exactly between the receiver's 200 and the settling: one more attempt, with the same id and bytes."""
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_STORE__URL": post.address, "IOC_LOG_FORM": "json",
        "IOC_DELIVERY__ALLOW_HTTP": "true", "IOC_DELIVERY__ALLOW_LOOPBACK": "true",
        "IOC_SECRETS__ENCRYPTION_KEY": base64.b64encode(KEY).decode(),
    }  # fmt: skip
    dispatcher = RoleProcess("run", "deliver", environment=environment, output=tmp_path / "dispatcher.log")
    asked = asyncio.Event()

    async def answer_when_asked(receiver, writer) -> None:
        await asked.wait()
        await status(200)(receiver, writer)

    async with Receiver(answers=[answer_when_asked]) as receiver:
        subscription_id, secret = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        dispatcher.start()
        try:
            await receiver.wait_for(1)
            async with await psycopg.AsyncConnection.connect(post.address) as holder:
                await holder.execute("SELECT * FROM delivery FOR UPDATE")
                asked.set()
                await _until_somebody_waits_for_a_lock(post)
                await dispatcher.kill()
        finally:
            await dispatcher.kill()
        [delivery] = await post.deliveries(subscription_id)
        assert (delivery["state"], _outcomes(delivery)) == ("pending", ["under_way"])
        async with post.dispatching():
            await _let_pass_a_look(post)
            assert len(receiver.received) == 1, "the lease of the dead dispatcher still runs"
            post.clock.jump(LEASE)
            first, second = await receiver.wait_for(2)
            [delivery] = await post.until_settled(subscription_id)
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    verify(second, secret, now=post.clock.now())
    assert (delivery["state"], _outcomes(delivery)) == ("delivered", ["lost", "delivered"])


async def _until_somebody_waits_for_a_lock(post) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with post.database.connection() as connection:
                row = await (await connection.execute(waiting)).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(0.02)


async def test_a_dispatcher_that_is_stopped_in_an_attempt_leaves_it_to_the_next(post):
    async with Receiver(answers=[receivers.never_answer]) as receiver:
        subscription_id, _ = await post.subscribe(receiver.url)
        async with post.dispatching(deadline_s=15.0):
            await apply(post.store, decide())
            await receiver.wait_for(1)
        post.clock.jump(LEASE)
        async with post.dispatching():
            [delivery] = await post.until_settled(subscription_id)
    assert (delivery["state"], _outcomes(delivery)) == ("delivered", ["lost", "delivered"])
    assert len({item.webhook_id for item in receiver.received}) == 1


async def test_a_subscription_that_is_removed_during_an_attempt_stops_nothing_else(post):
    asked = asyncio.Event()

    async def answer_when_asked(receiver, writer) -> None:
        await asked.wait()
        await status(500)(receiver, writer)

    async with Receiver(then=answer_when_asked) as receiver, post.dispatching(deadline_s=10.0) as running:
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        await receiver.wait_for(1)
        await post.subscriptions.remove(subscription_id)
        asked.set()
        await _let_pass_a_look(post)
        assert not running.done()


async def test_a_store_that_goes_away_stops_deliveries_only_for_as_long(post):
    async with Receiver() as receiver, post.dispatching() as running:
        subscription_id, _ = await post.subscribe(receiver.url)
        async with post.database.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await post.subscriptions.send_test(subscription_id)
        await post.until_settled(subscription_id)
        assert not running.done()


async def test_nothing_is_written_for_an_alert_whose_transaction_fails(post):
    subscription_id, _ = await post.subscribe("https://example.org/hook")

    async def fail_at_the_end() -> None:
        async with post.store.begin("process") as transaction:
            await transaction.apply([decide()])
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        await fail_at_the_end()
    assert await post.deliveries(subscription_id) == []
    await apply(post.store, decide())
    await apply(post.store, decide())
    assert len(await post.deliveries(subscription_id)) == 1


@pytest.mark.parametrize(
    ("wanted", "assets"),
    [
        ({}, ["a", "b", "c", "d"]),
        ({"min_severity": Severity.MAJOR}, ["a", "b", "c"]),
        ({"min_severity": Severity.CRITICAL}, ["a"]),
        ({"rule_ids": ["other", "more"]}, ["b"]),
        ({"unit_codes": ["06655"]}, ["c"]),
        ({"zone_ids": ["van-don"]}, ["d"]),
        ({"feed_ids": ["met"]}, ["b"]),
        ({"change_types": ["resolved"]}, []),
        ({"unit_codes": ["06655"], "zone_ids": ["van-don"]}, []),
    ],
)
async def test_a_subscriber_gets_what_its_filters_let_through(post, wanted, assets):
    subscription_id, _ = await post.subscribe("https://example.org/hook", **wanted)
    await apply(
        post.store,
        decide(asset_id="a", severity=Severity.CRITICAL),
        decide(asset_id="b", rule_id="other", feed_id="met"),
        decide(asset_id="c", unit_code="06655", zone_id=None),
        decide(asset_id="d", severity=Severity.INFO, zone_id="van-don", unit_code=None),
        decide(asset_id="e", shadow=True, severity=Severity.CRITICAL),
    )
    deliveries = await post.deliveries(subscription_id)
    by_id = {decide(asset_id=name).alert_id: name for name in "abcde"}
    assert sorted(by_id[row["alert_id"]] for row in deliveries) == assets


async def test_who_was_told_of_an_alert_hears_that_it_left(post):
    here, _ = await post.subscribe("https://example.org/here", unit_codes=["06652"])
    there, _ = await post.subscribe("https://example.org/there", unit_codes=["06655"])
    await apply(post.store, decide(unit_code="06652"))
    await apply(post.store, decide(ChangeType.UPDATED, 1, unit_code="06655", value=81.0))
    await apply(post.store, decide(ChangeType.UPDATED, 2, unit_code="06655", value=82.0))
    await apply(post.store, decide(ChangeType.UPDATED, 3, unit_code="06655", value=83.0, shadow=True))
    await apply(post.store, decide(ChangeType.RESOLVED, 4, unit_code="06655", value=84.0, shadow=True))
    assert sorted(row["revision"] for row in await post.deliveries(here)) == [1, 2]
    assert sorted(row["revision"] for row in await post.deliveries(there)) == [2, 3, 4]


async def test_both_secrets_sign_for_a_day_after_a_rotation_and_then_the_new_one_alone(post):
    async with Receiver() as receiver, post.dispatching():
        subscription_id, old = await post.subscribe(receiver.url)
        new = await post.subscriptions.rotate(subscription_id)
        await post.subscriptions.send_test(subscription_id)
        [first] = await receiver.wait_for(1)
        verify(first, old, now=post.clock.now())
        verify(first, new, now=post.clock.now())
        post.clock.jump(timedelta(hours=24))
        await post.subscriptions.send_test(subscription_id)
        _, second = await receiver.wait_for(2)
        verify(second, new, now=post.clock.now())
        with pytest.raises(AssertionError):
            verify(second, old, now=post.clock.now())


async def test_what_was_settled_can_be_sent_again_with_its_id_and_bytes(post):
    async with Receiver() as receiver, post.dispatching():
        subscription_id, secret = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        [delivery] = await post.until_settled(subscription_id)
        count = await post.subscriptions.redeliver(subscription_id, delivery_id=delivery["delivery_id"])
        assert count == 1
        first, second = await receiver.wait_for(2)
        [delivery] = await post.until_settled(subscription_id)
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    verify(second, secret, now=post.clock.now())
    assert _outcomes(delivery) == ["delivered", "delivered"]


async def test_what_is_asked_for_again_is_tried_as_often_as_at_first(post):
    async with Receiver(answers=[status(503)] * (len(SCHEDULE) + 1)) as receiver, post.dispatching():
        subscription_id, _ = await post.subscribe(receiver.url)
        await apply(post.store, decide())
        failed = await post.until_given_up(subscription_id)
        assert failed["state"] == "failed"
        await post.subscriptions.redeliver(subscription_id, delivery_id=failed["delivery_id"])
        await post.until_attempted(subscription_id, len(SCHEDULE) + 1)
        post.clock.jump(SCHEDULE[1] * 1.21)
        [delivery] = await post.until_settled(subscription_id)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", len(SCHEDULE) + 2)


async def test_what_waits_too_long_is_given_up_visibly_and_dropped_much_later(post):
    subscription_id, _ = await post.subscribe("https://example.org/hook")
    await post.subscriptions.send_test(subscription_id)
    await post.subscriptions.set_enabled(subscription_id, enabled=False)
    now = post.clock.now()
    await post.outbox.tidy(now=now + timedelta(days=13.9))
    assert [row["state"] for row in await post.deliveries(subscription_id)] == ["pending"]
    await post.outbox.tidy(now=now + timedelta(days=14.1))
    assert [row["state"] for row in await post.deliveries(subscription_id)] == ["failed"]
    await post.outbox.tidy(now=now + timedelta(days=28))
    assert len(await post.deliveries(subscription_id)) == 1
    await post.outbox.tidy(now=now + timedelta(days=28.2))
    assert await post.deliveries(subscription_id) == []
