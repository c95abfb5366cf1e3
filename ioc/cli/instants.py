"""Instants as people write and read them on the command line: one reading for every command."""

from __future__ import annotations

from datetime import datetime

import typer

from alerts.language.rule import PROVINCE_TIME

WRITTEN = "ISO 8601; without an offset in the province's time, UTC+7"
"""How an instant is written, for ``--help``."""


def show_instant(at: datetime, pattern: str = "%Y-%m-%d %H:%M") -> str:
    """Give an instant as it is read: in the province's time. Its offset, UTC+7, stands once beside many of them."""
    return at.astimezone(PROVINCE_TIME).strftime(pattern)


def to_instant(text: str) -> datetime:
    """Read an instant; without an offset it is in the province's time, and a day alone is its midnight there.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r}: write an instant such as 2026-11-23T08:00 (the province's time) or 2026-11-23T01:00Z"
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=PROVINCE_TIME)
