"""CAP 1.2 (OASIS) to warnings, one event for each of our areas; updates and cancellations end what they refer to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from connectors.feed import ParseContext
from connectors.feeds.weather.cap_areas import load_areas
from connectors.feeds.weather.cap_message import CapMessage, Info, read_message
from connectors.values import RefusedRecordError
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import WeatherWarning

_MOST_REMEMBERED = 2_000


class CapReader:
    """Reads messages. Remembers which areas each had, so that an update or a cancellation ends exactly those.

    After a restart it remembers nothing: then what is referred to ends in the areas of the message itself, and
    everywhere if it has none.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, list[tuple[WeatherWarning, tuple[str, ...]]]] = OrderedDict()

    def parse(self, payload: bytes, context: ParseContext) -> Parsed:
        """Read one message. What warns nobody here (exercises, other regions, other hazards) is counted as ignored.

        Raises:
            MalformedPayloadError: it is no XML that we read, or no CAP 1.2.
        """
        try:
            message = read_message(payload, received_at=context.received_at, latest_at=context.latest_at)
        except RefusedRecordError as refusal:
            return Parsed(rejected=[Rejected(raw=payload, reason=str(refusal))])
        events = [] if message is None else list(self._to_events(message, context))
        return Parsed(events=events, ignored_count=0 if events else 1)

    def _to_events(self, message: CapMessage, context: ParseContext) -> Iterator[Event]:
        own = [
            (_to_warning(message, number, info, headlines), info.areas)
            for number, (info, headlines) in enumerate(message.infos.items(), 1)
        ]
        if message.kind != "alert":
            for reference in message.references:
                for warning, areas in self._known.get(reference) or [self._guess(message, reference, own)]:
                    ended = msgspec.structs.replace(warning, status="cancel")
                    yield from _spread(ended, areas, message, context)
        if message.kind != "cancel":
            self._remember(message.identifier, own)
            for warning, areas in own:
                yield from _spread(warning, areas, message, context)

    def _guess(
        self, message: CapMessage, reference: str, own: list[tuple[WeatherWarning, tuple[str, ...]]]
    ) -> tuple[WeatherWarning, tuple[str, ...]]:
        areas = tuple(sorted({area for _, covered in own for area in covered}))
        unknown = WeatherWarning(
            warning_key=reference,
            hazard="weather",
            severity="unknown",
            zone_id="",
            status="cancel",
            onset_at=message.sent_at,
            expires_at=message.sent_at,
        )
        known = msgspec.structs.replace(own[0][0], warning_key=reference) if own else unknown
        return known, areas or load_areas().area_ids

    def _remember(self, identifier: str, warnings: list[tuple[WeatherWarning, tuple[str, ...]]]) -> None:
        self._known[identifier] = warnings
        self._known.move_to_end(identifier)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)


def _to_warning(message: CapMessage, number: int, info: Info, headlines: dict[str, str]) -> WeatherWarning:
    # Past, and unlikely to come at all: in force nowhere.
    is_over = info.urgency == "past" or info.certainty == "unlikely"
    return WeatherWarning(
        warning_key=message.identifier if number == 1 else f"{message.identifier}/{number}",
        hazard=info.hazard,
        severity=info.severity,
        zone_id="",
        status="cancel" if is_over else "actual",
        onset_at=info.onset_at,
        expires_at=info.expires_at,
        headline_vi=headlines.get("vi", ""),
        headline_en=headlines.get("en", ""),
        urgency=info.urgency,
        certainty=info.certainty,
    )


def _spread(
    warning: WeatherWarning, areas: tuple[str, ...], message: CapMessage, context: ParseContext
) -> Iterator[Event]:
    """Make the events of a warning, one for each area; a unit's belongs to the unit."""
    units = load_areas().units
    for area in areas:
        event = context.make_event(
            msgspec.structs.replace(warning, zone_id=area),
            asset_id=f"area.{area}",
            observed_at=message.sent_at,
            source_key=f"{warning.warning_key}/{area}/{warning.status}",
            is_fixed=False,
        )
        yield msgspec.structs.replace(event, unit_code=area) if area in units else event
