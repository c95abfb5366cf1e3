"""What a pretend source sends, before anybody carries it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

WireTime = Callable[[datetime], datetime]
"""From the world's time to the time that is written on the wire."""


class Message(NamedTuple):
    """One message of a feed: an MQTT payload with its topic, a JSON record to push, or a line of NMEA."""

    at: datetime
    feed_id: str
    payload: bytes
    topic: str = ""
