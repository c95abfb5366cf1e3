"""How readers learn that something was appended, here or in another process, without asking the disk over and over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

_STOP_AFTER = 64


class Wakeup:
    """A bell for every reader of one log file.

    Each process binds a datagram socket in a folder beside the file; whoever appended sends a byte to all the others.
    A lost byte costs only latency: readers look again after a while by themselves.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{os.urandom(4).hex()}.sock"
        self._socket: socket.socket | None = None
        self._directory: int | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self.rung_count = 0

    def open(self) -> None:
        """Bind the socket and listen on the running loop."""
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bell.setblocking(False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            bell.bind(self._address(self._name))
        except OSError:
            # No such sockets here (a network file system, say): readers fall back to looking by themselves.
            bell.close()
            return
        self._socket = bell
        asyncio.get_running_loop().add_reader(bell.fileno(), self._hear)

    def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._directory)
            self._socket.close()
            self._socket = None
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None
        self.ring()

    def ring(self) -> None:
        """Wake the readers of this process. On the loop only."""
        self.rung_count += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def ring_others(self) -> None:
        """Wake the readers of other processes. From any thread."""
        bell, directory = self._socket, self._directory
        if bell is None or directory is None:
            return
        for name in os.listdir(directory):
            if name == self._name or not name.endswith(".sock"):
                continue
            try:
                bell.sendto(b"\x01", self._address(name))
            except (ConnectionRefusedError, FileNotFoundError):
                # Its process died without saying goodbye.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
            except OSError:
                # Its buffer is full of bells that it has not heard yet: one more would say nothing new.
                continue

    async def wait(self, *, heard: int, timeout_s: float) -> None:
        """Wait until the bell has rung more than ``heard`` times, or ``timeout_s`` passed."""
        if self.rung_count != heard:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_s)
        finally:
            self._waiters.discard(waiter)
            waiter.cancel()

    def _hear(self) -> None:
        assert self._socket is not None
        for _ in range(_STOP_AFTER):
            try:
                self._socket.recv(16)
            except BlockingIOError:
                break
        self.ring()

    def _address(self, name: str) -> str:
        # A socket's path has 107 bytes; through the open directory it stays short wherever the file lies.
        return f"/proc/self/fd/{self._directory}/{name}"
