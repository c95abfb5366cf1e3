"""The account of a replay: everything that went in, and what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class SourceProgress:
    """How far one source came: bytes of all its files, and what was made of its records."""

    bytes_read: int = 0
    bytes_count: int = 0
    events_count: int = 0
    rejected_count: int = 0
    ignored_count: int = 0


@dataclass(kw_only=True)
class ReplaySummary:
    """What became of everything that went in. ``alerts`` counts journal entries by rule and type.

    ``digest`` is a sha-256 over the alert changes in order: two replays that decided alike have the same.
    A replay into the live log counts what it appended as ``appended_count``; what becomes of that, the live worker
    decides.
    """

    files: dict[str, SourceProgress] = field(default_factory=dict)
    rounds_count: int = 0
    skipped_count: int = 0
    filtered_count: int = 0
    appended_count: int = 0
    stored_count: int = 0
    duplicate_count: int = 0
    unstorable_count: int = 0
    dead_letters_count: int = 0
    repeated_letters_count: int = 0
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    digest: str = ""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    elapsed_s: float = 0.0
    was_stopped: bool = False

    @property
    def events_count(self) -> int:
        """Events that were read."""
        return sum(progress.events_count for progress in self.files.values())

    @property
    def rejected_count(self) -> int:
        """Records that could not be read."""
        return sum(progress.rejected_count for progress in self.files.values())

    @property
    def ignored_count(self) -> int:
        """Records that are sound and carry nothing for us."""
        return sum(progress.ignored_count for progress in self.files.values())

    @property
    def is_balanced(self) -> bool:
        """Whether what went in equals what was left aside, is stored, was stored before, or lies in the dead letters.

        A replay that was stopped has read ahead of what it played, so nothing can be said about it.
        """
        if self.was_stopped:
            return True
        played = self.events_count - self.skipped_count - self.filtered_count
        return (
            played == self.appended_count
            and self.appended_count == self.stored_count + self.duplicate_count + self.unstorable_count
            and self.rejected_count + self.unstorable_count == self.dead_letters_count + self.repeated_letters_count
        )
