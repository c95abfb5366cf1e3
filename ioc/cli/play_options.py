"""What commands that play take: files, speeds, places in a recording and instants, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from connectors.feed import Form
from connectors.registry import DEFINITIONS
from connectors.transports.lines import LineTimes
from ioc import settings
from ioc.bootstrap.knowledge import load_definitions
from ioc.cli.instants import to_instant
from ioc.errors import ConfigurationError
from ioc.replaying import Recording, find_recordings, recognise
from ioc.replaying.sources import Source, is_recording

FeedOption: TypeAlias = Annotated[
    str | None, typer.Option(help=f"Feed of wire files: {', '.join(DEFINITIONS)}. Recognised if it can be.")
]
FormOption: TypeAlias = Annotated[Form | None, typer.Option(help="Form of wire files. Recognised if it can be.")]
StartOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        parser=to_instant, metavar="INSTANT", help="When the first line of NMEA files came that carry no times."
    ),
]

_SPAN = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)$")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def to_sources(path: Path, feed: str | None, form: Form | None, start: datetime | None) -> list[Source]:
    """Say what a path holds that can be played.

    Raises:
        ConfigurationError: nothing, or it cannot be told which feed it belongs to.
    """
    definitions = DEFINITIONS if feed is None or feed in DEFINITIONS else load_definitions(settings.load())
    if feed is not None and feed not in definitions:
        raise ConfigurationError([f"no feed {feed!r}; there are {', '.join(definitions)}"])
    if not path.exists():
        raise ConfigurationError([f"{path}: no such file or folder"])
    if is_recording(path):
        return list(find_recordings(path))
    feed_id, known_form = recognise(path, feed_id=feed, form=form)
    times = None if start is None else LineTimes(start_at=start.astimezone(UTC), interval=timedelta(seconds=1))
    return [
        Recording(
            path=path,
            feed_id=feed_id,
            form=known_form,
            line_times=times if known_form is Form.NMEA else None,
            definition=definitions[feed_id],
        )
    ]


def to_speed(text: str) -> float | None:
    """Read how fast event time runs; None: as fast as it goes."""
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x").removesuffix("×"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise typer.BadParameter("a number above 0, or max", param_hint="--speed")
    return speed


def to_seek(text: str | None) -> timedelta | datetime | None:
    """Read where to begin: so far into a recording, or at an instant; None: where it begins."""
    if text is None:
        return None
    if (span := _SPAN.match(text)) is not None:
        return timedelta(seconds=float(span[1]) * _UNITS_S[span[2]])
    return to_instant(text)
