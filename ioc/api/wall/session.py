"""One wall's connection: a bounded mailbox and one writer. A slow wall gets less often, never less; others never notice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ioc.api.wall import protocol
from ioc.api.wall.channels import LogChannel, StateChannel
from ioc.storage.accounts import Account

MOST_WAITING = 256
MOST_WAITING_BYTES = 1024 * 1024
SEND_DEADLINE_S = 10.0

Send = Callable[[str], Awaitable[None]]
NowMs = Callable[[], int]


class SlowWallError(Exception):
    """The wall takes too long to read: it must come again and start anew."""


class Session:
    """The mailbox of a wall.

    Control frames and alerts wait in order, bounded; state is not queued at all: a channel on which the wall is behind is
    noted, and when the wall is free again it gets one merged delta.

    Args:
        account: who is watching.
        send: writes one frame to the socket.
        now_ms: time for frames.
    """

    def __init__(self, account: Account, send: Send, now_ms: NowMs) -> None:
        self.account, self._send, self._now_ms = account, send, now_ms
        self.logs: set[str] = set()
        self._seen: dict[str, int] = {}
        self._states: dict[str, StateChannel] = {}
        self._urgent: deque[str] = deque()
        self._urgent_bytes = 0
        self._snapshots: deque[str] = deque()
        self._fresh: dict[str, str] = {}
        self._behind: set[str] = set()
        self._wake = asyncio.Event()
        self._overflowed = False

    @property
    def channels(self) -> set[str]:
        """What the wall follows."""
        return self.logs | set(self._states)

    def post(self, frame: str) -> None:
        """Queue a control frame or an alert."""
        if len(self._urgent) >= MOST_WAITING or self._urgent_bytes + len(frame) > MOST_WAITING_BYTES:
            self._overflowed = True
        else:
            self._urgent.append(frame)
            self._urgent_bytes += len(frame)
        self._wake.set()

    def _answer(self, frames: list[str]) -> None:
        """Queue what the wall asked for; it may be larger than what is allowed to pile up unasked."""
        self._snapshots.extend(frames)
        self._wake.set()

    def follow_state(self, channel: StateChannel, resume: protocol.Resume | None, *, why: str | None = None) -> None:
        """Start (again) on a state channel: from where the wall stood if that can be, else from a snapshot."""
        self._states[channel.name] = channel
        self._seen[channel.name] = channel.seq
        self._fresh.pop(channel.name, None)
        self._behind.discard(channel.name)
        if resume is not None and channel.can_resume(resume.epoch, resume.seq):
            frame = channel.catch_up(resume.seq, self._now_ms(), resumed=True)
            if frame is not None:
                self._answer([frame])
                return
        if resume is not None and why is None:
            why = "old" if resume.epoch == channel.epoch else "epoch"
        self._answer(channel.snapshot(self._now_ms(), why=why))

    def follow_log(self, channel: LogChannel, resume: protocol.Resume | None, *, why: str | None = None) -> None:
        """Start (again) on a log channel: every event since, or the list of what is open."""
        self.logs.add(channel.name)
        missed = None if resume is None else channel.missed(resume.epoch, resume.seq)
        if missed is not None:
            self._answer(missed)
            return
        if resume is not None and why is None:
            why = "old" if resume.epoch == channel.epoch else "epoch"
        self._answer(channel.snapshot(self._now_ms(), why=why))

    def leave(self, name: str) -> None:
        """Follow a channel no longer."""
        self.logs.discard(name)
        self._states.pop(name, None)
        self._seen.pop(name, None)
        self._fresh.pop(name, None)
        self._behind.discard(name)

    def offer(self, channel: StateChannel, frame: str) -> None:
        """Hand over the tick's delta of a channel: sent as it is if the wall is in step, else merged later."""
        name = channel.name
        if name not in self._states:
            return
        if name in self._behind or name in self._fresh or self._seen[name] != channel.seq - 1:
            self._fresh.pop(name, None)
            self._behind.add(name)
        else:
            self._fresh[name] = frame
        self._wake.set()

    async def write(self) -> None:
        """Send what waits, for as long as the connection lasts.

        Raises:
            SlowWallError: one send took longer than ten seconds, or too much control and alerts piled up.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (frame := self._next()) is not None:
                try:
                    async with asyncio.timeout(SEND_DEADLINE_S):
                        await self._send(frame)
                except TimeoutError as error:
                    raise SlowWallError("one frame took longer than ten seconds") from error
            if self._overflowed:
                raise SlowWallError("too much piled up")

    def _next(self) -> str | None:
        if self._overflowed:
            return None
        if self._urgent:
            frame = self._urgent.popleft()
            self._urgent_bytes -= len(frame)
            return frame
        if self._snapshots:
            return self._snapshots.popleft()
        if self._fresh:
            name, frame = next(iter(self._fresh.items()))
            del self._fresh[name]
            self._seen[name] += 1
            return frame
        while self._behind:
            merged = self._merge(self._behind.pop())
            if merged is not None:
                return merged
        return None

    def _merge(self, name: str) -> str | None:
        channel = self._states[name]
        since, self._seen[name] = self._seen[name], channel.seq
        if since == channel.seq:
            return None
        frame = channel.catch_up(since, self._now_ms(), conflated=True)
        if frame is not None:
            return frame
        first, *rest = channel.snapshot(self._now_ms(), why="old")
        self._snapshots.extend(rest)
        return first
