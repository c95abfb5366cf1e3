"""What operators do to alerts: against the revision that they saw, once per key, with every step in the journal."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from ioc.domain.alerts import ChangeType, OperatorState, ResolveReason, Severity
from ioc.errors import NotFoundError, RefusedActionError, RevisionConflictError
from ioc.storage.alert_actions import AlertActions
from ioc.storage.outbox import enqueue
from tests.support.alerts import apply, ask, at, decide, kinds

pytestmark = pytest.mark.usefixtures("fired")

ALERT = decide().alert_id


async def test_an_acknowledged_alert_closes_for_good_when_the_world_returns(store, alerts, actions):
    alert = await actions.act(ALERT, ask("acknowledged", reason="đã cử người"))
    assert (alert.revision, alert.operator, alert.acked_by, alert.acked_at) == (
        2, OperatorState.ACKNOWLEDGED, "lan", at(1),
    )  # fmt: skip
    await apply(store, decide(ChangeType.RESOLVED, 9))
    closed = await alerts.get(ALERT)
    assert (closed.operator, closed.ended_at, closed.acked_by) == (OperatorState.NORMAL, at(9), "lan")
    assert await alerts.open_alerts() == []
    events = await alerts.events(ALERT)
    assert kinds(events) == ["fired", "acknowledged", "resolved"]
    assert [(event.actor, event.reason) for event in events] == [
        (None, None), ("lan", "đã cử người"), (None, "condition"),
    ]  # fmt: skip


async def test_an_alert_that_returned_unseen_stays_on_the_list_until_somebody_sees_it(store, alerts, actions):
    await apply(store, decide(ChangeType.RESOLVED, 1))
    [returned] = await alerts.open_alerts()
    assert returned.operator is OperatorState.RETURNED_UNACKNOWLEDGED
    seen = await actions.act(ALERT, ask("acknowledged", 2, 3))
    assert (seen.operator, seen.acked_by, seen.ended_at) == (OperatorState.NORMAL, "lan", at(1))
    assert await alerts.open_alerts() == []


async def test_an_alert_that_becomes_more_severe_asks_again_and_a_milder_repetition_does_not(store, alerts, actions):
    await actions.act(ALERT, ask("acknowledged"))
    await apply(store, decide(ChangeType.UPDATED, 2, value=70), decide(ChangeType.SEVERITY, 3, severity=Severity.MINOR))
    assert (await alerts.get(ALERT)).operator is OperatorState.ACKNOWLEDGED
    await apply(store, decide(ChangeType.SEVERITY, 4, severity=Severity.CRITICAL))
    alert = await alerts.get(ALERT)
    assert (alert.operator, alert.acked_by, alert.acked_at) == (OperatorState.UNACKNOWLEDGED, None, None)


async def test_who_comes_second_gets_the_alert_as_it_is_now(alerts, actions):
    current = await actions.act(ALERT, ask("acknowledged"))
    with pytest.raises(RevisionConflictError) as refused:
        await actions.act(ALERT, ask("acknowledged", actor="minh"))
    assert refused.value.current == current
    assert kinds(await alerts.events(ALERT)) == ["fired", "acknowledged"]


async def test_of_fifty_operators_at_once_exactly_one_acts(alerts, actions):
    asked = [actions.act(ALERT, ask("acknowledged", actor=f"operator-{number}")) for number in range(50)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    acted = [result for result in results if not isinstance(result, BaseException)]
    assert len(acted) == 1
    current = await alerts.get(ALERT)
    assert {type(result) for result in results} - {type(current)} == {RevisionConflictError}
    assert all(result.current == current for result in results if isinstance(result, RevisionConflictError))
    assert [event.revision for event in await alerts.events(ALERT)] == [1, 2]


async def test_several_are_acknowledged_together_each_for_itself(store, alerts, actions):
    others = [decide(asset_id=f"air.tram-{number}") for number in range(2)]
    await apply(store, *others)
    await actions.act(others[1].alert_id, ask("commented", reason="đã biết"))
    wanted = [ALERT, others[0].alert_id, others[1].alert_id, uuid4()]
    found = await actions.acknowledge_several({alert_id: ask("acknowledged") for alert_id in wanted})
    assert list(found.values())[:2] == [await alerts.get(ALERT), await alerts.get(others[0].alert_id)]
    assert {str(found[alert_id].operator) for alert_id in wanted[:2]} == {"acknowledged"}
    assert [type(found[alert_id]) for alert_id in wanted[2:]] == [RevisionConflictError, NotFoundError]
    assert kinds(await alerts.events(others[1].alert_id)) == ["fired", "commented"]


async def test_who_acknowledge_the_same_alerts_in_another_order_do_not_hold_each_other_up(store, actions):
    others = [decide(asset_id=f"air.tram-{number}") for number in range(20)]
    await apply(store, *others)
    names = [alert.alert_id for alert in others]
    asked = [{name: ask("acknowledged") for name in order} for order in (names, names[::-1]) * 3]
    results = await asyncio.gather(*(actions.acknowledge_several(wanted) for wanted in asked))
    acted = [result for found in results for result in found.values() if not isinstance(result, RevisionConflictError)]
    assert len(acted) == len(names)


async def test_a_refused_action_leaves_no_trace(alerts, actions):
    for asked in (
        ask("commented", reason="  "),
        ask("resolved"),
        ask("unshelved"),
        ask("shelved", until=at(30)),
        ask("shelved", reason="bảo trì"),
        ask("shelved", reason="bảo trì", until=at(1)),
        ask("shelved", reason="bảo trì", until=at(1) + timedelta(hours=8, seconds=1)),
        ask("fired"),
    ):
        with pytest.raises(RefusedActionError):
            await actions.act(ALERT, asked)
    assert kinds(await alerts.events(ALERT)) == ["fired"]
    with pytest.raises(NotFoundError):
        await actions.act(decide(asset_id="nowhere").alert_id, ask("acknowledged"))


async def test_closing_by_hand_needs_a_reason_and_holds_against_what_still_arrives(store, alerts, actions):
    closed = await actions.act(ALERT, ask("resolved", reason="cảm biến hỏng"))
    assert (closed.operator, closed.ended_at, closed.resolve_reason) == (
        OperatorState.NORMAL, at(1), ResolveReason.MANUAL,
    )  # fmt: skip
    await apply(store, decide(ChangeType.UPDATED, 2, value=99), decide(ChangeType.RESOLVED, 3))
    assert await alerts.get(ALERT) == closed
    await apply(store, decide(ChangeType.FIRED, 9, began=9))
    assert [alert.started_at for alert in await alerts.open_alerts()] == [at(9)]


async def test_a_shelved_alert_follows_the_world_silently_and_comes_back_when_its_time_is_over(store, alerts, actions):
    shelved = await actions.act(ALERT, ask("shelved", reason="bảo trì", until=at(60)))
    assert (shelved.operator, shelved.shelved_until) == (OperatorState.SHELVED, at(60))
    await apply(store, decide(ChangeType.SEVERITY, 5, severity=Severity.CRITICAL))
    assert (await alerts.get(ALERT)).operator is OperatorState.SHELVED
    assert await actions.end_shelves(now=at(59.9)) == 0
    assert await actions.end_shelves(now=at(60)) == 1
    alert = await alerts.get(ALERT)
    assert (alert.operator, alert.shelved_until) == (OperatorState.UNACKNOWLEDGED, None)
    assert alert.severity is Severity.CRITICAL
    events = await alerts.events(ALERT)
    assert kinds(events) == ["fired", "shelved", "severity", "unshelved"]
    assert (events[-1].actor, events[-1].reason) == (None, "expired")
    assert await actions.end_shelves(now=at(61)) == 0


async def test_the_longest_shelf_is_the_deployments(database):
    strict = AlertActions(database, enqueue, longest_shelf=timedelta(minutes=30))
    with pytest.raises(RefusedActionError, match="0:30:00 at most"):
        await strict.act(ALERT, ask("shelved", reason="bảo trì", until=at(31.5)))
    shelved = await strict.act(ALERT, ask("shelved", reason="bảo trì", until=at(31)))
    assert shelved.shelved_until == at(31)


async def test_a_shelved_alert_whose_condition_ended_leaves_the_list_with_the_shelf(store, alerts, actions):
    await actions.act(ALERT, ask("shelved", reason="bảo trì", until=at(60)))
    await apply(store, decide(ChangeType.RESOLVED, 5))
    [alert] = await alerts.open_alerts()
    assert alert.operator is OperatorState.SHELVED
    done = await actions.act(ALERT, ask("unshelved", 3, 6))
    assert done.operator is OperatorState.NORMAL
    assert await alerts.open_alerts() == []


async def test_what_is_minor_and_ended_long_ago_leaves_the_list_by_itself_and_nothing_else_does(store, alerts, actions):
    minor, major = decide(asset_id="air.minor", severity=Severity.MINOR), decide(asset_id="air.major")
    holds = decide(asset_id="air.holds", severity=Severity.MINOR)
    await apply(store, minor, major, holds)
    await apply(
        store,
        decide(ChangeType.RESOLVED, 10, asset_id="air.minor", severity=Severity.MINOR),
        decide(ChangeType.RESOLVED, 10, asset_id="air.major"),
    )
    assert await actions.acknowledge_returned(ended_before=at(9.9), now=at(60)) == 0
    counts = [actions.acknowledge_returned(ended_before=at(10), now=at(60)) for _ in range(3)]
    assert sum(await asyncio.gather(*counts)) == 1
    left = await alerts.get(minor.alert_id)
    assert (left.operator, left.acked_by, left.acked_at) == (OperatorState.NORMAL, None, None)
    last = (await alerts.events(minor.alert_id))[-1]
    assert (last.type, last.actor, last.reason) == (ChangeType.ACKNOWLEDGED, None, "returned")
    assert {alert.asset_id for alert in await alerts.open_alerts()} >= {"air.major", "air.holds"}


async def test_replicas_that_end_the_same_shelves_at_once_end_each_once(store, alerts, actions):
    stations = [f"air.s{number}" for number in range(20)]
    await apply(store, *(decide(asset_id=station) for station in stations))
    for station in stations:
        await actions.act(decide(asset_id=station).alert_id, ask("shelved", reason="bảo trì", until=at(60)))
    counts = await asyncio.gather(*(actions.end_shelves(now=at(60)) for _ in range(4)))
    assert sum(counts) == 20
    for station in stations:
        assert kinds(await alerts.events(decide(asset_id=station).alert_id)) == ["fired", "shelved", "unshelved"]


async def test_operators_and_the_engine_at_once_leave_revisions_without_gaps(store, alerts, actions):
    async def comment(operator: int) -> int:
        done = 0
        for _ in range(10):
            current = await alerts.get(ALERT)
            asked = ask("commented", current.revision, reason="ghi chú", actor=f"operator-{operator}")
            try:
                await actions.act(ALERT, asked)
            except RevisionConflictError:
                continue
            done += 1
        return done

    async def decide_on() -> None:
        for minute in range(1, 11):
            await apply(store, decide(ChangeType.UPDATED, minute, value=80.0 + minute))

    async with asyncio.TaskGroup() as group:
        operators = [group.create_task(comment(operator)) for operator in range(4)]
        group.create_task(decide_on())
    events = await alerts.events(ALERT)
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    assert kinds(events).count("updated") == 10
    assert kinds(events).count("commented") == sum(task.result() for task in operators)
    assert (await alerts.get(ALERT)).value == 90.0
