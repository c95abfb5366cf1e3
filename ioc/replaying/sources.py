"""What can be played: wire recordings of a feed, recordings of ``ioc record``, and folders of the archive."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.definition import FeedDefinition
from connectors.feed import Form
from connectors.transports.lines import LineTimes
from ioc.errors import ConfigurationError
from ioc.recordings import columns, envelopes
from ioc.recordings.manifest import NAME, RecordedFile, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One wire file to play: the feed whose parser reads it, and its form. ``line_times`` serve files without times,
    ``definition`` comes with a feed of this deployment's own mapping files.
    """

    path: Path
    feed_id: str
    form: Form
    line_times: LineTimes | None = None
    definition: FeedDefinition | None = None

    @property
    def name(self) -> str:
        """What its progress goes by."""
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """One file of events to play. ``name`` is the source that its progress counts for: the folder or the file.

    ``manifest_entry``: what its manifest says of it, to be compared before it is believed.
    """

    path: Path
    name: str
    manifest_entry: RecordedFile | None = None


Source = Recording | EventFile


def is_recording(path: Path) -> bool:
    """Whether a path holds events of ours rather than what a source said."""
    return path.is_dir() or path.name.endswith((envelopes.SUFFIX, columns.SUFFIX))


def find_recordings(path: Path) -> list[EventFile]:
    """Give the files of a recording, of an archive folder, or the one file.

    A recording that was made in both forms is played from its lines. Files that are not whole are none.

    Raises:
        ConfigurationError: there is nothing to play.
        UnreadableFileError: the manifest cannot be read.
    """
    name = str(path)
    if path.is_file():
        return [EventFile(path=path, name=name)]
    if (path / NAME).exists():
        return _list_of_manifest(path)
    found = [EventFile(path=file, name=name) for file in sorted(path.rglob(f"*{columns.SUFFIX}"))]
    found += [EventFile(path=file, name=name) for file in sorted(path.rglob(f"*{envelopes.SUFFIX}"))]
    if not found:
        raise ConfigurationError([f"{path}: holds no recording"])
    return found


def _list_of_manifest(folder: Path) -> list[EventFile]:
    manifest = read_manifest(folder)
    forms = {file.form for file in manifest.files}
    form = "ndjson" if "ndjson" in forms else "parquet"
    return [
        EventFile(path=folder / file.name, name=str(folder), manifest_entry=file)
        for file in manifest.files
        if file.form == form
    ]


_FIRST_WORDS: Sequence[tuple[bytes, str, Form]] = (
    (b"No,year,month,day,hour,PM2.5", "air", Form.UCI_501),
    (b"DATE,WND,", "weather", Form.NOAA_ISD),
)


def recognise(path: Path, *, feed_id: str | None = None, form: Form | None = None) -> tuple[str, Form]:
    """Say which feed reads a wire file, and in which form, by what it begins with; what is given is believed.

    Raises:
        ConfigurationError: it cannot be told; say it with ``--feed`` and ``--form``.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_gzip else path.open("rb") as text:
            head = text.read(4_096)
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror or error}"]) from error
    for words, known_feed, known_form in _FIRST_WORDS:
        if head.startswith(words):
            return feed_id or known_feed, form or known_form
    if b"!AIVDM" in head or b"$PGHP" in head:
        return feed_id or "vessels", form or Form.NMEA
    if feed_id is not None:
        guess = Form.NDJSON if head.lstrip()[:1] in (b"{", b"[") else Form.CSV
        return feed_id, form or guess
    raise ConfigurationError([f"{path}: cannot tell which feed it belongs to; give --feed and --form"])
