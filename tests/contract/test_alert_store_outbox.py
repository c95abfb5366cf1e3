"""The outbox on every edition: written with the alert, claimed in turn, settled once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ioc.clocks import ReplayClock
from ioc.delivery.signing import make_secret
from ioc.domain.alerts import ChangeType
from ioc.sealing import Sealer
from ioc.storage.outbox import LEASE, PER_ENDPOINT, AttemptNote, PostgresOutbox
from ioc.storage.subscriptions import NewSubscription, SubscriptionStore
from tests.support.alerts import apply, at, decide


@pytest.fixture
def sealer():
    return Sealer([bytes(32)])


@pytest.fixture
def subscriptions(database, sealer):
    return SubscriptionStore(database, sealer, ReplayClock(at(0)), make_secret=make_secret)


@pytest.fixture
def outbox(database, sealer):
    return PostgresOutbox(database, sealer)


async def _subscribe(subscriptions) -> tuple[object, str]:
    wanted = NewSubscription(department="pccc", url="https://pccc.example.org/hook")
    made, secret = await subscriptions.add(wanted, created_by="lan")
    return made.subscription_id, secret


def _claim(outbox, minute: float, *, limit: int = 100, failing_limit: int = 100):
    return outbox.claim(now=at(minute), limit=limit, failing_limit=failing_limit)


def _note(minute: float, outcome: str) -> AttemptNote:
    return AttemptNote(at=at(minute), outcome=outcome, status=None, duration_ms=1.5, detail="")


async def test_a_delivery_is_claimed_with_its_secret_and_settled_once(store, subscriptions, outbox):
    subscription_id, secret = await _subscribe(subscriptions)
    await apply(store, decide())
    [due] = await _claim(outbox, 1)
    assert (due.subscription_id, due.attempt, list(due.secrets)) == (subscription_id, 1, [secret])
    assert await _claim(outbox, 1) == []
    await outbox.settle(due, _note(1, "delivered"), state="delivered")
    [row] = await subscriptions.deliveries(subscription_id)
    assert (row["state"], row["attempts"], row["settled_at"]) == ("delivered", 1, at(1))
    await outbox.retry(due, _note(2, "timed_out"), retry_at=at(3))
    assert await _claim(outbox, 9) == []


async def test_a_lease_that_ran_out_is_claimed_again_and_the_late_end_of_the_first_changes_nothing(
    store, subscriptions, outbox
):
    subscription_id, _ = await _subscribe(subscriptions)
    await apply(store, decide())
    [first] = await _claim(outbox, 1)
    after = 1 + LEASE / timedelta(minutes=1) + 0.01
    [second] = await _claim(outbox, after)
    assert (second.webhook_id, second.body, second.attempt) == (first.webhook_id, first.body, 2)
    await outbox.settle(first, _note(after, "server_error"), state="failed")
    assert [row["state"] for row in await subscriptions.deliveries(subscription_id)] == ["pending"]
    await outbox.settle(second, _note(after, "delivered"), state="delivered")
    assert [row["state"] for row in await subscriptions.deliveries(subscription_id)] == ["delivered"]


async def test_revisions_of_one_alert_are_claimed_one_after_the_other(store, subscriptions, outbox):
    await _subscribe(subscriptions)
    await apply(store, decide(), decide(ChangeType.UPDATED, 1, value=99), decide(ChangeType.RESOLVED, 2))
    for revision in (1, 2, 3):
        [due] = await _claim(outbox, 3)
        assert b'"revision":%d' % revision in due.body
        await outbox.settle(due, _note(3, "delivered"), state="delivered")
    assert await _claim(outbox, 3) == []


async def test_endpoints_take_turns_however_long_their_queues_are(store, subscriptions, outbox):
    endpoints = [(await _subscribe(subscriptions))[0] for _ in range(3)]
    await apply(store, *(decide(asset_id=f"air.s{number}") for number in range(50)))
    claimed = await _claim(outbox, 1, limit=6)
    assert sorted(str(due.subscription_id) for due in claimed) == sorted(str(one) for one in endpoints * 2)
    claimed += await _claim(outbox, 1)
    counts = [sum(due.subscription_id == endpoint for due in claimed) for endpoint in endpoints]
    assert counts == [PER_ENDPOINT] * 3


async def test_dispatchers_that_claim_at_once_never_get_the_same(store, subscriptions, outbox):
    for _ in range(10):
        await _subscribe(subscriptions)
    await apply(store, *(decide(asset_id=f"air.s{number}") for number in range(10)))
    claims = await asyncio.gather(*(_claim(outbox, 1, limit=7) for _ in range(6)))
    ids = [due.delivery_id for claimed in claims for due in claimed]
    assert len(ids) == len(set(ids)) > 6


async def test_a_revision_that_failed_gives_way_and_one_that_was_not_tried_or_is_under_way_does_not(
    store, subscriptions, outbox
):
    subscription_id, _ = await _subscribe(subscriptions)
    await apply(store, *(decide(asset_id=name) for name in ("failed", "under way")))
    failed, under_way = await _claim(outbox, 1)
    await outbox.retry(failed, _note(1, "server_error"), retry_at=at(30))
    await apply(store, decide(asset_id="untried"))
    changes = [decide(ChangeType.UPDATED, 1.1, asset_id=name, value=99) for name in ("failed", "under way", "untried")]
    await apply(store, *changes)
    by_alert: dict[object, list[str]] = {}
    for row in reversed(await subscriptions.deliveries(subscription_id)):
        by_alert.setdefault(row["alert_id"], []).append(row["state"])
    assert list(by_alert.values()) == [["superseded", "pending"], ["pending", "pending"], ["pending", "pending"]]
    await outbox.settle(under_way, _note(2, "delivered"), state="delivered")


async def test_a_subscription_that_is_removed_while_its_deliveries_are_written_waits_for_them(
    store, subscriptions, database
):
    subscription_id, _ = await _subscribe(subscriptions)
    async with store.begin("process") as transaction:
        await transaction.apply([decide()])
        removing = asyncio.create_task(subscriptions.remove(subscription_id))
        done, _ = await asyncio.wait([removing], timeout=0.3)
        assert not done
    async with asyncio.timeout(10):
        await removing
    async with database.connection() as connection:
        assert await (await connection.execute("SELECT * FROM delivery")).fetchall() == []
