"""The program's own processes in tests: ``python -m ioc …`` with settings of the test's, ended by their own id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.servers import REPOSITORY

STOP_S = 30.0


class RoleProcess:
    """One ``python -m ioc`` process. Its output goes to a file, which a failing test shows."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], output: Path) -> None:
        self._arguments, self._output = arguments, output
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IOC_")},
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may be started again after it ended."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ioc", *self._arguments],
                cwd=REPOSITORY, env=self._environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text("utf-8", "replace")

    async def kill(self) -> None:
        """End it by SIGKILL, as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end and give its exit code.

        Raises:
            TimeoutExpired: it did not drain in time.
        """
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        return await asyncio.to_thread(process.wait, STOP_S)
