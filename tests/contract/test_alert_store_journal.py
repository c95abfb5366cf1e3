"""The journal can be followed: ids become visible in order, a follower misses nothing and sees nothing twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from ioc.domain.alerts import ChangeType
from ioc.errors import StoreUnavailableError
from ioc.storage.alert_actions import Action
from tests.support.alerts import apply, at, decide, kinds

DEADLINE_S = 20


async def _follow(alerts, after: int, count: int) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        async for events in alerts.follow(after):
            seen += [event.event_id for event in events]
            if len(seen) >= count:
                return seen
    raise AssertionError


async def test_a_transaction_that_took_its_ids_first_is_seen_first_even_when_it_commits_late(store, alerts):
    async with store.begin("process") as slow:
        await slow.apply([decide(asset_id="slow")])
        quick = asyncio.create_task(apply(store, decide(asset_id="quick")))
        done, _ = await asyncio.wait([quick], timeout=0.5)
        assert not done, "a later writer of the journal must wait until the earlier one has committed"
        assert await alerts.events_after(0) == []
    async with asyncio.timeout(DEADLINE_S):
        await quick
    assert [event.alert.asset_id for event in await alerts.events_after(0)] == ["slow", "quick"]


async def test_readers_never_find_an_id_behind_one_that_they_have_seen(store, alerts):
    writers, rounds = 6, 15
    stopped = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(rounds):
            await apply(store, *(decide(asset_id=f"air.{writer}-{number}-{part}") for part in range(2)))

    async def read() -> list[int]:
        seen: list[int] = []
        while not stopped.is_set() or await alerts.events_after(seen[-1] if seen else 0):
            seen += [event.event_id for event in await alerts.events_after(seen[-1] if seen else 0, limit=7)]
        return seen

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(writer) for writer in range(writers)))
    stopped.set()
    async with asyncio.timeout(DEADLINE_S):
        seen = await reader
    everything = [event.event_id for event in await alerts.events_after(0)]
    assert seen == everything
    assert len(everything) == writers * rounds * 2


async def test_followers_get_every_entry_once_while_several_write(store, alerts):
    count = 40
    followers = [asyncio.create_task(_follow(alerts, 0, count)) for _ in range(3)]
    await asyncio.gather(*(apply(store, decide(asset_id=f"air.s{number}")) for number in range(count // 2)))
    await asyncio.gather(
        *(apply(store, decide(ChangeType.UPDATED, 1, asset_id=f"air.s{n}", value=99)) for n in range(count // 2))
    )
    everything = [event.event_id for event in await alerts.events_after(0)]
    assert await asyncio.gather(*followers) == [everything] * 3


async def test_a_follower_is_woken_by_the_commit_and_not_by_the_second(store, alerts):
    loop, waits = asyncio.get_running_loop(), []
    following = alerts.follow(0)
    for number in range(5):
        waiting = asyncio.ensure_future(anext(following))
        # Let it find nothing and go to sleep on the notification.
        done, _ = await asyncio.wait([waiting], timeout=0.15)
        assert not done
        await apply(store, decide(asset_id=f"air.s{number}"))
        committed = loop.time()
        async with asyncio.timeout(DEADLINE_S):
            await waiting
        waits.append(loop.time() - committed)
    await following.aclose()
    assert sorted(waits)[2] < 0.5, waits


async def test_a_follower_finds_what_no_notification_told_it(store, alerts, database):
    await apply(store, decide())
    last = await alerts.last_event_id()
    following = asyncio.create_task(_follow(alerts, last, 1))
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO alert_event SELECT nextval('alert_event_id'), alert_id, 2, type, at, actor, reason, alert"
            " FROM alert_event"
        )
    assert await following == [await alerts.last_event_id()]


async def test_a_follower_starts_where_it_is_told_and_reads_long_journals_in_pages(store, alerts):
    await apply(store, *(decide(asset_id=f"air.s{number}") for number in range(1_500)))
    half = (await alerts.events_after(0, limit=400))[-1].event_id
    assert await alerts.last_event_id() == (await alerts.events_after(0, limit=2_000))[-1].event_id
    seen = await _follow(alerts, half, 1_100)
    assert len(seen) == 1_100
    assert seen[0] > half


async def test_operators_actions_and_decisions_stand_in_one_journal(store, alerts, actions):
    await apply(store, decide())
    asked = Action(type=ChangeType.ACKNOWLEDGED, actor="lan", at=at(1), expected_revision=1)
    await actions.act(decide().alert_id, asked)
    await apply(store, decide(ChangeType.RESOLVED, 2))
    assert kinds(await alerts.events_after(0)) == ["fired", "acknowledged", "resolved"]


async def test_a_follower_of_a_frozen_server_says_so_after_its_deadline(store, alerts, database, monkeypatch):
    monkeypatch.setattr("ioc.storage.alerts.FOLLOW_DEADLINE", timedelta(seconds=0.5))
    await apply(store, decide())
    following = alerts.follow(0)
    async with asyncio.timeout(DEADLINE_S), database.transaction() as connection:
        await anext(following)
        # A reader that waits for a lock looks from outside like a server that was stopped in the middle of an answer.
        await connection.execute("LOCK TABLE alert_event IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError):
            await anext(following)
    await following.aclose()


async def test_a_follower_whose_connection_is_cut_says_so(store, alerts, database):
    await apply(store, decide())
    following = alerts.follow(0)
    async with asyncio.timeout(DEADLINE_S):
        await anext(following)
        waiting = asyncio.ensure_future(anext(following))
        async with database.connection() as connection:
            while True:
                cut = await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%event_id > %'"
                )
                if await cut.fetchall():
                    break
        with pytest.raises(StoreUnavailableError):
            await waiting
    await following.aclose()


async def test_that_an_alert_flaps_is_kept_with_it_and_in_its_journal(store, alerts):
    await apply(
        store,
        decide(),
        decide(ChangeType.FLAPPING, 4, flapping=True, flip_count=4),
        decide(ChangeType.UPDATED, 6, flapping=True, flip_count=9),
        decide(ChangeType.STEADY, 30, flip_count=11),
    )
    found = await alerts.events(decide().alert_id)
    assert kinds(found) == ["fired", "flapping", "updated", "steady"]
    assert [(entry.alert.flapping, entry.alert.flip_count) for entry in found] == [
        (False, 0), (True, 4), (True, 9), (False, 11),
    ]  # fmt: skip
    alert = await alerts.get(decide().alert_id)
    assert (alert.flapping, alert.flip_count) == (False, 11)


async def test_a_flapping_that_was_applied_before_changes_nothing(store, alerts):
    begun = decide(ChangeType.FLAPPING, 4, flapping=True, flip_count=4)
    await apply(store, decide(), begun)
    await apply(store, begun)
    assert kinds(await alerts.events(begun.alert_id)) == ["fired", "flapping"]


async def test_an_alert_that_is_closed_by_hand_flaps_no_longer(store, actions):
    begun = decide(ChangeType.FLAPPING, 4, flapping=True, flip_count=4)
    await apply(store, decide(), begun)
    closing = Action(type=ChangeType.RESOLVED, actor="lan", at=at(5), expected_revision=2, reason="cảm biến hỏng")
    assert not (await actions.act(begun.alert_id, closing)).flapping


async def test_a_journal_from_before_alerts_could_flap_still_reads(store, alerts, database):
    await apply(store, decide())
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE alert_event DISABLE TRIGGER alert_event_append_only")
        await connection.execute("UPDATE alert_event SET alert = alert - 'flapping' - 'flip_count'")
    [entry] = await alerts.events(decide().alert_id)
    assert (entry.alert.flapping, entry.alert.flip_count) == (False, 0)


@pytest.mark.parametrize(
    "statement", ["UPDATE alert_event SET actor = 'x'", "DELETE FROM alert_event", "TRUNCATE alert_event"]
)
async def test_the_journal_cannot_be_changed_or_shortened(store, alerts, database, statement):
    await apply(store, decide())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        async with database.connection() as connection:
            await connection.execute(statement)
    assert kinds(await alerts.events(decide().alert_id)) == ["fired"]
