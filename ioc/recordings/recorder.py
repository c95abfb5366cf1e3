"""Writes a recording: a folder of files that begin anew when they are large or old enough, and their manifest."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ioc.domain.events import Event
from ioc.domain.kinds import KINDS
from ioc.errors import ConfigurationError
from ioc.recordings import columns, envelopes
from ioc.recordings.columns import ColumnWriter
from ioc.recordings.envelopes import EnvelopeWriter
from ioc.recordings.manifest import Manifest, RecordedFile
from ioc.recordings.whole import PARTIAL, to_sha256


class RecordedForm(enum.StrEnum):
    """What the files are. Lines keep the order of the log exactly; columns are for analysis, and play too."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file ends and the next begins: what a power cut may take is what was written since."""

    most_bytes: int = 256 * 1024 * 1024
    most_age: timedelta = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class _Open:
    """A file that is being written."""

    form: RecordedForm
    path: Path
    writer: EnvelopeWriter | ColumnWriter
    began_at: datetime
    kinds: Counter[str] = field(default_factory=Counter)
    feeds: Counter[str] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None

    def write(self, events: Sequence[Event]) -> None:
        if isinstance(self.writer, EnvelopeWriter):
            self.writer.write(list(events))
        else:
            self.writer.write(map(columns.to_row, events))
        self.kinds.update(event.kind for event in events)
        self.feeds.update(event.feed_id for event in events)
        times = [event.received_at for event in events]
        self.first_at = min(times if self.first_at is None else [self.first_at, *times])
        self.last_at = max(times if self.last_at is None else [self.last_at, *times])


class Recorder:
    """Takes events of the log, partition by partition, into a folder of its own.

    Lines go to a file per partition, columns to a file per kind. Every file that the manifest names is whole; a
    recorder that was killed leaves the manifest of the files that were ended before.

    Args:
        folder: where to; must not hold a recording.
        forms: what to write; every event goes to each.
        manifest: the head of the manifest: source, selection, scenario, seed.
        rotation: when to begin a new file.
        now: the present instant, for the age of files.

    Raises:
        ConfigurationError: the folder holds a recording, or something else of ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        forms: Sequence[RecordedForm],
        manifest: Manifest,
        rotation: Rotation,
        now: Callable[[], datetime],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if taken := sorted(path.name for path in folder.iterdir() if not path.name.endswith(PARTIAL)):
            raise ConfigurationError([f"{folder} is not empty (holds {taken[0]}); give a new folder"])
        self._folder, self._forms, self._rotation, self._now = folder, tuple(forms), rotation, now
        self.manifest = manifest
        manifest.made_at = now().isoformat()
        manifest.write(folder)
        self._open: dict[tuple[RecordedForm, str], _Open] = {}
        self._numbers: Counter[str] = Counter()
        self.events_count = 0

    @property
    def bytes_count(self) -> int:
        """Compressed bytes in all files so far."""
        ended = sum(file.bytes_count for file in self.manifest.files)
        return ended + sum(file.writer.bytes_count for file in self._open.values())

    def write(self, partition: int, events: Sequence[Event]) -> None:
        """Add events of one partition in the order of the log."""
        if not events:
            return
        for form in self._forms:
            for lane, part in _to_lanes(form, partition, events).items():
                file = self._open.get((form, lane)) or self._begin(form, lane)
                file.write(part)
        self.events_count += len(events)
        self.rotate()

    def rotate(self) -> None:
        """End the files that are large or old enough."""
        now = self._now()
        for key, file in list(self._open.items()):
            if file.writer.bytes_count >= self._rotation.most_bytes or now - file.began_at >= self._rotation.most_age:
                self._end(key)
                self.manifest.write(self._folder)

    def close(self, *, is_complete: bool = True) -> Manifest:
        """End everything. ``is_complete`` says that nothing is missing from what was asked for."""
        for key in list(self._open):
            self._end(key)
        self.manifest.is_complete = is_complete
        self.manifest.write(self._folder)
        return self.manifest

    def _begin(self, form: RecordedForm, lane: str) -> _Open:
        self._numbers[f"{form}{lane}"] += 1
        name = f"{lane}-{self._numbers[f'{form}{lane}']:05}"
        writer: EnvelopeWriter | ColumnWriter
        if form is RecordedForm.NDJSON:
            path = self._folder / f"{name}{envelopes.SUFFIX}"
            writer = EnvelopeWriter(path)
        else:
            path = self._folder / f"{name}{columns.SUFFIX}"
            writer = ColumnWriter(path, KINDS[lane])
        file = _Open(form=form, path=path, writer=writer, began_at=self._now())
        self._open[form, lane] = file
        return file

    def _end(self, key: tuple[RecordedForm, str]) -> None:
        file = self._open.pop(key)
        file.writer.commit()
        self.manifest.files.append(
            RecordedFile(
                name=file.path.name,
                form=file.form.value,
                events_count=file.kinds.total(),
                bytes_count=file.path.stat().st_size,
                sha256=to_sha256(file.path),
                first_at=_write_instant(file.first_at),
                last_at=_write_instant(file.last_at),
                kinds=dict(sorted(file.kinds.items())),
                feeds=dict(sorted(file.feeds.items())),
            )
        )


def _to_lanes(form: RecordedForm, partition: int, events: Sequence[Event]) -> dict[str, list[Event]]:
    """Say which file each event belongs to."""
    if form is RecordedForm.NDJSON:
        return {f"events-p{partition}": list(events)}
    lanes: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        lanes[event.kind].append(event)
    return lanes


def _write_instant(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat()
