"""One wall's connection: a bounded mailbox and one writer. A slow wall is told less often; others never notice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ioc import cancellation
from ioc.api.wall import protocol
from ioc.api.wall.channels import LogChannel, StateChannel
from ioc.storage.accounts import Account

MOST_WAITING = 256
MOST_WAITING_BYTES = 1024 * 1024
SEND_DEADLINE_S = 10.0
_EVENTS_AT_ONCE = 64

Send = Callable[[str], Awaitable[None]]
NowMs = Callable[[], int]


class SlowWallError(Exception):
    """The wall takes too long to read: it must come again and start anew."""


class _Start(NamedTuple):
    """A wall's wish to begin on a channel: from where it stood, or anew for a reason."""

    resume: protocol.Resume | None
    why: str | None = None

    def find_reason(self, epoch: str | int) -> str | None:
        """Say why it gets a snapshot."""
        if self.resume is None or self.why is not None:
            return self.why
        return "old" if self.resume.epoch == epoch else "epoch"


class _State:
    """A state channel as one wall has it: what it has seen, and at most one delta that waits."""

    def __init__(self, channel: StateChannel, start: _Start, box: protocol.Box | None) -> None:
        self.channel = channel
        self._start: _Start | None = start
        self.box = box
        self._seen = 0
        self._fresh: str | None = None
        self._shown: set[str] = set()
        self._has_moved = False

    def look_at(self, box: protocol.Box) -> None:
        """Change the view: what comes into it is sent, what leaves it is taken away."""
        if self.box is None:
            self._shown = set(self.channel.rows)
        self.box, self._has_moved = box, True

    def offer(self, frame: str) -> None:
        """Take the tick's delta as it is if the wall is in step; otherwise what it missed is merged when it is free."""
        is_in_step = self._start is None and self._fresh is None and self._seen == self.channel.seq - 1
        self._fresh = frame if is_in_step and self.box is None else None

    def take(self, at_ms: int) -> list[str]:
        """Give what the wall must get to be up to date."""
        channel = self.channel
        start, self._start = self._start, None
        fresh, self._fresh = self._fresh, None
        since, self._seen = self._seen, channel.seq
        if start is not None:
            return self._begin(start, at_ms)
        if fresh is not None:
            return [fresh]
        if since == channel.seq and not self._has_moved:
            return []
        if self.box is not None:
            return [self._filter(self.box, since, at_ms)]
        merged = channel.catch_up(since, at_ms, conflated=True)
        return [merged] if merged is not None else channel.snapshot(at_ms, why="old")

    def _begin(self, start: _Start, at_ms: int) -> list[str]:
        channel, resume = self.channel, start.resume
        why = start.find_reason(channel.epoch)
        if self.box is not None:
            inside = {key: row for key, row in channel.rows.items() if self.box.holds(row[1], row[2])}
            self._shown, self._has_moved = set(inside), False
            return protocol.encode_snapshot(
                channel.name, at_ms, epoch=channel.epoch, seq=channel.seq, fields=channel.fields,
                rows=list(inside.values()), why="filter" if resume is not None else why,
            )  # fmt: skip
        if resume is not None and resume.epoch == channel.epoch:
            merged = channel.catch_up(resume.seq, at_ms, resumed=True)
            if merged is not None:
                return [merged]
        return channel.snapshot(at_ms, why=why)

    def _filter(self, box: protocol.Box, since: int, at_ms: int) -> str:
        """Give the wall's own delta: rows in its view, and what left it. It may be empty, to keep the wall in step."""
        channel = self.channel
        is_whole = self._has_moved or not channel.is_within_reach(since)
        rows = list(channel.rows.items()) if is_whole else channel.changed_since(since)
        inside = {key: row for key, row in rows if box.holds(row[1], row[2])}
        if is_whole:
            gone = self._shown - inside.keys()
        else:
            left = {key for key, _ in rows if key not in inside}
            gone = self._shown & (left | set(channel.gone_since(since))) - inside.keys()
        self._shown = (self._shown | inside.keys()) - gone
        self._has_moved = False
        return protocol.encode_delta(
            channel.name, at_ms, epoch=channel.epoch, prev=since, seq=channel.seq, rows=list(inside.values()),
            gone=sorted(gone), conflated=channel.seq - since > 1,
        )  # fmt: skip


class _Log:
    """A log channel as one wall has it: a place in the channel's ring."""

    def __init__(self, channel: LogChannel, start: _Start) -> None:
        self.channel = channel
        self._start: _Start | None = start
        self._place = 0

    def take(self, at_ms: int) -> list[str]:
        """Give the next events, or first of all the list of what is open.

        Raises:
            SlowWallError: the wall is so far behind that events it has not got are no longer at hand.
        """
        channel = self.channel
        if not channel.has_begun:
            return []  # the journal has not been read yet; an empty list would say that all is well
        start, self._start = self._start, None
        if start is not None:
            resume = start.resume
            place = None if resume is None else channel.find_place(resume.epoch, resume.seq)
            if place is None:
                self._place = channel.end
                return channel.snapshot(at_ms, why=start.find_reason(channel.epoch))
            self._place = place
        frames = channel.frames_from(self._place, _EVENTS_AT_ONCE)
        if frames is None:
            raise SlowWallError("too many alerts piled up")
        self._place += len(frames)
        return frames


class Session:
    """The mailbox of a wall.

    Answers wait in order, bounded. Alerts wait in the channel's ring, where the wall has its place. State is not queued
    at all: the wall is told what it misses when it is free. So a wall that stands still costs nothing but its socket.
    The order of what waits is: answers, alerts, state, heartbeat. The heartbeat comes last, because a wall takes it for
    lost state when the sequence numbers in it are ahead of what it has.

    Args:
        account: who is watching.
        send: writes one frame to the socket.
        now_ms: time for frames.
        send_deadline_s: how long one frame may take to leave.
    """

    def __init__(
        self, account: Account, send: Send, now_ms: NowMs, *, send_deadline_s: float = SEND_DEADLINE_S
    ) -> None:
        self.account, self._send, self._now_ms, self._send_deadline_s = account, send, now_ms, send_deadline_s
        self._states: dict[str, _State] = {}
        self._logs: dict[str, _Log] = {}
        self._answers: deque[str] = deque()
        self._answers_bytes = 0
        self._events: deque[str] = deque()
        self._parts: deque[str] = deque()
        self._due: dict[str, None] = {}
        self._lag_ms: int | None = None
        self._unjudged_since: int | None = None
        self._wake = asyncio.Event()
        self._fault: str | None = None

    @property
    def channels(self) -> set[str]:
        """What the wall follows."""
        return self._logs.keys() | self._states.keys()

    def post(self, frame: str) -> None:
        """Queue an answer or another control frame."""
        if len(self._answers) >= MOST_WAITING or self._answers_bytes + len(frame) > MOST_WAITING_BYTES:
            self._fault = "too many answers piled up"
        else:
            self._answers.append(frame)
            self._answers_bytes += len(frame)
        self._wake.set()

    def follow_state(
        self,
        channel: StateChannel,
        resume: protocol.Resume | None,
        *,
        why: str | None = None,
        box: protocol.Box | None = None,
    ) -> None:
        """Start on a state channel: from where the wall stood if that can be, else from a snapshot.

        On a channel that it follows already, what is under way makes a place to resume from uncertain: it starts anew.
        """
        if channel.name in self._states:
            resume, why = None, "old"
        self._states[channel.name] = _State(channel, _Start(resume, why), box)
        self._make_due(channel.name)

    def follow_log(self, channel: LogChannel, resume: protocol.Resume | None, *, why: str | None = None) -> None:
        """Start on a log channel: every event since, or the list of what is open; anew if it follows it already."""
        if channel.name in self._logs:
            resume, why = None, "old"
        self._logs[channel.name] = _Log(channel, _Start(resume, why))
        self._wake.set()

    def restart(self, channel: StateChannel | LogChannel) -> None:
        """Send the whole of a channel again; the view stays. What was under way of it is finished first."""
        if isinstance(channel, LogChannel):
            self.follow_log(channel, None, why="old")
        else:
            known = self._states.get(channel.name)
            self.follow_state(channel, None, why="old", box=known.box if known else None)

    def look_at(self, name: str, box: protocol.Box) -> bool:
        """Change the view of a map channel; False when the wall does not follow it."""
        if (state := self._states.get(name)) is None:
            return False
        state.look_at(box)
        self._make_due(name)
        return True

    def leave(self, name: str) -> None:
        """Follow a channel no longer."""
        self._logs.pop(name, None)
        self._states.pop(name, None)
        self._due.pop(name, None)

    def offer(self, channel: StateChannel, frame: str) -> None:
        """Hand over the tick's delta of a channel: sent as it is if the wall is in step, else merged later."""
        if (state := self._states.get(channel.name)) is not None:
            state.offer(frame)
            self._make_due(channel.name)

    def notice(self, channel: LogChannel) -> None:
        """Say that a log channel has more."""
        if channel.name in self._logs:
            self._wake.set()

    def beat(self, lag_ms: int, unjudged_since: int | None = None) -> None:
        """Ask for a heartbeat behind everything that waits now; it says since when (ms) no alert is judged."""
        self._lag_ms, self._unjudged_since = lag_ms, unjudged_since
        self._wake.set()

    def _make_due(self, name: str) -> None:
        self._due[name] = None
        self._wake.set()

    async def write(self) -> None:
        """Send what waits, for as long as the connection lasts.

        Raises:
            SlowWallError: one send took longer than ten seconds, or too much piled up.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (frame := self.next_frame()) is not None:
                try:
                    async with cancellation.timeout(self._send_deadline_s):
                        await self._send(frame)
                except TimeoutError as error:
                    raise SlowWallError(f"one frame took longer than {self._send_deadline_s:g} s") from error

    def next_frame(self) -> str | None:
        """Give the next frame to send; None when nothing waits.

        Raises:
            SlowWallError: too much piled up.
        """
        if self._fault is not None:
            raise SlowWallError(self._fault)
        if self._answers:
            frame = self._answers.popleft()
            self._answers_bytes -= len(frame)
            return frame
        if not self._events:
            for log in self._logs.values():
                self._events.extend(log.take(self._now_ms()))
        if self._events:
            return self._events.popleft()
        while not self._parts and self._due:
            name = next(iter(self._due))
            del self._due[name]
            self._parts.extend(self._states[name].take(self._now_ms()))
        if self._parts:
            return self._parts.popleft()
        return self._next_heartbeat()

    def _next_heartbeat(self) -> str | None:
        if self._lag_ms is None:
            return None
        followed = [state.channel for state in self._states.values()] + [log.channel for log in self._logs.values()]
        seqs = {channel.name: channel.seq for channel in followed}
        late = {} if self._unjudged_since is None else {"unjudged_since": self._unjudged_since}
        frame = protocol.encode("hb", self._now_ms(), seqs=seqs, lag_ms=self._lag_ms, **late)
        self._lag_ms = None
        return frame
