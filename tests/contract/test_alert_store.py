"""The engine's decisions become alerts with a journal, on every edition of the store."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from ioc.domain.alerts import ChangeType, ConditionState, OperatorState, ResolveReason, Severity
from ioc.errors import InvalidRequestError, NotFoundError, PositionConflictError
from ioc.ports import Slice, Topic, TopicPartition
from ioc.storage.alert_actions import Action
from ioc.storage.alerts import AlertFilter
from tests.support.alerts import apply, at, decide, kinds

FIRED, UPDATED, RESOLVED = ChangeType.FIRED, ChangeType.UPDATED, ChangeType.RESOLVED


async def test_a_decision_to_fire_opens_an_alert_that_reads_back_as_it_was_decided(store, alerts):
    change = decide(minute=3, lon_deg=None, labels=(("asset_id", "air.hong-gai"), ("note", 'nháy " và \\ và ☂')))
    await apply(store, change)
    [alert] = await alerts.open_alerts()
    for name in (
        "alert_id", "fingerprint", "rule_id", "rule_version", "labels", "severity", "condition", "feed_id", "asset_id",
        "unit_code", "zone_id", "lon_deg", "lat_deg", "title_vi", "title_en", "detail_vi", "detail_en", "value",
        "limit", "quantity_unit", "observed_at", "received_at", "decided_at", "started_at", "shadow",
    ):  # fmt: skip
        assert getattr(alert, name) == getattr(change, name), name
    assert (alert.revision, alert.operator, alert.ended_at) == (1, OperatorState.UNACKNOWLEDGED, None)
    assert await alerts.get(alert.alert_id) == alert
    [event] = await alerts.events(alert.alert_id)
    assert (event.type, event.at, event.actor, event.revision) == (FIRED, at(3), None, 1)
    assert event.alert == alert


async def test_a_whole_occurrence_leaves_revisions_without_gaps(store, alerts):
    changes = [
        decide(FIRED, 0),
        decide(UPDATED, 1, value=90),
        decide(ChangeType.SEVERITY, 2, severity=Severity.CRITICAL, value=200),
        decide(ChangeType.RECOVERING, 3, severity=Severity.CRITICAL, condition=ConditionState.RECOVERING),
        decide(ChangeType.NO_DATA, 4, severity=Severity.CRITICAL, condition=ConditionState.RECOVERING),
        decide(RESOLVED, 5, severity=Severity.CRITICAL, value=10),
    ]
    await apply(store, *changes[:2])
    await apply(store, *changes[2:])
    events = await alerts.events(changes[0].alert_id)
    assert kinds(events) == ["fired", "updated", "severity", "recovering", "no_data", "resolved"]
    assert [event.revision for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.event_id for event in events] == sorted({event.event_id for event in events})
    assert events[-1].reason == "condition"
    alert = await alerts.get(changes[0].alert_id)
    assert alert == events[-1].alert
    assert (alert.ended_at, alert.resolve_reason) == (at(5), ResolveReason.CONDITION)
    assert alert.operator is OperatorState.RETURNED_UNACKNOWLEDGED
    assert await alerts.open_alerts() == [alert]


async def test_the_journal_keeps_the_readings_that_a_decision_rests_on(store, database):
    await apply(store, decide(input_ids=(bytes(range(16)), bytes(16))))
    async with database.connection() as connection:
        [(found,)] = await (await connection.execute("SELECT input_ids FROM alert_event")).fetchall()
    assert [item.bytes for item in found] == [bytes(range(16)), bytes(16)]


async def test_a_batch_that_is_applied_again_changes_nothing(store, alerts):
    changes = [decide(FIRED, 0), decide(UPDATED, 1, value=90), decide(ChangeType.NO_DATA, 2, value=90)]
    await apply(store, *changes)
    before = await alerts.events(changes[0].alert_id)
    await apply(store, *changes)
    await apply(store, changes[2])
    assert await alerts.events(changes[0].alert_id) == before
    await apply(store, decide(RESOLVED, 3))
    ended = await alerts.get(changes[0].alert_id)
    await apply(store, *changes, decide(RESOLVED, 3))
    assert await alerts.get(changes[0].alert_id) == ended


async def test_a_batch_that_fails_leaves_no_alert_and_no_position(store, alerts):
    first = Slice(partition=TopicPartition(Topic.EVENTS, 0), first_offset=0, next_offset=5, end_offset=5, items=())

    async def fail_at_the_end() -> None:
        async with store.begin("process") as transaction:
            await transaction.advance([first])
            await transaction.apply([decide()])
            await transaction.advance([first])

    with pytest.raises(PositionConflictError):
        await fail_at_the_end()
    assert await alerts.open_alerts() == []
    assert await alerts.last_event_id() == 0
    assert await store.positions("process", frozenset({first.partition})) == {}


async def test_a_long_journal_is_read_from_its_newest_end(store, alerts):
    await apply(store, decide(), *(decide(UPDATED, minute, value=80.0 + minute) for minute in range(1, 6)))
    assert [event.revision for event in await alerts.events(decide().alert_id, limit=3)] == [4, 5, 6]


async def test_a_condition_that_comes_back_is_a_new_alert_beside_the_old_one(store, alerts):
    await apply(store, decide(FIRED, 0), decide(RESOLVED, 5), decide(FIRED, 9, began=9))
    newest, older = await alerts.open_alerts()
    assert newest.alert_id != older.alert_id
    assert newest.fingerprint == older.fingerprint
    assert (newest.ended_at, older.ended_at) == (None, at(5))
    assert older.operator is OperatorState.RETURNED_UNACKNOWLEDGED


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_an_occurrence_that_the_engine_forgot_expires_when_a_new_one_begins(store, alerts, in_one_batch):
    forgotten, new = decide(FIRED, 0), decide(FIRED, 30, began=30)
    if in_one_batch:
        await apply(store, forgotten, new)
    else:
        await apply(store, forgotten)
        await apply(store, new)
    ended = await alerts.get(forgotten.alert_id)
    assert (ended.ended_at, ended.resolve_reason) == (at(30), ResolveReason.EXPIRED)
    assert ended.operator is OperatorState.RETURNED_UNACKNOWLEDGED
    events = await alerts.events(forgotten.alert_id)
    assert kinds(events) == ["fired", "resolved"]
    assert events[-1].reason == "expired"
    assert (await alerts.get(new.alert_id)).ended_at is None
    # What still arrives about the old occurrence changes nothing any more.
    await apply(store, decide(UPDATED, 31, value=99), decide(RESOLVED, 32))
    assert await alerts.events(forgotten.alert_id) == events


async def test_the_database_itself_refuses_a_second_open_alert_of_one_condition(store, database):
    await apply(store, decide())
    duplicate = (
        "INSERT INTO alert SELECT (jsonb_populate_record(a, jsonb_build_object('alert_id', gen_random_uuid()))).*"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        async with database.connection() as connection:
            await connection.execute(f"{duplicate} FROM alert a")


async def test_one_batch_with_many_conditions_keeps_them_apart(store, alerts):
    stations = [f"air.station-{number:03}" for number in range(200)]
    await apply(store, *(decide(asset_id=station) for station in stations))
    await apply(store, *(decide(RESOLVED, 1, asset_id=station) for station in stations[::2]))
    found = {alert.asset_id: alert for alert in await alerts.open_alerts()}
    assert {name for name, alert in found.items() if alert.ended_at is None} == set(stations[1::2])
    assert {alert.revision for name, alert in found.items() if alert.ended_at is not None} == {2}


async def test_the_end_of_something_that_never_was_is_nothing(store, alerts):
    await apply(store, decide(RESOLVED, 1))
    assert await alerts.last_event_id() == 0


async def test_an_alert_of_a_rule_on_trial_is_kept_but_not_shown_to_operators(store, alerts):
    await apply(store, decide(shadow=True))
    assert await alerts.open_alerts() == []
    page = await alerts.page(AlertFilter(open_only=False), limit=10)
    assert [alert.operator for alert in page.items] == [OperatorState.SUPPRESSED]
    # The rule goes live: what still holds asks for attention.
    await apply(store, decide(UPDATED, 1))
    assert [alert.operator for alert in await alerts.open_alerts()] == [OperatorState.UNACKNOWLEDGED]


async def test_pages_show_every_alert_once_newest_first(store, alerts):
    await apply(store, *(decide(minute=n // 3, began=n // 3, asset_id=f"air.s{n:02}") for n in range(25)))
    seen, cursor = [], None
    while True:
        page = await alerts.page(AlertFilter(), limit=4, cursor=cursor)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len({alert.alert_id for alert in seen}) == 25
    assert [alert.started_at for alert in seen] == sorted((alert.started_at for alert in seen), reverse=True)
    assert (await alerts.page(AlertFilter(), limit=25)).next_cursor is None


async def test_a_page_shows_what_its_filter_lets_through(store, alerts, actions):
    await apply(
        store,
        decide(asset_id="a", severity=Severity.CRITICAL),
        decide(asset_id="b", unit_code="06655"),
        decide(asset_id="c", rule_id="other"),
        decide(asset_id="d"),
    )
    closed = decide(asset_id="d").alert_id
    acknowledged = Action(type=ChangeType.ACKNOWLEDGED, actor="lan", at=at(1), expected_revision=1)
    await actions.act(closed, acknowledged)
    await apply(store, decide(RESOLVED, 2, asset_id="d"))

    async def shown(**wanted):
        page = await alerts.page(replace(AlertFilter(), **wanted), limit=10)
        return {alert.asset_id for alert in page.items}

    assert await shown() == {"a", "b", "c"}
    assert await shown(open_only=False) == {"a", "b", "c", "d"}
    assert await shown(severity="critical") == {"a"}
    assert await shown(unit_code="06655") == {"b"}
    assert await shown(rule_id="other") == {"c"}
    assert await shown(asset_id="d") == set()
    assert await shown(asset_id="d", open_only=False) == {"d"}


@pytest.mark.parametrize(
    "cursor", ["", "x", "2026-11-23T02:00:00+00:00", "2026-11-23|nothing", "|", "2026-11-23T02:00:00|a"]
)
async def test_a_cursor_that_is_not_ours_is_refused(alerts, cursor):
    with pytest.raises(InvalidRequestError):
        await alerts.page(AlertFilter(), limit=10, cursor=cursor)


async def test_an_alert_that_does_not_exist_is_not_found(alerts):
    with pytest.raises(NotFoundError):
        await alerts.get(decide().alert_id)
    assert await alerts.events(decide().alert_id) == []
