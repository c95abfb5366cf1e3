"""The wall's socket over real parts: uvicorn, the event log, PostgreSQL, and a client that checks every frame."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from ioc.api.wall.conversation import ASK_BEFORE, TRUST
from ioc.api.wall.endpoint import HELLO_DEADLINE_S, MOST_SOCKETS_A_USER
from ioc.bootstrap.processing import make_worker
from ioc.domain.alerts import ChangeType
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Directive, VesselPosition
from ioc.ports import Topic
from tests.support.alerts import apply, decide
from tests.support.feeds import SteppedClock
from tests.support.tasks import running
from tests.support.wall_live import WallClient, open_wall, prepare


@pytest.fixture
async def wall(tmp_path, plain_postgres_url, fresh_database):
    async with open_wall(tmp_path, await fresh_database(plain_postgres_url, prepare=prepare)) as wall:
        await wall.add_person()
        yield wall


def vessel(number: int, *, at: datetime | None = None, lon_deg: float = 107.06, sog_kn: float = 6.0) -> Event:
    at = at or datetime.now(UTC)
    asset_id = f"vessel.5740{number:05}"
    return Event(
        event_id=event_id("vessels", asset_id, at, "vessel.position"), feed_id="vessels", asset_id=asset_id,
        observed_at=at, received_at=at, data=VesselPosition(sog_kn=sog_kn, cog_deg=90.0, name=f"Hạ Long {number}"),
        lon_deg=lon_deg, lat_deg=20.86,
    )  # fmt: skip


async def test_a_wall_gets_a_vessel_that_was_stored_before_and_one_that_comes_later(wall):
    async with wall.store.begin("process") as transaction:
        await transaction.record([vessel(1)])
    async with wall.client() as client:
        welcome = client.frames[0]
        assert (welcome["t"], welcome["user"], welcome["roles"], welcome["hb"]) == ("welcome", "truc", ["operator"], 10)
        await client.follow("map:vessels")
        await client.until(lambda: "vessel.574000001" in client.rows["map:vessels"])
        await wall.base.log.append(Topic.EVENTS, [vessel(2)])
        await client.until(lambda: "vessel.574000002" in client.rows["map:vessels"])
        row = client.rows["map:vessels"]["vessel.574000002"]
        assert (row["name"], row["sog_kn"], row["lon"], row["q"]) == ("Hạ Long 2", 6.0, 107.06, 0)
        assert row["zone"] is not None


async def test_a_wall_hears_that_no_alert_is_judged_until_the_worker_has_caught_up(wall):
    judging = wall.api.hub.judging
    async with wall.client() as client:
        await client.follow("map:vessels")
        async with running(make_worker(wall.base).run()):
            await wall.base.log.append(Topic.EVENTS, [vessel(1)])
            await client.until(lambda: "vessel.574000001" in client.rows["map:vessels"])
            await client.until(lambda: client.has("hb"))
            assert judging.describe() == "alerts are judged"
        stopped_at = datetime.now(UTC)
        await wall.base.log.append(Topic.EVENTS, [vessel(2)])
        await client.until(lambda: "unjudged_since" in client.find("hb")[-1], deadline_s=120)
        assert datetime.fromtimestamp(client.find("hb")[-1]["unjudged_since"] / 1000, UTC) >= stopped_at
        assert judging.describe().startswith("alerts have not been judged since ")
        async with running(make_worker(wall.base).run()):
            await client.until(lambda: "unjudged_since" not in client.find("hb")[-1], deadline_s=60)


async def test_every_alert_event_reaches_the_wall_once_and_in_order(wall):
    await apply(wall.store, decide(asset_id="air.before"))
    async with wall.client() as client:
        await client.follow("alerts")
        assert [row["asset_id"] for row in client.rows["alerts"].values()] == ["air.before"]
        for number in range(30):
            await apply(
                wall.store,
                decide(asset_id=f"air.{number}"),
                decide(ChangeType.UPDATED, 1, asset_id=f"air.{number}", value=99),
            )
        await client.until(lambda: len(client.events) >= 60)
        ids = [event["event_id"] for event in client.events]
        assert ids == sorted(set(ids))
        assert len(client.rows["alerts"]) == 31


async def test_what_goes_on_trial_while_a_wall_shows_it_leaves_the_wall_with_its_end(wall):
    await apply(wall.store, decide(), decide(asset_id="air.trial", shadow=True))
    async with wall.client() as client:
        await client.follow("alerts")
        await client.follow("kpi:province")
        await client.until(lambda: client.rows["kpi:province"].get("kpi.alerts_open", {}).get("value") == 1)
        await apply(wall.store, decide(ChangeType.UPDATED, 1, shadow=True))
        await client.until(lambda: client.rows["kpi:province"]["kpi.alerts_open"]["value"] == 0)
        assert [row["operator"] for row in client.rows["alerts"].values()] == ["suppressed"]
        await apply(wall.store, decide(ChangeType.RESOLVED, 2, shadow=True))
        await client.until(lambda: not client.rows["alerts"])
        assert len(client.events) == 2


async def test_a_forced_gap_gives_exactly_one_snapshot_and_the_picture_is_whole(wall):
    async with wall.client() as client:
        await client.follow("map:vessels")
        await client.send("resync", ch="map:vessels")
        await client.until(lambda: client.has("snap", ch="map:vessels", why="old"))
        await wall.base.log.append(Topic.EVENTS, [vessel(1)])
        await client.until(lambda: "vessel.574000001" in client.rows["map:vessels"])
        assert len(client.find("snap", ch="map:vessels", why="old")) == 1


async def test_a_wall_resumes_state_and_alerts_on_a_new_connection_without_losing_an_event(wall):
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client() as first:
        await first.follow("alerts")
        await first.follow("map:vessels")
    for number in range(1, 9):
        await apply(wall.store, decide(asset_id=f"air.{number}"))
    async with wall.client() as second:
        second.at, second.rows, second.fields = first.at, first.rows, first.fields
        await second.send("sub", ch="alerts", resume=_place(first, "alerts"))
        await second.follow("map:vessels", resume=_place(first, "map:vessels"))
        await second.until(lambda: len(second.rows["alerts"]) == 9)
        assert not second.has("snap", ch="alerts")
        assert [event["alert"]["asset_id"] for event in second.events] == [f"air.{number}" for number in range(1, 9)]


async def test_alerts_resume_in_another_process(tmp_path, plain_postgres_url, fresh_database):
    address = await fresh_database(plain_postgres_url, prepare=prepare)
    async with open_wall(tmp_path, address) as wall:
        await wall.add_person()
        await apply(wall.store, decide(asset_id="air.0"))
        async with wall.client() as first:
            await first.follow("alerts")
            await first.follow("map:vessels")
        await apply(wall.store, decide(asset_id="air.1"))
    async with open_wall(tmp_path, address) as wall, wall.client() as second:
        second.at, second.rows, second.fields = first.at, first.rows, first.fields
        await second.send("sub", ch="alerts", resume=_place(first, "alerts"))
        await second.until(lambda: len(second.events) == 1)
        assert second.events[0]["alert"]["asset_id"] == "air.1"
        await second.send("sub", ch="map:vessels", resume=_place(first, "map:vessels"))
        await second.until(lambda: second.has("snap", ch="map:vessels", why="epoch"))


async def test_two_operators_acknowledge_one_version_and_one_of_them_is_told_of_the_conflict(wall):
    await wall.add_person("ban")
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client() as one, wall.client("ban") as two:
        for client in (one, two):
            await client.follow("alerts")
        [alert] = one.rows["alerts"].values()
        for client in (one, two):
            await client.send("ack", cid=f"c-{id(client)}", alert=alert["id"], ver=alert["rev"])
        for client in (one, two):
            await client.until(lambda client=client: len(client.events) == 1)
            await client.until(lambda client=client: len(client.find("ok")) + len(client.find("err")) == 2)
        errors = one.find("err") + two.find("err")
        assert [error["code"] for error in errors] == ["revision_conflict"]
        assert errors[0]["current"]["rev"] == alert["rev"] + 1
        # The same request again is answered as before and writes nothing.
        winner = one if not one.has("err") else two
        await winner.send("ack", cid=f"c-{id(winner)}", alert=alert["id"], ver=alert["rev"])
        await winner.until(lambda: len(winner.find("ok")) == 3)
        assert len(await wall.api.alerts.events_after(0)) == 2


async def test_a_kiosk_may_watch_and_may_not_act(wall):
    await wall.add_person("kiosk", "kiosk")
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client("kiosk") as client:
        await client.follow("alerts")
        [alert] = client.rows["alerts"].values()
        await client.send("ack", cid="c", alert=alert["id"], ver=alert["rev"])
        await client.until(lambda: client.has("err", code="forbidden"))
    assert len(await wall.api.alerts.events_after(0)) == 1


async def test_a_shelved_alert_stays_on_the_list_and_can_come_back(wall):
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client() as client:
        await client.follow("alerts")
        [alert] = client.rows["alerts"].values()
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        await client.send("shelve", cid="s", alert=alert["id"], ver=alert["rev"], until=until, reason="bảo trì trạm")
        await client.until(lambda: bool(client.events))
        [alert] = client.rows["alerts"].values()
        assert (alert["operator"], client.events[0]["reason"]) == ("shelved", "bảo trì trạm")
        await client.send("unshelve", cid="u", alert=alert["id"], ver=alert["rev"])
        await client.until(lambda: len(client.events) == 2)
        assert [event["type"] for event in client.events] == ["shelved", "unshelved"]


REFUSED = [
    ({"t": "sub", "ch": "map:ghosts"}, "unknown_channel"),
    ({"t": "resync", "ch": "feeds"}, "not_subscribed"),
    ({"t": "view", "ch": "map:vessels", "bbox": [106, 20, 108, 22]}, "not_subscribed"),
    ({"t": "view", "ch": "feeds", "bbox": [106, 20, 108, 22]}, "unsupported"),
    ({"t": "sub", "ch": "alerts", "bbox": [106, 20, 108, 22]}, "unsupported"),
    ({"t": "sub", "ch": "feeds", "rate": 2}, "unsupported"),
    ({"t": "hist", "ch": "series:x/y"}, "unsupported"),
    ({"t": "play", "speed": 8}, "unsupported"),
    ({"t": "refresh", "token": "used"}, "signed_out"),
    ({"t": "ack", "cid": "c", "alert": "no-uuid", "ver": 1}, "not_found"),
    ({"t": "hello", "token": "again"}, "unexpected"),
]


async def test_a_frame_that_cannot_be_fulfilled_is_refused_and_the_wall_goes_on(wall):
    async with wall.client() as client:
        for frame, code in REFUSED:
            refused_count = len(client.find("err"))
            number = await client.send(frame["t"], **{key: value for key, value in frame.items() if key != "t"})
            await client.until(lambda count=refused_count: len(client.find("err")) > count)
            error = client.find("err")[-1]
            assert (error["code"], error.get("id")) == (code, None if frame["t"] == "hello" else number), frame
        await client.send("ping")
        await client.until(lambda: client.has("ok"))


async def test_ids_must_grow(wall):
    async with wall.client() as client:
        await client.send("ping")
        await client.socket.send('{"t":"ping","id":1}')
        await client.until(lambda: client.has("err", code="id_order"))


NO_FRAMES = [
    "", "{", "null", "[]", '{"t":"drop tables","id":1}', '{"t":"sub","id":-1,"ch":"feeds"}',
    '{"t":"sub","ch":"feeds"}', '{"t":"sub","id":1e400,"ch":"feeds"}', '{"t":"ping","id":NaN}', "[" * 8_000,
    '{"t":"sub","id":1,"ch":"' + "x" * 5_000 + '"}', '{"t":"view","id":1,"ch":"map:vessels","bbox":[0,0,999,0]}',
    '{"t":"shelve","id":-1,"cid":"c","alert":"a","ver":1,"until":"2026-11-23T09:00:00","reason":"no offset"}',
    '{"t":"ack","id":1,"cid":"c","alert":"a","ver":1,"note":"a\\u0000b"}', '{"t":"sub","id":1,"ch":"\\ud800"}',
    b"\x00\x01",
]  # fmt: skip


async def test_what_is_no_frame_ends_the_connection_with_4400_and_no_other(wall):
    async with wall.client() as bystander:
        for text in NO_FRAMES:
            async with wall.client() as client:
                await client.socket.send(text)
                with pytest.raises(ConnectionClosed):
                    await client.until(lambda: False)
                assert client.socket.close_code == 4400, text
                [bye] = client.find("bye", code=4400)
                assert bye["msg"].startswith(client.socket.close_reason)
                assert client.socket.close_reason
        await bystander.send("ping")
        await bystander.until(lambda: bystander.has("ok"))


SHELF = {"t": "shelve", "cid": "c", "ver": 1, "until": "2026-11-23T09:00:00+07:00", "reason": "bảo trì"}
CLUMSY = [
    ({**SHELF, "until": "2026-11-23T09:00:00"}, "timezone"),
    ({**SHELF, "until": "tomorrow"}, "until"),
    ({name: value for name, value in SHELF.items() if name != "until"}, "until"),
    ({**SHELF, "reason": None}, "reason"),
    ({"t": "ack", "cid": None, "ver": 1}, "cid"),
    ({"t": "ack", "cid": "c", "ver": 1, "note": "x" * 3_000, "fault": 7}, "note"),
    ({"t": "unshelve", "cid": "c", "ver": "one"}, "ver"),
]


async def test_an_action_with_a_clumsy_value_is_told_what_is_wrong_and_the_wall_goes_on(wall):
    await apply(wall.store, decide(asset_id="air.0"))
    [alert] = await wall.api.alerts.open_alerts()
    async with wall.client() as client:
        for frame, named in CLUMSY:
            fields = {name: value for name, value in frame.items() if name != "t"}
            number = await client.send(frame["t"], alert=str(alert.alert_id), **fields)
            await client.until(lambda number=number: client.has("err", id=number))
            [error] = client.find("err", id=number)
            assert (error["code"], error["retry"]) == ("invalid", False)
            assert named in error["msg"]
        await client.send("ping")
        await client.until(lambda: client.has("ok"))
    assert len(await wall.api.alerts.events_after(0)) == 1


async def test_a_cid_that_was_used_for_something_else_is_refused_as_over_rest(wall):
    await apply(wall.store, decide(asset_id="air.0"))
    [alert] = await wall.api.alerts.open_alerts()
    async with wall.client() as client:
        acted = {"cid": "c", "alert": str(alert.alert_id), "ver": alert.revision}
        await client.send("ack", **acted)
        await client.until(lambda: client.has("ok"))
        number = await client.send("ack", **acted, note="another body")
        await client.until(lambda: client.has("err", id=number))
        assert client.find("err", id=number)[0]["code"] == "idempotency_key_reused"


async def test_a_frame_above_the_limit_ends_the_connection(wall):
    async with wall.client() as client:
        await client.socket.send('{"t":"ping","id":1,"x":"' + "x" * 17_000 + '"}')
        with pytest.raises(ConnectionClosed):
            await client.until(lambda: False)
        assert client.socket.close_code == 1009


async def test_a_ticket_opens_one_socket_only(wall):
    token = await wall.ticket()
    async with WallClient.connected(wall.url, token):
        pass
    for bad in (token, "", "x" * 200):
        with pytest.raises(ConnectionClosed) as closed:
            async with WallClient.connected(wall.url, bad):
                pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_a_wall_that_does_not_greet_with_hello_is_sent_away(wall):
    async with connect(wall.url, subprotocols=[Subprotocol("qnioc.v1.json")]) as socket:
        await socket.send('{"t":"ping","id":1}')
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 4400


async def test_a_wall_that_says_nothing_is_sent_away_in_time(wall):
    async with connect(wall.url, subprotocols=[Subprotocol("qnioc.v1.json")]) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), HELLO_DEADLINE_S + 5)
        assert socket.close_code == 4408


async def test_a_wall_proves_itself_again_and_is_signed_out_when_it_does_not(
    tmp_path, plain_postgres_url, fresh_database
):
    clock = SteppedClock(datetime.now(UTC))
    address = await fresh_database(plain_postgres_url, prepare=prepare)
    async with open_wall(tmp_path, address, clock=clock) as wall:
        await wall.add_person()
        async with wall.client() as client:
            await clock.step(TRUST - ASK_BEFORE)
            await client.until(lambda: client.has("auth"))
            await client.send("refresh", token=await wall.ticket())
            await client.until(lambda: client.has("ok"))
            await clock.step(ASK_BEFORE)
            await clock.step(TRUST - 2 * ASK_BEFORE)
            await client.until(lambda: len(client.find("auth")) == 2)
            await clock.step(ASK_BEFORE)
            with pytest.raises(ConnectionClosed):
                await client.until(lambda: False)
            assert client.socket.close_code == 4401


async def test_a_role_that_was_taken_away_is_gone_with_the_next_proof(tmp_path, plain_postgres_url, fresh_database):
    clock = SteppedClock(datetime.now(UTC))
    address = await fresh_database(plain_postgres_url, prepare=prepare)
    async with open_wall(tmp_path, address, clock=clock) as wall:
        await wall.add_person()
        await apply(wall.store, decide(asset_id="air.0"))
        async with wall.client() as client:
            await wall.add_person("truc", "viewer")
            await client.send("refresh", token=await wall.ticket())
            await client.until(lambda: client.has("ok"))
            [alert] = await wall.api.alerts.open_alerts()
            await client.send("ack", cid="c", alert=str(alert.alert_id), ver=alert.revision)
            await client.until(lambda: client.has("err", code="forbidden"))


LOCKED_OUT = {
    "the account is disabled": (lambda wall: wall.api.accounts.set_disabled("truc", disabled=True), "signed_out", 4401),
    "disabled and enabled again": (lambda wall: _disable_and_enable(wall), "signed_out", 4401),
    "the roles are set anew": (lambda wall: wall.add_person("truc", "viewer"), "signed_out", 4401),
    "the sessions have ended": (lambda wall: _change(wall, "DELETE FROM session"), "signed_out", 4401),
    "there is no role": (lambda wall: _change(wall, "UPDATE account SET roles = '{none}'"), "forbidden", 4403),
}


@pytest.mark.parametrize("how", LOCKED_OUT)
async def test_who_is_locked_out_changes_nothing_over_a_socket_that_was_open_before(wall, how):
    lock_out, code, close_code = LOCKED_OUT[how]
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client() as client:
        [alert] = await wall.api.alerts.open_alerts()
        await lock_out(wall)
        number = await client.send("ack", cid="c", alert=str(alert.alert_id), ver=alert.revision)
        with pytest.raises(ConnectionClosed):
            await client.until(lambda: False)
        assert [(error["id"], error["code"]) for error in client.find("err")] == [(number, code)]
        assert client.has("bye", code=close_code)
        assert client.socket.close_code == close_code
    assert len(await wall.api.alerts.events_after(0)) == 1


async def test_who_may_watch_only_from_now_on_is_refused_at_the_next_action_and_goes_on_watching(wall):
    await apply(wall.store, decide(asset_id="air.0"))
    async with wall.client() as client:
        [alert] = await wall.api.alerts.open_alerts()
        await _change(wall, "UPDATE account SET roles = '{viewer}'")
        await client.send("ack", cid="c", alert=str(alert.alert_id), ver=alert.revision)
        await client.until(lambda: client.has("err", code="forbidden"))
        await client.send("ping")
        await client.until(lambda: client.has("ok"))
    assert len(await wall.api.alerts.events_after(0)) == 1


async def _disable_and_enable(wall):
    await wall.api.accounts.set_disabled("truc", disabled=True)
    await wall.api.accounts.set_disabled("truc", disabled=False)


async def _change(wall, statement):
    async with wall.base.database.connection() as connection:
        await connection.execute(statement)


async def test_another_protocol_is_refused(wall):
    async with connect(wall.url, subprotocols=[Subprotocol("mqtt")]) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 4406


@pytest.mark.parametrize(("suffix", "origin"), [("", "https://elsewhere.example"), ("", "null"), ("?token=abc", None)])
async def test_a_foreign_page_and_a_token_in_the_address_are_refused_before_the_upgrade(wall, suffix, origin):
    with pytest.raises(InvalidStatus) as refused:
        async with connect(wall.url + suffix, subprotocols=[Subprotocol("qnioc.v1.json")], origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_our_own_page_may_open_the_socket(wall):
    async with wall.client(origin=f"http://127.0.0.1:{wall.port}") as client:
        assert client.has("welcome")


async def test_too_many_walls_of_one_person_are_told_to_wait(wall):
    async with AsyncExitStack() as stack:
        for _ in range(MOST_SOCKETS_A_USER):
            await stack.enter_async_context(wall.client())
        with pytest.raises(ConnectionClosed) as closed:
            await stack.enter_async_context(wall.client())
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4429
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wall.client())


async def test_too_many_frames_are_refused_one_by_one(wall):
    async with wall.client() as client:
        for _ in range(90):
            await client.send("ping")
        await client.until(lambda: client.has("err", code="rate"))
        assert len(client.find("ok")) >= 60


async def test_feeds_and_figures_are_there_without_any_event(wall):
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    status = {
        "feed_id": "air", "state": "live", "last_at": now_ms, "received_at": now_ms, "rate_per_min": 12.0,
        "expected_period_s": 300.0, "assets": 12, "dead_letters": 0,
    }  # fmt: skip
    await wall.statuses.report([status, {**status, "feed_id": "vessels", "received_at": now_ms - 10**7}])
    async with wall.client() as client:
        await client.follow("feeds")
        await client.follow("kpi:province")
        await client.until(lambda: len(client.rows["feeds"]) == 2)
        assert {row["id"]: row["state"] for row in client.rows["feeds"].values()} == {"air": "live", "vessels": "lost"}
        await client.until(lambda: client.rows["kpi:province"]["kpi.feeds_fresh_pct"]["value"] == 50.0)
        wanted = {definition.indicator_id for definition in wall.api.hub.board.definitions}
        assert set(client.rows["kpi:province"]) == wanted
        assert len(wanted) == 21


async def test_after_a_restart_the_figures_count_what_was_said_long_ago(tmp_path, plain_postgres_url, fresh_database):
    def task(number: int, *, days_ago: int) -> Event:
        at, asset_id = datetime.now(UTC) - timedelta(days=days_ago), f"directive.{number}"
        return Event(
            event_id=event_id("registers", asset_id, at, Directive.KIND), feed_id="registers", asset_id=asset_id,
            observed_at=at, received_at=at, data=Directive(owner="x", status="done", due_on=at.date()),
        )  # fmt: skip

    url = await fresh_database(plain_postgres_url, prepare=prepare)
    async with open_wall(tmp_path, url) as first, first.store.begin("process") as transaction:
        await transaction.record([task(1, days_ago=1), task(2, days_ago=8), task(3, days_ago=60)])
    async with open_wall(tmp_path, url) as wall:
        await wall.add_person()
        async with wall.client() as client:
            await client.follow("kpi:province")
            done = client.rows["kpi:province"]
            await client.until(lambda: done.get("kpi.tasks_done", {}).get("value") is not None)
            assert (done["kpi.tasks_done"]["value"], done["kpi.tasks_done"]["q"]) == (3, 0)


async def test_a_heartbeat_comes_with_the_numbers_that_the_wall_has(wall):
    async with wall.client() as client:
        await client.follow("map:vessels")
        await client.follow("kpi:province")
        await client.until(lambda: client.has("hb"))
        [beat] = client.find("hb")
        assert beat["seqs"] == {channel: seq for channel, (_, seq) in client.at.items()}


async def test_a_wall_that_stalls_is_closed_and_the_others_never_notice(wall):
    """The stalled wall reads nothing at all while large deltas are due: it is cut off, the other one stays in step."""
    async with wall.client() as healthy, wall.client(max_queue=1) as stalled:
        await healthy.follow("map:vessels")
        await stalled.send("sub", ch="map:vessels")
        stalled.socket.transport.pause_reading()
        async with asyncio.timeout(90):
            while wall.api.hub.session_count == 2:
                fleet = [vessel(number, lon_deg=107 + number / 10**5) for number in range(4_000)]
                await wall.base.log.append(Topic.EVENTS, fleet)
                await healthy.until(lambda last=fleet[-1]: _shows(healthy, last))
        assert not healthy.find("d", con=True)
        assert len(healthy.find("snap", ch="map:vessels", part=0)) == 1


def _shows(client: WallClient, event: Event) -> bool:
    row = client.rows["map:vessels"].get(event.asset_id)
    return row is not None and row["at"] == round(event.observed_at.timestamp() * 1000)


def _place(client: WallClient, channel: str) -> dict[str, object]:
    epoch, seq = client.at[channel]
    return {"epoch": epoch, "seq": seq}
