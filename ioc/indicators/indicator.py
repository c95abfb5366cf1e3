"""What an indicator is: its definition, its value now with time and quality, and what it is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.domain.kinds import Payload
from ioc.domain.quantities import Quality

PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An indicator in words. ``limit`` is where it should stay below, or above when ``is_floor``.

    ``method`` says in one sentence what is counted, over which time; it belongs to the number (two sources that count
    differently are both right). ``place`` orders walls: the first eight are on the front.
    """

    indicator_id: str
    place: int
    name_vi: str
    name_en: str
    unit: str
    method_vi: str
    method_en: str
    limit: float | None = None
    is_floor: bool = False


class Figure(NamedTuple):
    """An indicator's value now; ``at`` is the source time of its newest data. None: no data, which is not zero."""

    value: float | None
    at: datetime | None
    quality: int = Quality.GOOD
    limit: float | None = None


class Indicator:
    """Takes in what it needs, one by one, and gives its value without looking at everything again."""

    definition: Definition
    kinds: tuple[type[Payload], ...] = ()
    looks_back: timedelta | None = None
    """How much of the stored readings it must learn at start; None: the newest of each asset will do."""

    def take(self, event: Event) -> None:
        """Take an event of one of ``kinds`` in; one that came before changes nothing."""

    def take_alert(self, alert: Alert) -> None:
        """Take an alert in as it stands since a change; what runs in the shadow is nobody's alert."""

    def figure(self, now: datetime) -> Figure:
        """Give the value now."""
        raise NotImplementedError
