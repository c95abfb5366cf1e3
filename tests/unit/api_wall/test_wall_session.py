"""The mailbox of one wall: what goes first, what is bounded, and when a wall is too slow."""

from __future__ import annotations

import asyncio
import json

import pytest

from ioc.api.wall import protocol
from ioc.api.wall.channels import RING_EVENTS, LogChannel, StateChannel
from ioc.api.wall.session import MOST_WAITING, Session, SlowWallError
from ioc.storage.accounts import Account

ACCOUNT = Account(name="truc", display_name="", roles=("operator",), department=None, disabled=False)
FIELDS = ("id", "lon", "lat", "q")


class Reader:
    """The other end of a mailbox; it may stop reading."""

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.got = asyncio.Condition()

    async def take(self, text: str) -> None:
        await self.reads.wait()
        async with self.got:
            self.frames.append(json.loads(text))
            self.got.notify_all()

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(5), self.got:
            await self.got.wait_for(lambda: [frame["t"] for frame in self.frames].count(kind) >= count)


@pytest.fixture
def session():
    return Session(ACCOUNT, Reader().take, lambda: 1_000)


def ships(count: int) -> StateChannel:
    channel = StateChannel("map:vessels", FIELDS, epoch=1)
    for number in range(count):
        channel.put(f"vessel.{number}", [f"vessel.{number}", 107.0, 20.9, 0])
    channel.tick(0)
    return channel


def drain(session: Session) -> list[dict]:
    frames = []
    while (text := session.next_frame()) is not None:
        frames.append(json.loads(text))
    return frames


def tick(session: Session, channel: StateChannel, **rows: float) -> None:
    for key, lon_deg in rows.items():
        channel.put(key, [key, lon_deg, 20.9, 0])
    frame = channel.tick(0)
    if frame is not None:
        session.offer(channel, frame)


def test_a_wall_in_step_gets_the_very_frame_that_the_channel_encoded(session):
    channel = ships(3)
    session.follow_state(channel, None)
    drain(session)
    channel.put("vessel.0", ["vessel.0", 107.5, 20.9, 0])
    encoded = channel.tick(0)
    session.offer(channel, encoded)
    assert session.next_frame() is encoded


def test_a_wall_that_was_busy_gets_one_delta_with_the_newest_rows_only(session):
    channel = ships(100)
    session.follow_state(channel, None)
    drain(session)
    for number in range(50):
        tick(session, channel, a=float(number))
    [frame] = drain(session)
    assert (frame["con"], frame["prev"], frame["seq"]) == (True, 1, 51)
    assert frame["set"] == [["a", 49.0, 20.9, 0]]


def test_a_wall_that_missed_more_than_half_gets_the_whole_channel_again(session):
    channel = ships(300)
    session.follow_state(channel, None)
    drain(session)
    for _ in range(2):
        tick(session, channel, **{f"vessel.{number}": float(channel.seq) for number in range(200)})
    [frame] = drain(session)
    assert (frame["t"], frame["why"], len(frame["rows"])) == ("snap", "old", 300)


def test_a_large_channel_comes_in_parts_and_its_deltas_wait_for_the_last(session):
    channel = ships(2_500)
    session.follow_state(channel, None)
    first = json.loads(session.next_frame())
    tick(session, channel, a=1.0)
    rest = drain(session)
    parts = [first, *rest[:-1]]
    assert [(part["part"], part["last"], len(part["rows"])) for part in parts] == [
        (0, False, 1_000), (1, False, 1_000), (2, True, 500),
    ]  # fmt: skip
    assert (rest[-1]["t"], rest[-1]["prev"]) == ("d", 1)


def test_asking_again_and_again_does_not_pile_answers_up(session):
    channel = ships(5_000)
    session.follow_state(channel, None)
    assert json.loads(session.next_frame())["part"] == 0
    for _ in range(200):
        session.restart(channel)
    assert len(drain(session)) == 4 + 5


def test_an_alert_goes_before_state_and_after_answers(session):
    channel, log = ships(2_000), LogChannel("alerts", ("id",))
    log.begin(5, [])
    session.follow_log(log, None)
    drain(session)
    session.follow_state(channel, None)
    log.append(6, {"event_id": 6}, 0)
    session.notice(log)
    session.post(protocol.encode("ok", 0, id=1))
    assert [frame["t"] for frame in drain(session)] == ["ok", "ev", "snap", "snap"]


def test_alerts_that_a_wall_missed_come_before_the_ones_that_are_new(session):
    log = LogChannel("alerts", ("id",))
    log.begin(5, [])
    for number in range(6, 10):
        log.append(number, {"event_id": number}, 0)
    session.follow_log(log, protocol.Resume("journal", 6))
    log.append(10, {"event_id": 10}, 0)
    session.notice(log)
    assert [frame["seq"] for frame in drain(session)] == [7, 8, 9, 10]


def test_a_thousand_alerts_at_once_reach_a_wall_that_reads(session):
    log = LogChannel("alerts", ("id",))
    log.begin(0, [])
    session.follow_log(log, None)
    drain(session)
    for number in range(1, 1_001):
        log.append(number, {"event_id": number}, 0)
    session.notice(log)
    assert [frame["seq"] for frame in drain(session)] == list(range(1, 1_001))


def test_a_wall_that_fell_out_of_the_ring_of_alerts_must_come_again(session):
    log = LogChannel("alerts", ("id",))
    log.begin(0, [])
    session.follow_log(log, None)
    drain(session)
    for number in range(1, RING_EVENTS + 2):
        log.append(number, {}, 0)
    with pytest.raises(SlowWallError):
        session.next_frame()


def test_a_wall_hears_nothing_of_alerts_before_the_journal_was_read(session):
    log = LogChannel("alerts", ("id",))
    session.follow_log(log, None)
    assert drain(session) == []
    log.begin(3, [("a", ["a"])])
    [frame] = drain(session)
    assert (frame["t"], frame["seq"], frame["rows"]) == ("snap", 3, [["a"]])


def test_the_heartbeat_comes_behind_the_state_that_it_counts(session):
    channel = ships(3)
    session.follow_state(channel, None)
    drain(session)
    session.beat(12)
    tick(session, channel, a=1.0)
    delta, beat = drain(session)
    assert (delta["t"], beat["t"], beat["lag_ms"]) == ("d", "hb", 12)
    assert beat["seqs"] == {"map:vessels": delta["seq"]}


def test_the_heartbeat_names_since_when_no_alert_is_judged_only_while_that_is_so(session):
    session.beat(12, 1_796_000_000_000)
    [late] = drain(session)
    session.beat(12, None)
    [well] = drain(session)
    assert late["unjudged_since"] == 1_796_000_000_000
    assert late.keys() - well.keys() == {"unjudged_since"}


def test_too_many_answers_end_the_wall(session):
    for number in range(MOST_WAITING + 1):
        session.post(protocol.encode("ok", 0, id=number))
    with pytest.raises(SlowWallError):
        session.next_frame()


def test_a_wall_resumes_with_one_merged_delta(session):
    channel = ships(100)
    for number in range(5):
        tick(session, channel, a=float(number))
    session.follow_state(channel, protocol.Resume(1, 2))
    [frame] = drain(session)
    assert (frame["t"], frame["resumed"], frame["prev"], frame["seq"], len(frame["set"])) == ("d", True, 2, 6, 1)


@pytest.mark.parametrize(
    ("resume", "why"), [(protocol.Resume(9, 2), "epoch"), (protocol.Resume(1, 99), "old"), (None, None)]
)
def test_a_wall_that_cannot_resume_is_told_why_it_gets_everything(session, resume, why):
    session.follow_state(ships(3), resume)
    [frame] = drain(session)
    assert (frame["t"], frame.get("why"), frame["resumed"]) == ("snap", why, False)


def test_only_the_view_is_sent_and_what_leaves_it_is_taken_away(session):
    channel = ships(3)
    session.follow_state(channel, None, box=protocol.Box(106.9, 20, 107.1, 21))
    [snapshot] = drain(session)
    assert len(snapshot["rows"]) == 3
    tick(session, channel, **{"vessel.0": 108.0, "b": 109.0})
    [frame] = drain(session)
    assert (frame["set"], frame["del"]) == ([], ["vessel.0"])
    session.look_at("map:vessels", protocol.Box(107.5, 20, 108.5, 21))
    [frame] = drain(session)
    assert ([row[0] for row in frame["set"]], frame["del"]) == (["vessel.0"], ["vessel.1", "vessel.2"])


def test_what_vanishes_inside_the_view_is_taken_away(session):
    channel = ships(3)
    session.follow_state(channel, None, box=protocol.Box(106.9, 20, 107.1, 21))
    drain(session)
    channel.drop("vessel.1")
    tick(session, channel)
    [frame] = drain(session)
    assert (frame["set"], frame["del"]) == ([], ["vessel.1"])


def test_a_wall_that_was_behind_twice_stays_in_step(session):
    channel = ships(100)
    session.follow_state(channel, None)
    drain(session)
    at = 1
    for _ in range(2):
        tick(session, channel, a=float(channel.seq))
        tick(session, channel, b=float(channel.seq))
        [frame] = drain(session)
        assert (frame["prev"], frame["con"]) == (at, True)
        at = frame["seq"]


def test_a_row_that_vanishes_while_a_busy_wall_is_served_is_taken_away_with_its_tick(session):
    channel = ships(100)
    session.follow_state(channel, None)
    drain(session)
    tick(session, channel, a=1.0)
    tick(session, channel, b=1.0)
    channel.drop("a")
    [frame] = drain(session)
    assert [row[0] for row in frame["set"]] == ["b"]
    tick(session, channel)
    [frame] = drain(session)
    assert frame["del"] == ["a"]


async def test_a_wall_that_does_not_take_a_frame_in_time_is_too_slow():
    reader = Reader()
    reader.reads.clear()
    session = Session(ACCOUNT, reader.take, lambda: 0, send_deadline_s=0.01)
    session.post("{}")
    with pytest.raises(SlowWallError):
        await session.write()


async def test_the_writer_wakes_for_what_comes_later():
    reader = Reader()
    session = Session(ACCOUNT, reader.take, lambda: 0)
    channel = ships(1)
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(session.write())
        session.follow_state(channel, None)
        await reader.until("snap")
        tick(session, channel, a=1.0)
        await reader.until("d")
        writing.cancel()


def test_a_frame_s_bytes_are_made_once_and_are_its_utf8():
    frame = protocol.encode("ok", 0, id=1, name="Hạ Long")
    assert frame.encode() is frame.encode()
    assert frame.encode() == str(frame).encode("utf-8") == bytes(frame, "utf-8")
    assert json.loads(frame)["name"] == "Hạ Long"
