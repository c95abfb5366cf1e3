"""Who reads for a group: one process at a time holds the group's lease, the others stand by."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from urllib.parse import quote


class Lease:
    """A lock on a file that the kernel takes back when its holder dies, however it dies.

    Two leases of one group exclude each other inside one process too, because each opens the file for itself.
    """

    def __init__(self, folder: Path, group: str) -> None:
        self._path = folder / f"{quote(group, safe='')}.lease"
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this lease is ours now."""
        return self._descriptor is not None

    def try_take(self) -> bool:
        """Take the lease if nobody has it."""
        if self._descriptor is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        # For people who look who the reader is; nothing depends on it.
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lease up. Giving it up twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
