"""Starting the program's processes on one machine and keeping them up: the parent of ``ioc up`` and ``ioc demo``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from ioc import cancellation
from ioc.logs import logger
from ioc.retry import Backoff

_log = logger("launcher")

DRAIN = timedelta(seconds=15)
"""How long a child may take to finish what it has begun."""

HEALTHY_AFTER_S = 30.0
"""A child that lived this long has started well: the next wait begins small again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep up: ``python -m ioc <arguments>`` with ``environment`` on top of ours."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Launcher:
    """Keeps children up until it is told to stop, then stops them in the order given, each with time to drain.

    Args:
        children: what to run.
        random: jitter of the waits between restarts.
    """

    def __init__(self, children: Sequence[Child], *, random: Random) -> None:
        self._children, self._random = children, random
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; ``run`` returns when every child has."""
        self._stopping.set()

    async def run(self) -> None:
        """Run every child until ``stop``. A child that ends by itself is started again after a growing wait."""
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(self._keep(child), name=child.name)

    async def _keep(self, child: Child) -> None:
        waits = Backoff().waits(self._random)
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ioc", *child.arguments,
                env={**os.environ, **child.environment}, start_new_session=True,
            )  # fmt: skip
            _log.debug("child.started", child=child.name, pid=process.pid)
            await self._watch(process)
            if self._stopping.is_set():
                return
            if loop.time() - began > HEALTHY_AFTER_S:
                waits = Backoff().waits(self._random)
            wait = next(waits)
            _log.error(
                "child.ended", child=child.name, code=process.returncode, again_in_s=round(wait.total_seconds(), 1)
            )
            await self._pause(wait)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Wait for the child's end or for ours; in the latter case end the child."""
        ended = asyncio.ensure_future(process.wait())
        told = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            if process.returncode is None:
                await _end(process)
            await ended

    async def _pause(self, wait: timedelta) -> None:
        try:
            async with cancellation.timeout(wait.total_seconds()):
                await self._stopping.wait()
        except TimeoutError:
            pass


async def _end(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        async with cancellation.timeout(DRAIN.total_seconds()):
            await process.wait()
    except TimeoutError:
        _log.error("child.killed", pid=process.pid, after_s=DRAIN.total_seconds())
        process.kill()
