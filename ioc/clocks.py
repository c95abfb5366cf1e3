"""Clocks: the machine's for service, a set one for replays. Both satisfy ``ioc.ports.Clock``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present instant, aware UTC."""
        return datetime.now(UTC)

    async def sleep(self, delay: timedelta) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(0.0, delay.total_seconds()))


class ReplayClock:
    """Event time: stands where the replay has got to. Waiting waits in real time: only log and store wait."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Give the instant that the replay has reached."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Move on; never back."""
        self._now = max(self._now, to)

    async def sleep(self, delay: timedelta) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(0.0, delay.total_seconds()))
