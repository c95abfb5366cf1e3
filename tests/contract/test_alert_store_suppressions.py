"""The register of suppressions: what is off the list, stays off with its next occurrence, and comes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from alerts.notification.matchers import Matchers
from ioc.domain.alerts import ChangeType, OperatorState, Severity
from ioc.errors import NotFoundError, RefusedActionError, RevisionConflictError
from ioc.storage.outbox import enqueue
from ioc.storage.register import lock_register
from ioc.storage.suppressions import SuppressionStore
from tests.support.alerts import apply, ask, at, decide, kinds

pytestmark = pytest.mark.usefixtures("fired")

ALERT = decide().alert_id
SUPPRESSED, OUT_OF_SERVICE = OperatorState.SUPPRESSED, OperatorState.OUT_OF_SERVICE


@pytest.fixture
def register(database):
    return SuppressionStore(database, enqueue)


async def _add(register, matchers="rule=air-pm25", minute=1.0, until=60.0, *, state=SUPPRESSED, reason="sửa trạm"):
    row = await register.add(
        Matchers.parse(matchers), state=state, ends_at=at(until), author="giang", reason=reason, now=at(minute)
    )
    return row["suppression_id"]


async def _states(alerts) -> dict[str, str]:
    return {str(alert.asset_id): alert.operator.value for alert in await alerts.open_alerts()}


async def test_an_entry_holds_what_is_open_and_what_opens_later_and_gives_back_what_still_holds(
    store, alerts, register
):
    await apply(store, decide(asset_id="air.other", rule_id="other"))
    number = await _add(register, state=OUT_OF_SERVICE)
    assert await _states(alerts) == {"air.hong-gai": "out_of_service", "air.other": "unacknowledged"}
    held = await alerts.get(ALERT)
    assert (held.suppression_id, held.suppressed_until) == (number, at(60))
    # The occurrence ends: nobody is asked. The next one of the same condition opens off the list.
    await apply(store, decide(ChangeType.RESOLVED, 5))
    over = await alerts.get(ALERT)
    assert (over.operator, over.suppression_id, over.is_open) == (OperatorState.NORMAL, None, False)
    following = decide(minute=9, began=9)
    await apply(store, following)
    opened = await alerts.get(following.alert_id)
    assert (opened.revision, opened.operator, opened.suppression_id) == (1, OUT_OF_SERVICE, number)
    assert (await register.entry(number))["held_count"] == 1
    ended = await register.end(number, actor="minh", reason="đã sửa", now=at(20))
    assert (ended["ended_at"], ended["ended_by"], ended["end_reason"], ended["ends_at"], ended["held_count"]) == (
        at(20), "minh", "đã sửa", at(60), 0,
    )  # fmt: skip
    back = await alerts.get(following.alert_id)
    assert (back.operator, back.suppression_id, back.suppressed_until) == (OperatorState.UNACKNOWLEDGED, None, None)
    told = [(event.type.value, event.actor, event.reason) for event in await alerts.events(following.alert_id)]
    assert told == [("fired", None, None), ("returned", "minh", "đã sửa")]
    assert kinds(await alerts.events(ALERT)) == ["fired", "out_of_service", "resolved"]
    # What has ended stays as it was ended, and holds nothing any more.
    assert await register.end(number, actor="lan", reason="lần nữa", now=at(21)) == ended
    assert await register.entries(with_ended=False) == []
    with pytest.raises(NotFoundError):
        await register.end(ALERT, actor="lan", reason="không có", now=at(21))


async def test_time_ends_an_entry_once_however_many_replicas_look(store, alerts, register):
    await _add(register, until=60)
    assert await register.end_due(now=at(59.9)) == 0
    assert sum(await asyncio.gather(*(register.end_due(now=at(60)) for _ in range(4)))) == 1
    assert await _states(alerts) == {"air.hong-gai": "unacknowledged"}
    last = (await alerts.events(ALERT))[-1]
    assert (last.type, last.actor, last.reason, last.at) == (ChangeType.RETURNED, None, "expired", at(60))
    [entry] = await register.entries(with_ended=True)
    assert (entry["ended_by"], entry["end_reason"]) == (None, "expired")


async def test_of_several_entries_the_newest_decides_and_the_older_one_takes_over_when_it_ends(alerts, register):
    older = await _add(register, minute=1, until=90)
    newer = await _add(register, "asset=air.hong-gai", minute=2, state=OUT_OF_SERVICE)
    assert (await alerts.get(ALERT)).suppression_id == newer
    await register.end(newer, actor="minh", reason="đã sửa", now=at(3))
    alert = await alerts.get(ALERT)
    assert (alert.operator, alert.suppression_id, alert.suppressed_until) == (SUPPRESSED, older, at(90))
    await register.end(older, actor="minh", reason="xong", now=at(4))
    assert await _states(alerts) == {"air.hong-gai": "unacknowledged"}
    assert kinds(await alerts.events(ALERT)) == ["fired", "suppressed", "out_of_service", "suppressed", "returned"]


async def test_what_becomes_more_severe_than_its_entry_says_asks_for_attention(store, alerts, actions, register):
    await apply(store, decide(asset_id="air.by-hand"))
    await _add(register, "severity!=critical")
    assert set((await _states(alerts)).values()) == {"suppressed"}
    await apply(store, decide(ChangeType.SEVERITY, 2, severity=Severity.CRITICAL))
    assert await _states(alerts) == {"air.hong-gai": "unacknowledged", "air.by-hand": "suppressed"}
    other = decide(asset_id="air.by-hand").alert_id
    raised = await actions.act(other, ask("severity_set", 2, 3, reason="người dân báo", severity=Severity.CRITICAL))
    assert (raised.operator, raised.suppression_id) == (OperatorState.UNACKNOWLEDGED, None)


async def test_one_alert_is_taken_off_with_its_condition_alone_and_given_back(store, alerts, register):
    await apply(store, decide(asset_id="air.uong-bi"))
    asked = ask("suppressed", reason="sửa trạm", until=at(60 * 24))
    held = await register.hold_alert(ALERT, asked)
    assert (held.operator, held.suppressed_until, held.revision) == (SUPPRESSED, at(60 * 24), 2)
    assert await _states(alerts) == {"air.hong-gai": "suppressed", "air.uong-bi": "unacknowledged"}
    [entry] = await register.entries(with_ended=False)
    assert entry["matchers"] == "rule=air-pm25 asset_id=air.hong-gai rule_id=air-pm25"
    with pytest.raises(RevisionConflictError) as late:
        await register.return_alert(ALERT, ask("returned", 1, reason="đã sửa"))
    assert late.value.current == held
    back = await register.return_alert(ALERT, ask("returned", 2, 3, reason="đã sửa"))
    assert (back.operator, back.suppression_id) == (OperatorState.UNACKNOWLEDGED, None)
    # An entry that holds others as well is no one alert's to end.
    wide = await _add(register, "feed=air", minute=4)
    await register.hold_alert(ALERT, ask("out_of_service", 4, 5, reason="cảm biến hỏng", until=at(60)))
    with pytest.raises(RefusedActionError) as refused:
        await register.return_alert(ALERT, ask("returned", 5, 6, reason="đã sửa"))
    assert (refused.value.code, refused.value.suppression_id) == ("held_with_others", str(wide))
    assert (await alerts.get(ALERT)).operator is OUT_OF_SERVICE


async def test_what_moves_away_from_its_entry_asks_for_attention_or_goes_under_another(store, alerts, register):
    await apply(store, decide(asset_id="air.other"))
    await _add(register, "unit=06652")
    second = await _add(register, "unit=06655", state=OUT_OF_SERVICE, minute=2)
    await apply(store, decide(ChangeType.UPDATED, 3, unit_code="06811"))
    await apply(store, decide(ChangeType.RECOVERING, 3, asset_id="air.other", unit_code="06655"))
    assert await _states(alerts) == {"air.hong-gai": "unacknowledged", "air.other": "out_of_service"}
    assert (await alerts.get(decide(asset_id="air.other").alert_id)).suppression_id == second


async def test_what_moved_away_from_its_entry_before_that_was_noticed_is_not_given_back_alone(
    database, store, register
):
    number = await _add(register, "unit=06652")
    async with database.connection() as connection:
        await connection.execute("UPDATE alert SET unit_code = '06811'")
    with pytest.raises(RefusedActionError, match=str(number)) as refused:
        await register.return_alert(ALERT, ask("returned", 2, 3, reason="đã sửa"))
    assert refused.value.code == "held_with_others"


async def test_what_cannot_be_is_refused_and_leaves_no_trace(store, alerts, register):
    longest = at(1) + timedelta(days=90)
    shadow = decide(asset_id="air.shadow", shadow=True)
    over = decide(asset_id="air.over")
    await apply(store, shadow, over, decide(ChangeType.RESOLVED, 0.5, asset_id="air.over"))
    for alert_id, asked, code in (
        (ALERT, ask("suppressed", reason=" ", until=longest), "reason_required"),
        (ALERT, ask("suppressed", reason="x"), "until_required"),
        (ALERT, ask("suppressed", reason="x", until=at(1)), "until_required"),
        (ALERT, ask("suppressed", reason="x", until=longest + timedelta(seconds=1)), "until_too_late"),
        (shadow.alert_id, ask("suppressed", reason="x", until=longest), "shadow"),
        (over.alert_id, ask("suppressed", 2, reason="x", until=longest), "condition_over"),
    ):
        with pytest.raises(RefusedActionError) as refused:
            await register.hold_alert(alert_id, asked)
        assert refused.value.code == code
    with pytest.raises(RefusedActionError) as refused:
        await register.return_alert(ALERT, ask("returned", reason="x"))
    assert refused.value.code == "not_suppressed"
    with pytest.raises(NotFoundError):
        await register.hold_alert(decide(asset_id="nowhere").alert_id, ask("suppressed", reason="x", until=longest))
    assert await register.entries(with_ended=True) == []
    assert kinds(await alerts.events(ALERT)) == ["fired"]


async def test_a_shelf_gives_way_to_an_entry_and_one_that_ends_under_an_entry_leads_there(
    store, alerts, actions, register
):
    until = at(30)
    await apply(store, decide(asset_id="air.later"))
    later = decide(asset_id="air.later").alert_id
    await actions.act(ALERT, ask("shelved", reason="bảo trì", until=until))
    number = await _add(register)
    held = await alerts.get(ALERT)
    assert (held.operator, held.shelved_until) == (SUPPRESSED, None)
    shelved = await actions.act(later, ask("shelved", 2, 2, reason="bảo trì", until=until))
    assert (shelved.operator, shelved.suppression_id) == (OperatorState.SHELVED, None)
    assert await actions.end_shelves(now=until) == 1
    back = await alerts.get(later)
    assert (back.operator, back.suppression_id, back.shelved_until) == (SUPPRESSED, number, None)


async def test_a_rule_that_leaves_the_shadow_does_not_pass_the_register_by(store, alerts, register):
    change = decide(asset_id="air.draft", shadow=True)
    await apply(store, change)
    number = await _add(register)
    assert (await alerts.get(change.alert_id)).suppression_id is None
    await apply(store, decide(ChangeType.UPDATED, 5, asset_id="air.draft", value=99))
    live = await alerts.get(change.alert_id)
    assert (live.operator, live.suppression_id, live.shadow) == (SUPPRESSED, number, False)
    # Back in the shadow while it is held: when the hold ends, it is still on nobody's list.
    await apply(store, decide(ChangeType.UPDATED, 6, asset_id="air.draft", value=100, shadow=True))
    await register.end(number, actor="minh", reason="xong", now=at(7))
    draft = await alerts.get(change.alert_id)
    assert (draft.operator, draft.suppression_id, draft.shadow) == (SUPPRESSED, None, True)


async def test_no_alert_slips_past_an_entry_that_is_made_at_the_same_time(store, alerts, register):
    stations = [f"air.s{number:02}" for number in range(12)]
    opening = [apply(store, decide(asset_id=station, minute=1)) for station in stations]
    await asyncio.gather(*opening[:6], _add(register), *opening[6:])
    assert set((await _states(alerts)).values()) == {"suppressed"}
    ending = [apply(store, decide(asset_id=f"{station}b", minute=2)) for station in stations]
    [entry] = await register.entries(with_ended=False)
    await asyncio.gather(
        *ending[:6], register.end(entry["suppression_id"], actor="minh", reason="xong", now=at(3)), *ending[6:]
    )
    assert set((await _states(alerts)).values()) == {"unacknowledged"}


async def test_only_a_batch_that_may_open_an_alert_asks_the_register(database, store, alerts):
    async with database.transaction() as holder:
        await lock_register(holder)
        # These pass by somebody who has the register alone; a batch that opens an alert waits.
        await asyncio.wait_for(apply(store, decide(ChangeType.UPDATED, 2, value=99)), timeout=20)
        await asyncio.wait_for(apply(store, decide(ChangeType.RESOLVED, 3)), timeout=20)
        opening = asyncio.create_task(apply(store, decide(minute=4, began=4)))
        async with asyncio.timeout(20), database.connection() as watcher:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while (await (await watcher.execute(waiting)).fetchone()) == (0,):
                assert not opening.done()
    await asyncio.wait_for(opening, timeout=20)
    assert len(await alerts.open_alerts()) == 2
