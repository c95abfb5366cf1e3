"""Starting, watching and ending the servers' processes; every wait has a deadline."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parts.cache import UnavailableError, as_servers_user

STOP_DEADLINE_S = 20.0
POLL_S = 0.05


def free_port() -> int:
    """Return a loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Launched:
    """A process that we started: its pid, and the kernel's start time that tells it from a later one of that pid."""

    pid: int
    ticks: int

    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        return is_running(self.pid) and _started_at_ticks(self.pid) == self.ticks


def start_server(command: Sequence[str | Path], *, output: Path, cwd: Path) -> Launched:
    """Start a long-lived server as the servers' user."""
    return launch(as_servers_user(command), output=output, cwd=cwd)


def launch(command: Sequence[str | Path], *, output: Path, cwd: Path | None = None) -> Launched:
    """Start a long-lived process in a session of its own, so that Ctrl-C on a terminal does not reach it."""
    with output.open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, start_new_session=True
        )
    return Launched(process.pid, _started_at_ticks(process.pid))


def wait_until(answers: Callable[[], bool], *, what: str, process: Launched, output: Path, deadline_s: float) -> None:
    """Wait until a server really answers.

    Raises:
        UnavailableError: it ended, or did not answer within ``deadline_s``; carries the end of its output.
    """
    deadline = time.monotonic() + deadline_s
    while not answers():
        if not process.is_alive():
            raise UnavailableError(f"{what} ended while starting: {last_words(output)}")
        if time.monotonic() > deadline:
            raise UnavailableError(f"{what} did not answer within {deadline_s:.0f} s: {last_words(output)}")
        time.sleep(POLL_S)


def last_words(output: Path) -> str:
    """Return the last telling line of a server's output."""
    text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("ERROR", "FATAL", "Error", "error"))]
    return (telling or lines or ["no output"])[-1][:300]


def is_running(pid: int) -> bool:
    """Say whether the process lives. A zombie child of ours is reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _started_at_ticks(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return 0


def stop_server(process: Launched, signals: Sequence[signal.Signals]) -> bool:
    """End exactly the process that was started; ``signals`` go from polite to final. Return whether it was alive."""
    if not process.is_alive():
        return False
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
            # A stopped (frozen) process takes no polite signal before it goes on.
            os.kill(process.pid, signal.SIGCONT)
        deadline = time.monotonic() + STOP_DEADLINE_S
        while process.is_alive() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not process.is_alive():
            break
    return True


def wait_for_end_of(pid: int) -> None:
    """Wait, as long as it takes, until another process (a test run) is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with contextlib.closing(os.fdopen(handle)) as ended:
        select.select([ended], [], [])
