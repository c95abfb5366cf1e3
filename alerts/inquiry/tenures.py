"""Tenures of a rule: what was in force under its name, from when until when, as far as it can still be found."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alerts.language.rule import Rule


class Source(enum.StrEnum):
    """Where the rule of a tenure comes from, or why there is none.

    Of files only what they say now is known. ``unreadable`` is a version that this program cannot read, such as one
    that a later release saved.
    """

    VERSION = "version"
    FILE = "file"
    RETIRED = "retired"
    NOT_YET = "not_yet"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """One time in which the same stood under a rule's name.

    ``since`` is None where it began before anything is known, ``until`` where it lasts; it ends before ``until``.
    ``number`` is that of a saved version; ``actor`` and ``reason`` say who brought it into force, and why.
    """

    source: Source
    rule: Rule | None = None
    since: datetime | None = None
    until: datetime | None = None
    number: int | None = None
    actor: str | None = None
    reason: str | None = None

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether it lies at least in part in a period."""
        return (self.since is None or self.since < end) and (self.until is None or start < self.until)

    def clip(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Give its part of a period that it overlaps."""
        return max(start, self.since or start), min(end, self.until or end)


def within(tenures: Iterable[Tenure], start: datetime, end: datetime) -> list[Tenure]:
    """Give those that lie at least in part in a period."""
    return [tenure for tenure in tenures if tenure.overlaps(start, end)]
