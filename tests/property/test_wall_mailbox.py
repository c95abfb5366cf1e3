"""Whatever happens, in whatever order: what a wall shows is what the server has, and no alert event is lost or doubled.

The wall in the model is a plain one: it applies what it gets by the rules of the protocol and fails on a frame that
breaks them.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ioc.api.wall.channels import LogChannel, StateChannel
from ioc.api.wall.protocol import Box, Resume
from ioc.api.wall.session import Session
from ioc.storage.accounts import Account

KEYS = st.integers(0, 3).map(lambda number: f"vessel.{number}")
DEGREES = st.integers(0, 3)
BOXES = st.tuples(DEGREES, DEGREES, DEGREES, DEGREES).map(
    lambda edges: Box(min(edges[:2]), min(edges[2:]), max(edges[:2]), max(edges[2:]))
)
CHANGES = st.lists(st.tuples(KEYS, st.none() | DEGREES, DEGREES), max_size=4)
ACCOUNT = Account(name="truc", display_name="", roles=("operator",), department=None, disabled=False)


async def _unused(_: str) -> None:
    raise AssertionError("the model takes frames itself")


class Mailbox(RuleBasedStateMachine):
    """One wall, one map channel, one log, and a connection that breaks."""

    @initialize()
    def start(self) -> None:
        self.now_ms = 1_000
        self.map = StateChannel("map:vessels", ("id", "lon", "lat", "q"), epoch=7)
        self.log = LogChannel("alerts", ("id", "value"))
        self.log.begin(10, [])
        self.event_ids: list[int] = []
        self.rows: dict[str, list[Any]] = {}
        self.parts: list[list[Any]] | None = None
        self.at: tuple[Any, int] | None = None
        self.log_at: tuple[Any, int] | None = None
        self.log_parts: list[list[Any]] | None = None
        self.log_rows: dict[str, Any] = {}
        self.box: Box | None = None
        self._connect()

    def _connect(self) -> None:
        self.session = Session(ACCOUNT, _unused, lambda: self.now_ms)
        self.parts = self.log_parts = None
        self.is_following = False

    @rule(box=st.none() | BOXES)
    def subscribe(self, box: Box | None) -> None:
        # A wall that saw a part of the map only has no place to resume from.
        resume = None if self.at is None or self.box is not None else Resume(*self.at)
        self.session.follow_state(self.map, resume, box=box)
        self.session.follow_log(self.log, None if self.log_at is None else Resume(*self.log_at))
        self.box, self.is_following = box, True

    @rule()
    def break_connection(self) -> None:
        self._connect()

    @rule()
    def restart_server(self) -> None:
        """Another process: state begins anew, the journal goes on."""
        rows = dict(self.map.rows)
        self.map = StateChannel("map:vessels", ("id", "lon", "lat", "q"), epoch=self.map.epoch + 1)
        for key, row in rows.items():
            self.map.put(key, row)
        older, self.log = self.log, LogChannel("alerts", ("id", "value"))
        self.log.begin(older.seq, list(older.rows.items()), floor=max(10, older.seq - 5))
        for event_id in self.event_ids:
            self.log.append(event_id, {"event_id": event_id}, self.now_ms)
        self._connect()

    @rule(key=KEYS, lon=DEGREES, lat=DEGREES)
    def report(self, key: str, lon: int, lat: int) -> None:
        self.map.put(key, [key, lon, lat, 0])

    @rule(key=KEYS)
    def vanish(self, key: str) -> None:
        self.map.drop(key)

    @rule(ticks=st.lists(CHANGES, min_size=1, max_size=4))
    def tick(self, ticks: list[list[tuple[str, int | None, int]]]) -> None:
        """Some ticks, each with what moves or goes away in it."""
        for changes in ticks:
            for key, lon, lat in changes:
                if lon is None:
                    self.map.drop(key)
                else:
                    self.map.put(key, [key, lon, lat, 0])
            self._close_tick()

    @rule()
    def sleep_long(self) -> None:
        """So many ticks that nobody can catch up."""
        for number in range(150):
            self.map.put("vessel.busy", ["vessel.busy", 1, 1, number])
            self._close_tick()

    def _close_tick(self) -> None:
        self.now_ms += 1_000
        frame = self.map.tick(self.now_ms)
        if frame is not None:
            self.session.offer(self.map, frame)

    @rule(count=st.integers(1, 80))
    def alarm(self, count: int) -> None:
        for _ in range(count):
            event_id = self.log.seq + 1
            self.event_ids.append(event_id)
            self.log.rows[f"alert.{event_id % 7}"] = [f"alert.{event_id % 7}", event_id]
            assert self.log.append(event_id, {"event_id": event_id}, self.now_ms)
        self.session.notice(self.log)

    @rule()
    def beat(self) -> None:
        self.session.beat(3)

    @precondition(lambda self: self.is_following)
    @rule()
    def ask_again(self) -> None:
        self.session.restart(self.map)
        self.session.restart(self.log)

    @precondition(lambda self: self.is_following)
    @rule(box=BOXES)
    def look_elsewhere(self, box: Box) -> None:
        assert self.session.look_at("map:vessels", box)
        self.box = box

    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        for _ in range(count):
            self._take(self.session.next_frame())

    def _take(self, text: str | None) -> None:
        frame = {"t": None} if text is None else json.loads(text)
        match frame["t"]:
            case "snap" if frame["ch"] == "alerts":
                self.log_parts = [*(self.log_parts or []), *frame["rows"]]
                if frame["last"]:
                    self.log_rows = {row[0]: row[1] for row in self.log_parts}
                    self.log_parts, self.log_at = None, (frame["epoch"], frame["seq"])
            case "snap":
                self.parts = [*(self.parts or []), *frame["rows"]]
                if frame["last"]:
                    self.rows = {row[0]: row for row in self.parts}
                    self.parts, self.at = None, (frame["epoch"], frame["seq"])
            case "d":
                assert self.parts is None
                assert (frame["epoch"], frame["prev"]) == self.at
                self.at = (frame["epoch"], frame["seq"])
                self.rows |= {row[0]: row for row in frame["set"]}
                for key in frame["del"]:
                    self.rows.pop(key, None)
            case "ev":
                assert self.log_parts is None
                assert self.log_at is not None
                assert frame["seq"] == self.log_at[1] + 1, "an alert event was lost, doubled or overtaken"
                self.log_at = (frame["epoch"], frame["seq"])
                self.log_rows[f"alert.{frame['seq'] % 7}"] = frame["seq"]
            case "hb" if self.is_following:
                assert self.at is not None
                assert frame["seqs"]["map:vessels"] == self.at[1], "a heartbeat overtook state"

    @invariant()
    def nothing_piles_up(self) -> None:
        assert len(self.session.channels) <= 2

    @precondition(lambda self: self.is_following)
    @rule()
    def catch_up(self) -> None:
        """A wall that reads everything shows exactly what the server had at its last tick."""
        self._close_tick()
        read = 0
        while (frame := self.session.next_frame()) is not None:
            self._take(frame)
            read += 1
            assert read < 500
        shown = {key: row for key, row in self.map.rows.items() if self.box is None or self.box.holds(row[1], row[2])}
        assert self.rows == shown
        assert self.log_rows == {row[0]: row[1] for row in self.log.rows.values()}
        assert self.log_at == ("journal", self.log.seq)


Mailbox.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestMailbox = Mailbox.TestCase
