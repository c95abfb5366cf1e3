"""Versions of rules and what was active of them: both only grow, and one person at a time changes what is in force."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from ioc.domain.alerts import ChangeType, Severity
from ioc.domain.ids import alert_id
from ioc.errors import NotFoundError, RefusedActionError
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from ioc.storage.rule_activations import Lane, StaleActivationError, State, Wish
from ioc.storage.rules import RuleStore
from tests.support.alerts import apply, at, decide

RULE = "crowd.density"


@pytest.fixture
def store(database):
    return RuleStore(database)


async def _save(store, version="a", rule_id=RULE):
    return await store.versions.save(
        rule_id=rule_id, source=f"rule: {rule_id}", version=version, tests_count=1, author="lan", reason="lễ hội",
        at=at(0),
    )  # fmt: skip


def _wish(number, lane=Lane.LIVE, state=State.VERSION, expected=None, rule_id=RULE):
    return Wish(
        rule_id=rule_id, lane=lane, state=state, number=number, actor="lan", reason="vì", at=at(1), expected=expected
    )


async def _standing(store):
    return {
        (item.rule_id, item.lane.value): (item.state.value, item.number) for item in await store.activations.standing()
    }


async def test_versions_are_numbered_per_rule_also_when_many_save_at_once(store):
    saved = await asyncio.gather(*(_save(store, f"v{place}") for place in range(6)), _save(store, "x", "gate.queue"))
    assert sorted(item.number for item in saved[:6]) == [1, 2, 3, 4, 5, 6]
    assert saved[6].number == 1
    assert [item.number for item in await store.versions.page(RULE, limit=2)] == [6, 5]
    assert [item.number for item in await store.versions.page(RULE, before=3)] == [2, 1]
    one = await store.versions.get(RULE, 3)
    assert (one.author, one.reason, one.created_at) == ("lan", "lễ hội", at(0))
    with pytest.raises(NotFoundError):
        await store.versions.get(RULE, 7)


async def test_the_newest_version_with_a_meaning_is_found_by_its_hash(store):
    for version in ("a", "b", "a"):
        await _save(store, version)
    assert (await store.versions.find_meaning(RULE, "a")).number == 3
    assert (await store.versions.find_meaning(RULE, "b")).number == 2
    assert await store.versions.find_meaning(RULE, "c") is None


async def test_the_newest_activation_of_each_lane_counts(store):
    for version in "abc":
        await _save(store, version)
    assert await store.activations.newest_id() == 0
    await store.activations.activate(_wish(1))
    await store.activations.activate(_wish(2, Lane.SHADOW))
    last = await store.activations.activate(_wish(3))
    assert await _standing(store) == {(RULE, "live"): ("version", 3), (RULE, "shadow"): ("version", 2)}
    assert await store.activations.newest_id() == last.activation_id
    standing = await store.activations.standing()
    found = await store.versions.find_all({(item.rule_id, item.number) for item in standing})
    assert {key: item.version for key, item in found.items()} == {(RULE, 3): "c", (RULE, 2): "b"}


async def test_a_candidate_that_comes_into_force_no_longer_runs_beside_it(store):
    await _save(store)
    await store.activations.activate(_wish(1, Lane.SHADOW))
    await store.activations.activate(_wish(1))
    assert await _standing(store) == {(RULE, "live"): ("version", 1), (RULE, "shadow"): ("off", None)}


async def test_who_decides_on_what_is_no_longer_so_is_refused(store):
    for version in "ab":
        await _save(store, version)
    first = await store.activations.activate(_wish(1, expected=0))
    with pytest.raises(StaleActivationError, match=f"{first.activation_id} is"):
        await store.activations.activate(_wish(2, expected=0))
    at_once = await asyncio.gather(
        *(store.activations.activate(_wish(2, expected=first.activation_id)) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(item, StaleActivationError) for item in at_once) == 3
    with pytest.raises(RefusedActionError, match="already"):
        await store.activations.activate(_wish(2))


async def test_a_roll_back_goes_back_and_a_second_one_further_back(store):
    for version in "abc":
        await _save(store, version)
    for number in (1, 2, 3):
        await store.activations.activate(_wish(number))
    back = [await store.activations.roll_back(RULE, actor="lan", reason="nhầm", at=at(2)) for _ in range(3)]
    assert [(item.state, item.number) for item in back] == [
        (State.VERSION, 2), (State.VERSION, 1), (State.FILE, None),
    ]  # fmt: skip
    with pytest.raises(RefusedActionError, match="nothing was in force before"):
        await store.activations.roll_back(RULE, actor="lan", reason="nhầm", at=at(2))
    await store.activations.activate(_wish(3))
    assert (await store.activations.roll_back(RULE, actor="lan", reason="nhầm", at=at(3))).state is State.FILE


async def test_a_retired_rule_comes_back_by_a_roll_back(store):
    await store.activations.activate(_wish(None, state=State.OFF))
    assert await _standing(store) == {(RULE, "live"): ("off", None)}
    await store.activations.roll_back(RULE, actor="lan", reason="nhầm", at=at(2))
    assert await _standing(store) == {(RULE, "live"): ("file", None)}


@pytest.mark.parametrize("table", ["rule_version", "rule_activation"])
async def test_nothing_of_it_can_be_changed_or_removed(database, store, table):
    await _save(store)
    await store.activations.activate(_wish(1))
    for statement in (f"UPDATE {table} SET reason = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.connection() as connection:
                await connection.execute(statement)


async def test_alerts_of_a_rule_and_its_candidate_come_under_one_name_and_identity(database, store):
    batches = PostgresBatchStore(database, alerts=AlertWriter(enqueue))

    def change(rule_id, kind=ChangeType.FIRED, minute=0.0, **others):
        labels = (("asset", "air.hong-gai"), ("rule", rule_id))
        fingerprint = rule_id.encode().ljust(32, b"-")
        return decide(
            kind, minute, rule_id=rule_id, labels=labels, fingerprint=fingerprint,
            alert_id=alert_id(fingerprint, at(0)), **others,
        )  # fmt: skip

    await apply(batches, change(RULE, minute=1), change(f"{RULE}~2", shadow=True))
    await apply(batches, change(f"{RULE}~2", ChangeType.SEVERITY, 2, severity=Severity.CRITICAL, shadow=True))
    await apply(batches, change(f"{RULE}~2", ChangeType.SEVERITY, 3, severity=Severity.MINOR, shadow=True))
    await apply(batches, change(RULE, ChangeType.RESOLVED, 4))
    [live] = await store.alerts.occurrences([RULE], start=at(-1), end=at(10))
    [candidate] = await store.alerts.occurrences([f"{RULE}~2"], start=at(-1), end=at(10))
    assert (live.rule_id, live.fingerprint) == (candidate.rule_id, candidate.fingerprint)
    assert (live.started_at, live.ended_at) == (at(1), at(4))
    assert (candidate.severity, candidate.started_at, candidate.ended_at) == (Severity.CRITICAL, at(0), None)
    assert await store.alerts.occurrences([RULE], start=at(4), end=at(10)) == []
    [early] = await store.alerts.occurrences([RULE], start=at(0), end=at(3))
    assert early.ended_at is None
