"""Files that are there whole or not at all, whatever ends the program in between."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PARTIAL = ".partial"
"""What a file's name ends with until it is whole. Nothing reads such a file; a new one takes its place."""


class WholeFile:
    """A file in the making: write to ``stream``, then ``commit``. Only then does it bear its name.

    The bytes are on the disk before the name is, and the name before ``commit`` returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(path.name + PARTIAL)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = self._partial.open("wb")

    @property
    def partial_path(self) -> Path:
        """Where the bytes lie until then."""
        return self._partial

    def seal(self) -> None:
        """Bring the bytes to the disk and close; the file still bears no name."""
        # By name: a compressor that wrote to the stream has closed it.
        self.stream.close()
        _sync(self._partial)

    def commit(self) -> None:
        """Give the file its name."""
        self.seal()
        os.replace(self._partial, self.path)
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Give it up."""
        self.stream.close()
        self._partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file in one go, in the place of an older one."""
    file = WholeFile(path)
    file.stream.write(content)
    file.commit()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_sha256(path: Path) -> str:
    """Give a file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
