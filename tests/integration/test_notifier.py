"""What departments are told, from an alert's journal to the outbox, on a real database and with two replicas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from alerts.notification.matchers import Matchers
from alerts.notification.policy_files import read_policy
from ioc.delivery.signing import make_secret
from ioc.domain.alerts import ChangeType, ConditionState, OperatorState, Severity
from ioc.processing.notifier import Notifier
from ioc.sealing import Sealer
from ioc.storage.alert_actions import Action, AlertActions
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.notification_groups import GroupDecisions
from ioc.storage.notifications import NotificationStore
from ioc.storage.outbox import enqueue
from ioc.storage.pool import Database
from ioc.storage.subscriptions import NewSubscription, SubscriptionStore, Wants
from ioc.storage.suppressions import SuppressionStore
from tests.support.alerts import apply, at, decide

POLICY = """
route:
  id: shift
  departments: [shift]
  group_by: [rule]
  routes:
    - {id: critical, match: severity>=critical, departments: [shift], group_by: [rule], ladder: up, continue: true}
    - {id: air, match: feed=air, departments: [environment], group_by: [rule, unit]}
inhibitions:
  - {id: outage, source: rule=power, target: rule=air-pm25, equal: [unit]}
ladders:
  - id: up
    ack_timeout: 1h
    levels: [{after: 5m, departments: [lead]}, {after: 15m, departments: [office]}]
"""


class SteppedClock:
    """Time that stands until the test steps it."""

    def __init__(self) -> None:
        self.time = at(0)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, delay: timedelta) -> None:
        raise AssertionError("these tests step the notifier themselves")

    def to(self, minute: float) -> None:
        self.time = at(minute)


class Office:
    """A store, a notifier, and what its departments were told."""

    def __init__(self, database: Database, policy) -> None:
        self.database, self.policy, self.clock = database, policy, SteppedClock()
        self.store = PostgresBatchStore(database, alerts=AlertWriter(enqueue))
        self.alerts, self.actions = PostgresAlertStore(database), AlertActions(database, enqueue)
        self.notifications = NotificationStore(database)
        self.notifier = self.another_notifier()
        self.subscriptions = SubscriptionStore(database, Sealer([bytes(32)]), self.clock, make_secret=make_secret)

    def another_notifier(self) -> Notifier:
        return Notifier(self.database, self.policy, self.clock, Random(7))

    def use(self, policy: str, folder: Path) -> None:
        """Go on with another policy."""
        path = folder / "another-policy.yaml"
        path.write_text(policy, encoding="utf-8")
        self.policy, faults = read_policy(path)
        assert not faults
        self.notifier = self.another_notifier()

    async def step(self, minute: float, *changes) -> list[str]:
        """Go to a minute, apply decisions, let the notifier look; give what was told there, as department/reason."""
        self.clock.to(minute)
        if changes:
            await apply(self.store, *changes)
        before = {row["notification_id"] for row in await self.told()}
        await self.notifier.step()
        return sorted(
            f"{row['department']}/{row['reason']}" for row in await self.told() if row["notification_id"] not in before
        )

    async def told(self):
        return await self.notifications.notifications(limit=1_000)

    async def act(self, change, action: ChangeType, minute: float, **wanted):
        alert = await self.alerts.get(change.alert_id)
        await self.actions.act(
            change.alert_id,
            Action(type=action, actor="lan", at=at(minute), expected_revision=alert.revision, **wanted),
        )

    async def bodies(self):
        async with self.database.connection() as connection:
            rows = await (await connection.execute("SELECT body FROM delivery ORDER BY delivery_id")).fetchall()
        return [json.loads(bytes(body)) for (body,) in rows]


@pytest.fixture
async def office(plain_postgres_url, fresh_database, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    policy, faults = read_policy(path)
    assert not faults
    address = await fresh_database(plain_postgres_url, prepare=migrate_database)
    async with Database(address, max_size=8) as database:
        yield Office(database, policy)


async def test_a_group_waits_for_its_others_and_is_told_once(office):
    one, two = decide(), decide(asset_id="air.uong-bi", minute=0.1)
    assert await office.step(0, one) == []
    assert await office.step(0.1, two) == []
    assert await office.step(0.2) == ["environment/first"]
    assert await office.step(2) == []
    [told] = await office.told()
    assert set(told["firing_ids"]) == {one.alert_id, two.alert_id}
    assert told["new_count"] == 2


async def test_what_is_critical_waits_for_nobody_and_goes_to_the_shift_as_well(office):
    await office.step(0, decide())
    assert await office.step(0.5) == ["environment/first"]
    # Within the group's interval, but critical: told at once, in the group that its department knows.
    urgent = decide(asset_id="air.uong-bi", severity=Severity.CRITICAL, minute=0.6, began=0.6)
    assert await office.step(0.6, urgent) == ["environment/new_firing", "shift/first"]


async def test_the_end_is_told_to_those_who_know_of_the_beginning_and_the_group_closes(office):
    await office.step(0, decide())
    await office.step(0.5)
    assert await office.step(0.6, decide(ChangeType.RESOLVED, 0.6)) == []
    assert await office.step(2) == ["environment/all_resolved"]
    assert await office.notifications.groups_of(decide().alert_id) == []
    # Its next occurrence begins a group of its own.
    await office.step(10, decide(minute=10, began=10))
    assert await office.step(10.5) == ["environment/first"]


async def test_what_ends_before_anybody_was_told_is_never_told(office):
    assert await office.step(0, decide(), decide(ChangeType.RESOLVED, 0.1)) == []
    assert await office.step(5) == []


async def test_what_still_holds_is_repeated_after_its_interval(office):
    await office.step(0, decide())
    await office.step(0.5)
    assert await office.step(239) == []
    assert await office.step(241) == ["environment/repeat"]


async def test_a_rise_in_severity_is_news(office):
    await office.step(0, decide(severity=Severity.MINOR))
    await office.step(0.5)
    assert await office.step(3, decide(ChangeType.SEVERITY, 3, severity=Severity.MAJOR)) == ["environment/new_firing"]


ROOT_ONLY = {"feed_id": "tides"}
"""An alert that no route takes but the root, and the critical one once it is."""


@pytest.mark.parametrize(
    ("critical", "on_rise", "on_end"),
    [
        ("[shift]", ["shift/new_firing"], ["shift/all_resolved"]),
        ("[shift, lead]", ["lead/first", "shift/first"], ["lead/all_resolved", "shift/all_resolved"]),
        ("[lead]", ["lead/first", "shift/new_firing"], ["lead/all_resolved", "shift/all_resolved"]),
    ],
)
async def test_a_rise_into_another_route_is_told_to_each_department_once(office, tmp_path, critical, on_rise, on_end):
    office.use(
        POLICY.replace("departments: [shift], group_by: [rule], ladder: up", f"departments: {critical}"), tmp_path
    )
    await office.step(0, decide(**ROOT_ONLY))
    assert await office.step(0.5) == ["shift/first"]
    risen = decide(ChangeType.SEVERITY, 3, severity=Severity.CRITICAL, **ROOT_ONLY)
    assert [*await office.step(3, risen), *await office.step(3.1), *await office.step(4.5)] == on_rise
    fallen = decide(ChangeType.SEVERITY, 6, severity=Severity.MAJOR, **ROOT_ONLY)
    assert [*await office.step(6, fallen), *await office.step(7.5)] == []
    risen = decide(ChangeType.SEVERITY, 9, severity=Severity.CRITICAL, **ROOT_ONLY)
    assert [*await office.step(9, risen), *await office.step(10.5)] == []
    ended = decide(ChangeType.RESOLVED, 12, severity=Severity.CRITICAL, **ROOT_ONLY)
    assert [*await office.step(12, ended), *await office.step(13.5)] == on_end
    assert await office.notifications.groups_of(risen.alert_id) == []


async def test_who_was_told_of_an_alert_hears_of_its_end_where_the_wider_group_that_took_it_had_not_told_yet(
    office, tmp_path
):
    office.use(
        POLICY.replace("severity>=critical, departments: [shift]", "severity>=major, departments: [shift, lead]"),
        tmp_path,
    )
    await office.step(0, decide(severity=Severity.MINOR, **ROOT_ONLY))
    assert await office.step(0.5) == ["shift/first"]
    assert await office.step(3, decide(ChangeType.SEVERITY, 3, **ROOT_ONLY)) == []
    assert await office.step(3.1, decide(ChangeType.RESOLVED, 3.1, **ROOT_ONLY)) == ["shift/all_resolved"]
    assert await office.step(5) == []


async def test_two_routes_that_name_one_department_tell_it_once(office, tmp_path):
    office.use(POLICY.replace("departments: [environment]", "departments: [environment, shift]"), tmp_path)
    told = await office.step(0, decide(severity=Severity.CRITICAL))
    assert told == ["environment/first", "shift/first"]
    ended = await office.step(4, decide(ChangeType.RESOLVED, 4, severity=Severity.CRITICAL))
    assert ended == ["environment/all_resolved", "shift/all_resolved"]


async def test_a_rise_that_has_fallen_back_before_anybody_was_told_is_no_news(office):
    await office.step(0, decide(severity=Severity.MINOR))
    await office.step(0.5)
    assert await office.step(0.6, decide(ChangeType.SEVERITY, 0.6)) == []
    assert await office.step(0.7, decide(ChangeType.SEVERITY, 0.7, severity=Severity.MINOR)) == []
    assert await office.step(2) == []
    assert await office.step(3, decide(ChangeType.SEVERITY, 3)) == ["environment/new_firing"]


async def test_of_two_routes_with_the_same_departments_that_which_tells_ends_has_the_alert(office, tmp_path):
    quiet = "{id: quiet, match: feed=tides, departments: [shift], resolved: false}"
    office.use(POLICY.replace("    - {id: air,", f"    - {quiet}\n    - {{id: air,"), tmp_path)
    await office.step(0, decide(**ROOT_ONLY))
    assert await office.step(0.5) == ["shift/first"]
    risen = decide(ChangeType.SEVERITY, 3, severity=Severity.CRITICAL, **ROOT_ONLY)
    assert [*await office.step(3, risen), *await office.step(5)] == ["shift/first"]
    ended = decide(ChangeType.RESOLVED, 6, severity=Severity.CRITICAL, **ROOT_ONLY)
    assert [*await office.step(6, ended), *await office.step(7.5)] == ["shift/all_resolved"]


async def test_who_was_told_on_a_ladder_that_no_route_has_any_more_hears_of_the_end(office, tmp_path):
    await office.step(0, decide(severity=Severity.CRITICAL))
    assert await office.step(5) == ["lead/level_1"]
    office.use(POLICY.replace("ladder: up, ", ""), tmp_path)
    told = await office.step(6, decide(ChangeType.RESOLVED, 6, severity=Severity.CRITICAL))
    assert "lead/all_resolved" in told


async def test_what_a_person_closed_is_told_again_when_it_gets_worse(office):
    mild, worse = decide(severity=Severity.MINOR), decide(ChangeType.SEVERITY, 20, severity=Severity.CRITICAL)
    await office.step(0, mild)
    await office.step(0.5)
    await office.act(mild, ChangeType.RESOLVED, 1, reason="trạm đang bảo trì")
    assert await office.step(2) == ["environment/all_resolved"]
    assert await office.step(20, worse) == ["environment/first", "shift/first"]
    reopened = await office.alerts.get(mild.alert_id)
    assert (reopened.operator, reopened.severity) == (OperatorState.UNACKNOWLEDGED, Severity.CRITICAL)
    await office.step(30, decide(ChangeType.RESOLVED, 30, severity=Severity.CRITICAL))
    assert (await office.alerts.get(mild.alert_id)).operator is OperatorState.RETURNED_UNACKNOWLEDGED


async def test_what_a_silence_held_is_told_when_the_silence_ends(office):
    silence = await office.notifications.add_silence(
        Matchers.parse("unit=06652"), starts_at=at(0), ends_at=at(30), author="lan", comment="bảo trì", now=at(0)
    )
    await office.step(0, decide())
    assert await office.step(1) == []
    [group] = await office.notifications.groups_of(decide().alert_id)
    assert (group["held_why"], group["held_by"], group["held_until"]) == (
        "silenced",
        str(silence["silence_id"]),
        at(30),
    )
    assert group["reason"] == "held"
    assert await office.step(29) == []
    assert await office.step(30) == ["environment/first"]


async def test_a_silence_that_is_ended_early_lets_go_at_once(office):
    silence = await office.notifications.add_silence(
        Matchers.parse("feed=air"), starts_at=at(0), ends_at=at(60), author="lan", comment="thử", now=at(0)
    )
    await office.step(0, decide())
    await office.step(1)
    await office.notifications.end_silence(silence["silence_id"], actor="minh", now=at(2))
    assert await office.step(2) == ["environment/first"]


async def test_a_planned_silence_that_is_called_off_silences_nothing(office):
    planned = await office.notifications.add_silence(
        Matchers.parse("unit=06652"), starts_at=at(600), ends_at=at(720), author="lan", comment="works", now=at(0)
    )
    ended = await office.notifications.end_silence(planned["silence_id"], actor="lan", now=at(10))
    assert ended["starts_at"] == ended["ends_at"] == at(10)
    assert await office.step(30, decide(severity=Severity.CRITICAL, minute=30, began=30))


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something once, after a group's members were read and before its decision is kept."""

    def set_up(happen: Callable[[], Awaitable[object]]) -> None:
        save = GroupDecisions.save

        async def save_later(self, group, made, now):
            monkeypatch.setattr(GroupDecisions, "save", save)
            # Whoever happens on the group meanwhile may have to wait for its row.
            tasks.append(asyncio.create_task(happen()))
            await asyncio.sleep(0.3)
            await save(self, group, made, now)

        monkeypatch.setattr(GroupDecisions, "save", save_later)

    tasks: list[asyncio.Task[object]] = []
    set_up.tasks = tasks
    return set_up


async def test_a_silence_that_ends_while_a_group_is_decided_lets_go_at_once(office, meanwhile):
    silence = await office.notifications.add_silence(
        Matchers.parse("unit=06652"), starts_at=at(0), ends_at=at(480), author="lan", comment="x", now=at(0)
    )
    meanwhile(lambda: office.notifications.end_silence(silence["silence_id"], actor="lan", now=at(0.1)))
    assert await office.step(0.1, decide(severity=Severity.CRITICAL)) == []
    await asyncio.gather(*meanwhile.tasks)
    assert await office.step(0.2) == ["environment/first", "shift/first"]


async def test_a_rise_that_another_replica_sorts_while_a_group_is_decided_is_told(office, meanwhile):
    await office.step(0, decide(severity=Severity.MINOR))
    assert await office.step(0.5) == ["environment/first"]
    other = office.another_notifier()
    rise = decide(ChangeType.SEVERITY, 241, severity=Severity.MAJOR)

    async def rise_and_sort() -> None:
        await apply(office.store, rise)
        await other._sort()

    meanwhile(rise_and_sort)
    assert await office.step(241) == ["environment/repeat"]
    await asyncio.gather(*meanwhile.tasks)
    assert await office.step(243) == ["environment/new_firing"]


async def test_an_outage_keeps_what_it_explains_quiet_while_it_lasts(office):
    outage = decide(asset_id="grid.1", rule_id="power", fingerprint=b"p" * 32, alert_id=decide(asset_id="p").alert_id)
    await office.step(0, outage)
    assert await office.step(0.5, decide(minute=0.5)) == ["environment/first"]
    assert await office.step(1) == []
    [group] = await office.notifications.groups_of(decide().alert_id)
    assert (group["held_why"], group["held_by"]) == ("inhibited", str(outage.alert_id))
    over = decide(
        ChangeType.RESOLVED, 5, asset_id="grid.1", rule_id="power", fingerprint=b"p" * 32, alert_id=outage.alert_id
    )
    assert await office.step(5, over) == ["environment/all_resolved", "environment/first"]


async def test_a_shelved_alert_is_quiet_and_told_again_when_it_comes_back(office):
    await office.step(0, decide())
    await office.step(0.5)
    await office.act(decide(), ChangeType.SHELVED, 1, reason="đang sửa", until=at(400))
    assert await office.step(300) == []
    await office.act(decide(), ChangeType.UNSHELVED, 301)
    assert await office.step(301) == ["environment/new_firing"]


async def test_what_a_supervisor_took_off_the_list_is_quiet_and_told_when_it_comes_back(office):
    register = SuppressionStore(office.database, enqueue)
    entry = await register.add(
        Matchers.parse("feed=air"), state=OperatorState.SUPPRESSED, ends_at=at(400), author="giang",
        reason="sửa trạm", now=at(0),
    )  # fmt: skip
    urgent = decide(severity=Severity.CRITICAL)
    assert await office.step(0, urgent) == []
    assert await office.step(20) == []
    for group in await office.notifications.groups_of(urgent.alert_id):
        assert (group["reason"], group["held_why"], group["held_by"], group["held_until"]) == (
            "held", "suppressed", str(entry["suppression_id"]), at(400),
        )  # fmt: skip
    office.clock.to(400)
    await register.end_due(now=at(400))
    assert await office.step(400) == ["environment/first", "shift/first"]
    # Its ladder begins where it asks for attention, not where it began.
    assert await office.step(404) == []
    assert await office.step(405) == ["lead/level_1"]


async def test_what_ends_off_the_list_is_told_only_to_those_who_knew_of_it(office):
    known, unknown = decide(), decide(asset_id="air.uong-bi", unit_code="06655", minute=2, began=2)
    await office.step(0, known)
    await office.step(0.5)
    register = SuppressionStore(office.database, enqueue)
    await register.add(
        Matchers.parse("feed=air"), state=OperatorState.OUT_OF_SERVICE, ends_at=at(400), author="giang",
        reason="hỏng", now=at(1),
    )  # fmt: skip
    assert await office.step(2, unknown) == []
    ends = [
        decide(ChangeType.RESOLVED, 3, asset_id=change.asset_id, unit_code=change.unit_code, began=began)
        for change, began in ((known, 0), (unknown, 2))
    ]
    assert await office.step(3, *ends) == ["environment/all_resolved"]
    [told] = [row for row in await office.told() if row["reason"] == "all_resolved"]
    assert list(told["resolved_ids"]) == [known.alert_id]


async def test_what_moves_away_from_its_entry_is_told_at_once(office):
    register = SuppressionStore(office.database, enqueue)
    await register.add(
        Matchers.parse("unit=06652"), state=OperatorState.SUPPRESSED, ends_at=at(400), author="giang",
        reason="diễn tập", now=at(0),
    )  # fmt: skip
    await office.step(0, decide())
    assert await office.step(1) == []
    assert await office.step(2, decide(ChangeType.UPDATED, 2, unit_code="06655")) == ["environment/first"]
    assert await office.step(3, decide(ChangeType.UPDATED, 3, unit_code="06655", value=90.0)) == []


async def test_what_was_held_while_others_were_told_is_told_to_have_ended(office):
    known, other = decide(), decide(asset_id="air.uong-bi", minute=10, began=10)
    await office.step(0, known)
    assert await office.step(0.5) == ["environment/first"]
    await office.act(known, ChangeType.SHELVED, 5, reason="đang sửa", until=at(60))
    assert await office.step(10, other) == ["environment/new_firing"]
    assert await office.step(20, decide(ChangeType.RESOLVED, 20)) == ["environment/some_resolved"]
    assert list((await office.told())[0]["resolved_ids"]) == [known.alert_id]
    # Nobody is told twice, and the other's end is told as ever.
    assert await office.step(30) == []
    over = decide(ChangeType.RESOLVED, 40, asset_id="air.uong-bi", began=10)
    assert await office.step(40, over) == ["environment/all_resolved"]


async def test_an_end_does_not_wait_for_another_of_its_group_that_is_held(office):
    held, other = decide(), decide(asset_id="air.uong-bi")
    await office.step(0, held, other)
    assert await office.step(0.5) == ["environment/first"]
    await office.act(held, ChangeType.SHELVED, 1, reason="đang sửa", until=at(400))
    assert await office.step(1) == []
    over = decide(ChangeType.RESOLVED, 10, asset_id="air.uong-bi")
    assert await office.step(10, over) == ["environment/some_resolved"]
    assert await office.step(20) == []
    await office.act(held, ChangeType.UNSHELVED, 30)
    assert await office.step(30) == ["environment/new_firing"]


async def test_a_persons_raise_is_news_and_whose_an_alert_is_is_none(office):
    await office.step(0, decide(severity=Severity.MINOR))
    await office.step(0.5)
    await office.act(decide(), ChangeType.ASSIGNED, 2, to="lan")
    assert await office.step(3) == []
    await office.act(decide(), ChangeType.SEVERITY_SET, 4, severity=Severity.CRITICAL, reason="gần trường học")
    assert await office.step(4) == ["environment/new_firing", "shift/first"]


async def test_what_is_out_of_service_keeps_nothing_else_quiet(office):
    outage = decide(asset_id="grid.1", rule_id="power", fingerprint=b"p" * 32, alert_id=decide(asset_id="p").alert_id)
    register = SuppressionStore(office.database, enqueue)
    await register.add(
        Matchers.parse("rule=power"), state=OperatorState.OUT_OF_SERVICE, ends_at=at(400), author="giang",
        reason="công tơ hỏng", now=at(0),
    )  # fmt: skip
    await office.step(0, outage, decide())
    assert await office.step(0.5) == ["environment/first"]


async def test_nobody_acknowledges_and_the_alert_climbs_its_ladder(office):
    urgent = decide(severity=Severity.CRITICAL)
    await office.step(0, urgent)
    assert await office.step(4) == []
    assert await office.step(5) == ["lead/level_1"]
    await office.act(urgent, ChangeType.ACKNOWLEDGED, 6)
    assert await office.step(20) == []
    # The acknowledgement has counted for an hour; from then on it climbs anew.
    assert {"lead/level_1", "office/level_2"}.isdisjoint(await office.step(66))
    assert "lead/level_1" in await office.step(71)
    assert "office/level_2" in await office.step(81)
    assert {"lead/level_1", "office/level_2"}.isdisjoint(await office.step(600))


async def test_an_acknowledgement_at_the_top_of_a_ladder_expires_and_everybody_is_told_again(office):
    urgent = decide(severity=Severity.CRITICAL)
    await office.step(0, urgent)
    assert {"lead/level_1", "office/level_2"} <= set(await office.step(15))
    await office.act(urgent, ChangeType.ACKNOWLEDGED, 20)
    assert {"lead/level_1", "office/level_2"}.isdisjoint(await office.step(80))
    assert "lead/level_1" in await office.step(85)
    assert "office/level_2" in await office.step(95)


async def test_an_acknowledgement_before_anybody_looked_only_puts_the_ladder_off(office):
    urgent = decide(severity=Severity.CRITICAL)
    await apply(office.store, urgent)
    await office.act(urgent, ChangeType.ACKNOWLEDGED, 0)
    await office.step(1)
    assert "lead/level_1" not in await office.step(60)
    assert "lead/level_1" in await office.step(65)


async def test_a_level_that_was_told_is_not_told_again_while_nobody_takes_note(office):
    urgent = decide(severity=Severity.CRITICAL)
    await office.step(0, urgent)
    assert await office.step(5) == ["lead/level_1"]
    assert "office/level_2" in await office.step(15)
    fallen = decide(ChangeType.SEVERITY, 16, severity=Severity.MAJOR)
    risen = decide(ChangeType.SEVERITY, 17, severity=Severity.CRITICAL)
    told = [*await office.step(16, fallen), *await office.step(17, risen), *await office.step(29)]
    assert not [entry for entry in told if "level" in entry]


async def test_an_alert_that_is_no_longer_critical_wakes_nobody_above_until_it_is_so_again(office):
    await office.step(0, decide(severity=Severity.CRITICAL))
    assert await office.step(5) == ["lead/level_1"]
    fallen = await office.step(6, decide(ChangeType.SEVERITY, 6, severity=Severity.MINOR))
    told = [*fallen, *await office.step(15), *await office.step(29)]
    assert not [entry for entry in told if "level" in entry]
    await office.step(30, decide(ChangeType.SEVERITY, 30, severity=Severity.CRITICAL))
    # Counted from the last look at which it was off its route, a minute apart at most.
    assert not [entry for entry in await office.step(43) if "level" in entry]
    assert "office/level_2" in await office.step(45)
    ended = await office.step(46, decide(ChangeType.RESOLVED, 46, severity=Severity.CRITICAL))
    assert {"lead/all_resolved", "office/all_resolved"} <= set(ended)


async def test_an_alert_that_gets_to_another_ladder_begins_that_one(office, tmp_path):
    slow = POLICY.replace("match: feed=air,", "match: feed=air, ladder: slow,")
    office.use(slow + "  - {id: slow, levels: [{after: 8m, departments: [archive]}]}\n", tmp_path)
    await office.step(0, decide(severity=Severity.CRITICAL))
    assert await office.step(5) == ["lead/level_1"]  # of two ladders the first route's
    await office.step(6, decide(ChangeType.SEVERITY, 6, severity=Severity.MINOR))
    assert not [entry for entry in await office.step(13.9) if "level" in entry]
    assert "archive/level_1" in await office.step(14)
    ended = await office.step(20, decide(ChangeType.RESOLVED, 20, severity=Severity.MINOR))
    assert {"lead/all_resolved", "archive/all_resolved"} <= set(ended)


async def test_who_was_told_on_a_ladder_hears_of_the_end_once(office):
    urgent = decide(severity=Severity.CRITICAL)
    await office.subscriptions.add(
        NewSubscription(
            department="lead", url="https://example.org/", wants=Wants.NOTIFICATIONS, min_severity=Severity.CRITICAL
        ),
        created_by="lan",
    )
    await office.step(0, urgent)
    assert "lead/level_1" in await office.step(5)
    await office.act(urgent, ChangeType.RESOLVED, 6, reason="đã xử lý")
    told = await office.step(6)
    assert "lead/all_resolved" in told
    assert "office/all_resolved" not in told
    sent = [body["data"] for body in await office.bodies()]
    assert [(data["firing"]["count"], data["resolved"]["count"]) for data in sent] == [(1, 0), (0, 1)]
    assert sent[1]["resolved"]["alerts"][0]["alert_id"] == str(urgent.alert_id)
    assert not [entry for entry in await office.step(20) if "lead" in entry]


async def test_what_ends_before_the_first_level_is_told_to_nobody_on_the_ladder(office):
    await office.step(0, decide(severity=Severity.CRITICAL))
    told = await office.step(4, decide(ChangeType.RESOLVED, 4, severity=Severity.CRITICAL))
    assert told == ["environment/all_resolved", "shift/all_resolved"]


async def test_what_asks_for_attention_anew_climbs_its_ladder_anew(office):
    await office.step(0, decide(severity=Severity.CRITICAL))
    assert await office.step(5) == ["lead/level_1"]
    await office.act(decide(), ChangeType.SHELVED, 6, reason="đang sửa", until=at(100))
    assert await office.step(20) == []
    await office.act(decide(), ChangeType.UNSHELVED, 21)
    assert "office/level_2" not in await office.step(21)
    assert await office.step(25) == []
    assert await office.step(26) == ["lead/level_1"]


async def test_what_a_silence_keeps_quiet_does_not_climb_and_its_time_counts_from_the_silences_end(office):
    await office.notifications.add_silence(
        Matchers.parse("feed=air"), starts_at=at(0), ends_at=at(30), author="lan", comment="thử", now=at(0)
    )
    await office.step(0, decide(severity=Severity.CRITICAL))
    assert [await office.step(minute) for minute in (5, 15, 29.9)] == [[], [], []]
    assert await office.step(30) == ["environment/first", "shift/first"]
    assert await office.step(34) == []
    assert await office.step(36) == ["lead/level_1"]


async def test_an_alert_that_leaves_the_shadow_is_told(office):
    await office.step(0, decide(shadow=True))
    assert await office.step(5) == []
    assert await office.step(6, decide(ChangeType.UPDATED, 6)) == []
    assert await office.step(6.5) == ["environment/first"]


async def test_a_flood_counts_what_is_not_critical_and_drops_nothing(office):
    await office.subscriptions.add(
        NewSubscription(department="environment", url="https://example.org/", wants=Wants.NOTIFICATIONS),
        created_by="lan",
    )
    many = [decide(asset_id=f"air.{number}") for number in range(30)]
    urgent = decide(asset_id="air.worst", severity=Severity.CRITICAL)
    await office.step(0, *many, urgent)
    await office.step(0.5)
    [body] = await office.bodies()
    assert body["type"] == "notification.flood"
    firing = body["data"]["firing"]
    assert [alert["alert_id"] for alert in firing["alerts"]] == [str(urgent.alert_id)]
    assert firing["collapsed"]["counts"] == {"air-pm25/major": 30}
    assert set(firing["collapsed"]["ids"]) == {str(change.alert_id) for change in many}
    assert firing["count"] == 31


async def test_a_subscriber_is_told_what_its_department_is_told_and_nothing_below_its_severity(office):
    for severity in (Severity.INFO, Severity.CRITICAL):
        await office.subscriptions.add(
            NewSubscription(
                department="environment", url="https://example.org/", wants=Wants.NOTIFICATIONS, min_severity=severity
            ),
            created_by="lan",
        )
    await office.step(0, decide())
    await office.step(0.5)
    [body] = await office.bodies()
    assert body["type"] == "notification.group"
    assert (body["data"]["route"], body["data"]["reason"]) == ("air", "first")
    assert [alert["is_new"] for alert in body["data"]["firing"]["alerts"]] == [True]
    [told] = await office.told()
    assert told["receivers_count"] == 1


async def test_who_was_told_of_an_alert_hears_of_its_end_although_it_fell_below_what_they_want(office):
    for wants in Wants:
        await office.subscriptions.add(
            NewSubscription(
                department="environment", url="https://example.org/", wants=wants, min_severity=Severity.MAJOR
            ),
            created_by="lan",
        )
    major, minor = {"severity": Severity.MAJOR}, {"severity": Severity.MINOR}
    await office.step(0, decide(**major))
    await office.step(0.5)
    await office.step(300, decide(ChangeType.SEVERITY, 300, **minor))  # and a repeat of what still holds
    await office.step(310, decide(ChangeType.RESOLVED, 310, **minor))
    await office.step(320, decide(minute=320, began=320, asset_id="air.other", **minor))
    await office.step(330)
    bodies = await office.bodies()
    assert [body["type"] for body in bodies if "group" not in body["data"]] == [
        "alert.fired", "alert.severity", "alert.resolved",
    ]  # fmt: skip
    told = [body["data"] for body in bodies if "group" in body["data"]]
    assert [(data["reason"], data["firing"]["count"], data["resolved"]["count"]) for data in told] == [
        ("first", 1, 0), ("repeat", 1, 0), ("all_resolved", 0, 1),
    ]  # fmt: skip


async def test_an_alert_in_shadow_is_told_to_nobody(office):
    assert await office.step(0, decide(shadow=True)) == []
    assert await office.step(5) == []


def _flapping(minute: float, kind: ChangeType = ChangeType.UPDATED, **others):
    return decide(kind, minute, flapping=True, flip_count=int(minute), **others)


async def test_flapping_is_told_once_at_its_start_and_once_at_its_end_and_never_between(office):
    await office.step(0, decide())
    assert await office.step(0.5) == ["environment/first"]
    assert await office.step(4, _flapping(4, ChangeType.FLAPPING)) == ["environment/flapping"]
    for minute in range(5, 60):
        recovering = ConditionState.RECOVERING if minute % 2 else ConditionState.FIRING
        office.notifier = office.another_notifier()  # it may die at any time
        assert await office.step(minute, _flapping(minute, condition=recovering)) == []
    assert await office.step(60, decide(ChangeType.STEADY, 60)) == ["environment/steady"]
    assert await office.step(62) == []
    assert await office.step(65, decide(ChangeType.RESOLVED, 65)) == ["environment/all_resolved"]


async def test_flapping_waits_for_its_groups_interval_and_its_end_for_the_next(office):
    await office.step(0, decide())
    await office.step(0.5)
    assert await office.step(0.6, _flapping(0.6, ChangeType.FLAPPING)) == []
    assert await office.step(1.5) == ["environment/flapping"]
    assert await office.step(1.6, decide(ChangeType.STEADY, 1.6)) == []
    assert await office.step(2.5) == ["environment/steady"]


async def test_what_comes_to_rest_before_anybody_was_told_that_it_flaps_is_not_told_to_be_steady(office):
    await office.step(0, decide())
    await office.step(0.5)
    assert await office.step(0.6, _flapping(0.6, ChangeType.FLAPPING), decide(ChangeType.STEADY, 0.7)) == []
    assert await office.step(5) == []


async def test_what_flaps_when_it_is_told_first_is_told_of_in_one_notification(office):
    await office.subscriptions.add(
        NewSubscription(department="environment", url="https://example.org/", wants=Wants.NOTIFICATIONS),
        created_by="lan",
    )
    await office.step(0, decide(), _flapping(0, ChangeType.FLAPPING))
    assert await office.step(0.5) == ["environment/first"]
    assert await office.step(5) == []
    [body] = await office.bodies()
    [told] = body["data"]["firing"]["alerts"]
    assert (told["flapping"], told["flip_count"]) == (True, 0)


async def test_flapping_that_a_silence_held_is_told_with_the_alert_when_the_silence_ends(office):
    await office.step(0, decide())
    await office.step(0.5)
    await office.notifications.add_silence(
        Matchers.parse("feed=air"), starts_at=at(1), ends_at=at(30), author="lan", comment="thử", now=at(1)
    )
    await office.step(1)
    assert await office.step(4, _flapping(4, ChangeType.FLAPPING)) == []
    assert await office.step(30) == ["environment/new_firing"]
    assert await office.step(40) == []
    assert await office.step(50, decide(ChangeType.STEADY, 50)) == ["environment/steady"]


async def test_a_group_of_several_is_told_of_each_that_begins_to_flap(office):
    other = {"asset_id": "air.uong-bi"}
    await office.step(0, decide(), decide(**other))
    await office.step(0.5)
    assert await office.step(3, _flapping(3, ChangeType.FLAPPING)) == ["environment/flapping"]
    assert await office.step(6, _flapping(6, ChangeType.FLAPPING, **other)) == ["environment/flapping"]
    ends = decide(ChangeType.STEADY, 9), decide(ChangeType.RESOLVED, 9, **other)
    assert await office.step(9, *ends) == ["environment/steady"]
    assert await office.step(12) == []


async def test_a_system_that_wants_changes_gets_the_start_and_the_end_of_flapping_as_such(office):
    await office.subscriptions.add(
        NewSubscription(department="environment", url="https://example.org/", change_types=["flapping", "steady"]),
        created_by="lan",
    )
    await office.step(0, decide(), _flapping(4, ChangeType.FLAPPING))
    await office.step(30, _flapping(30), decide(ChangeType.STEADY, 31))
    bodies = await office.bodies()
    assert [body["type"] for body in bodies] == ["alert.flapping", "alert.steady"]
    assert [body["data"]["alert"]["flapping"] for body in bodies] == [True, False]


async def test_replicas_side_by_side_tell_everything_once(office):
    changes = [
        decide(asset_id=f"air.{number}", rule_id=f"rule-{number % 20}", fingerprint=number.to_bytes(32, "big"))
        for number in range(200)
    ]
    replicas = [office.another_notifier() for _ in range(3)]
    for part in range(0, 200, 40):
        await apply(office.store, *changes[part : part + 40])
        await asyncio.gather(*(replica.step() for replica in replicas))
    office.clock.to(1)
    for _ in range(4):
        await asyncio.gather(*(replica.step() for replica in replicas))
    told = await office.told()
    assert len(told) == 20
    assert sorted(alert_id for row in told for alert_id in row["firing_ids"]) == sorted(
        change.alert_id for change in changes
    )
