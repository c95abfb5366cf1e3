"""The manifest of a recording: which files belong to it, what they hold, and how to tell that they are unharmed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ioc.errors import UnreadableFileError
from ioc.recordings.whole import to_sha256, write_whole

NAME = "manifest.json"
FORMAT = 1


class RecordedFile(msgspec.Struct, kw_only=True, frozen=True):
    """One file of a recording. Instants are ISO 8601 in UTC and speak of arrival (``received_at``)."""

    name: str
    form: str
    events_count: int
    bytes_count: int
    sha256: str
    first_at: str
    last_at: str
    kinds: dict[str, int]
    feeds: dict[str, int]


class Manifest(msgspec.Struct, kw_only=True):
    """What a recording is. ``is_complete`` says that it was ended, not cut off; its files are whole either way."""

    format: int = FORMAT
    made_at: str = ""
    source: str = "log"
    selection: dict[str, object] = {}
    scenario: str | None = None
    seed: int | None = None
    is_complete: bool = False
    files: list[RecordedFile] = []

    @property
    def events_count(self) -> int:
        """Events in all files of the form that comes first; a second form holds the same events again."""
        forms = [file.form for file in self.files]
        return sum(file.events_count for file in self.files if file.form == forms[0])

    def write(self, folder: Path) -> None:
        """Write it in the place of the one before."""
        text = msgspec.json.format(msgspec.json.encode(self), indent=1)
        write_whole(folder / NAME, text + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest.

    Raises:
        UnreadableFileError: there is none, or it says nothing that we understand.
    """
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnreadableFileError(str(path), str(error)) from error
    if manifest.format != FORMAT:
        raise UnreadableFileError(str(path), f"format {manifest.format}; this program reads {FORMAT}")
    for file in manifest.files:
        if Path(file.name).name != file.name:
            raise UnreadableFileError(str(path), f"names a file outside its folder: {file.name!r}")
    return manifest


def check_file(folder: Path, file: RecordedFile) -> Path:
    """Give a file's place after comparing its bytes with the manifest.

    Raises:
        UnreadableFileError: it is missing, or differs.
    """
    path = folder / file.name
    try:
        found = to_sha256(path)
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error
    if found != file.sha256:
        raise UnreadableFileError(str(path), "differs from what its manifest says")
    return path
