"""Two replicas that learn of new rules at different moments: the one that is behind ends and deletes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.lifecycle.versions import read_version
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import Crowd
from ioc.ports import Checkpoint, Topic, TopicPartition
from ioc.processing.ownership import Ownership
from ioc.rules.desk import RuleDesk
from ioc.rules.in_force import RulesInForce
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.audit import AuditLog
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import enqueue
from ioc.storage.pool import Database
from ioc.storage.rule_activations import Lane
from ioc.storage.rules import RuleStore
from tests.support.edge import SetClock
from tests.support.engine_runs import make_event
from tests.support.rule_texts import CALLER, crowd_rule, save

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
PARTITION = TopicPartition(Topic.EVENTS, 0)
FILES = [read_version(crowd_rule(2.0), "file").rule]
WORLD = load_world()


class Replica:
    """What a worker has of rules and partitions, without a log: readings are handed to it."""

    def __init__(self, database):
        self.store = PostgresBatchStore(database, alerts=AlertWriter(enqueue))
        self.rules = RulesInForce(RuleStore(database), FILES, SetClock())
        self.ownership = Ownership(
            store=self.store, rules=self.rules, world=WORLD, latest=_nothing_seen, partition_of=lambda topic, key: 0
        )

    async def take_over(self):
        await self.ownership.assigned(frozenset({PARTITION}))

    async def give_up(self):
        await self.ownership.revoked(frozenset({PARTITION}))

    async def read(self, *minutes, density=2.5):
        """Decide on readings in one batch each, and keep what follows, as the worker does."""
        said = []
        for minute in minutes:
            await self.ownership.renew()
            event = make_event("site.x", Crowd(density_p_m2=density), START + timedelta(minutes=minute))
            step = self.ownership.engine.step(PARTITION, [event])
            async with self.store.begin("process") as transaction:
                await transaction.checkpoint([Checkpoint(partition=PARTITION, changed=step.state)])
                await transaction.apply(step.changes)
            said += [(change.rule_id, change.type.value) for change in step.changes if change.type != "updated"]
        return said


async def _nothing_seen():
    return ()


@pytest.fixture
async def database(plain_postgres_url, fresh_database):
    async with Database(await fresh_database(plain_postgres_url, prepare=migrate_database)) as database:
        yield database


@pytest.fixture
def desk(database):
    clock = SetClock()
    rules = RulesInForce(RuleStore(database), FILES, clock)
    return RuleDesk(RuleStore(database), rules, WORLD, AuditLog(database, clock), clock)


async def _activate(desk, source, lane=Lane.LIVE):
    made = await save(desk, source)
    await desk.activate(made.rule_id, made.number, lane, by=CALLER, reason="bài thử")
    return made


async def test_who_takes_a_partition_over_first_learns_the_rules_that_it_was_decided_by(database, desk):
    ahead, late = Replica(database), Replica(database)
    await late.rules.refresh()
    await ahead.take_over()
    await _activate(desk, crowd_rule(1.0, minutes=1), Lane.SHADOW)
    await _activate(desk, crowd_rule(1.0, rule_id="crowd.new", minutes=1))
    await ahead.rules.refresh()
    assert sorted(await ahead.read(*range(6))) == [
        ("crowd.density", "fired"), ("crowd.density~1", "fired"), ("crowd.new", "fired"),
    ]  # fmt: skip
    await ahead.give_up()
    assert late.rules.activation_id == 0
    await late.take_over()
    assert await late.read(6, 7) == []
    assert late.rules.activation_id == ahead.rules.activation_id == 2


async def test_a_change_comes_between_two_batches_and_keeps_a_for_that_runs(database, desk):
    replica = Replica(database)
    await replica.take_over()
    assert await replica.read(0, 1, 2) == []
    await _activate(desk, crowd_rule(2.0, title="khác"))
    engine = replica.ownership.engine
    assert await replica.read(3) == []
    assert replica.ownership.engine is engine
    await replica.rules.refresh()
    assert await replica.read(4, 5, 6) == [("crowd.density", "fired")]
    assert replica.ownership.engine is not engine


async def _save_unreadable(desk):
    """A version of a later release: of a kind of condition that this one does not have."""
    source = crowd_rule().replace("condition: threshold", "condition: foresight")
    made = await desk.store.versions.save(
        rule_id="crowd.density", source=source, version="later", tests_count=1, author="lan", reason="bản sau",
        at=START,
    )  # fmt: skip
    return made.number


async def test_what_cannot_be_read_keeps_the_old_rules_and_says_so(database, desk):
    replica = Replica(database)
    kept = await _activate(desk, crowd_rule(3.0))
    await replica.take_over()
    assert await replica.read(*range(6), density=3.5) == [("crowd.density", "fired")]
    number = await _save_unreadable(desk)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO rule_activation (rule_id, lane, state, number, actor, reason, at)"
            " VALUES ('crowd.density', 'live', 'version', %s, 'lan', 'bản sau', now())",
            (number,),
        )
    await replica.rules.refresh()
    assert replica.rules.is_behind
    assert "NOT activation 2: crowd.density@2:2: no condition 'foresight'" in replica.rules.describe()
    assert replica.rules.rulebook.find("crowd.density").version == kept.version
    assert await replica.read(6, 7, density=3.5) == []
    fresh = Replica(database)
    await fresh.take_over()
    assert fresh.rules.is_behind
    assert fresh.rules.rulebook.find("crowd.density").version == FILES[0].version
    await desk.roll_back("crowd.density", by=CALLER, reason="bản sau")
    await replica.rules.refresh()
    assert not replica.rules.is_behind
    assert await replica.read(8, density=3.5) == []
