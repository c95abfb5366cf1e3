"""AIS sentences to vessel positions: knots and degrees, "not available" codes taken out, names from static reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.feed import ParseContext
from connectors.feeds.vessels.assembly import Assembler, Names, read_name
from connectors.feeds.vessels.config import VesselsConfig
from connectors.feeds.vessels.report import PositionReport, read_class_a, read_class_b, type_of
from connectors.feeds.vessels.sentence import Sentence, parse_sentence, read_gatehouse_time
from connectors.values import RefusedRecordError, check_instant
from geo.position import Position, looks_swapped
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.ids import event_id
from ioc.domain.kinds import VesselPosition
from ioc.domain.quantities import Quality

KIND = VesselPosition.KIND
_CLASS_A = (1, 2, 3)
_CLASS_B = (18, 19)
_STATIC = (5, 24)
_LONGEST_WAY_S = 15
_AHEAD_S = 2


class VesselParser:
    """Parses lines of NMEA 0183; remembers halves of messages and vessel names, and nothing else.

    Each line that is not blank is a record. A part of a longer message counts when the message is whole or given up;
    until then ``pending_count`` has it.
    """

    def __init__(self, config: VesselsConfig) -> None:
        self._assembler = Assembler(config.part_age)
        self._names = Names(config.most_names)
        self._announced: tuple[int, bytes] | None = None

    @property
    def pending_count(self) -> int:
        """Lines that wait for the rest of their message."""
        return self._assembler.pending_count

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse whole lines. A broken line is a rejected record; no payload is malformed as a whole."""
        events: list[Event] = []
        rejected = self._assembler.expire(context.received_at)
        ignored_count = 0
        for index, text in enumerate(payload.splitlines()):
            line = text.strip()
            if not line:
                continue
            try:
                ignored_count += self._take(line, index, context, events, rejected)
            except RefusedRecordError as refusal:
                rejected.append(Rejected(raw=line, reason=str(refusal), index=index))
        return Parsed(events=events, rejected=rejected, ignored_count=ignored_count)

    def flush(self) -> Parsed:
        """Give up the halves that still wait: for the end of a file or of a connection."""
        return Parsed(rejected=self._assembler.expire(None))

    def _take(
        self, line: bytes, index: int, context: ParseContext, events: list[Event], rejected: list[Rejected]
    ) -> int:
        """Take one line; give how many lines turned out to carry nothing for us."""
        sentence = parse_sentence(line)
        if sentence is None:
            self._announced = read_gatehouse_time(line) or self._announced
            return 1
        sentence = self._place_in_time(sentence)
        parts = [sentence]
        if sentence.part_count > 1:
            whole, displaced = self._assembler.add(sentence, context.received_at)
            rejected.extend(displaced)
            if whole is None:
                return 0
            parts = whole
        try:
            event = self._read(parts, context)
        except RefusedRecordError as refusal:
            rejected.extend(Rejected(raw=part.line, reason=str(refusal), index=index) for part in parts)
            return 0
        if event is None:
            return len(parts)
        events.append(event)
        return len(parts) - 1

    def _place_in_time(self, sentence: Sentence) -> Sentence:
        """Use the time that a gatehouse line before it announced for this very sentence."""
        announced, self._announced = self._announced, None
        if announced is None or sentence.at_s is not None or announced[1] != sentence.checksum:
            return sentence
        return sentence._replace(at_s=float(announced[0]))

    def _read(self, parts: list[Sentence], context: ParseContext) -> Event | None:
        first = parts[0]
        kind = type_of(first.payload)
        if kind in _CLASS_A:
            return self._to_event(read_class_a(first.payload), first, context)
        if kind in _CLASS_B:
            if kind == 19:
                self._learn(parts)
            payload = first.payload if len(parts) == 1 else b"".join(part.payload for part in parts)
            return self._to_event(read_class_b(payload), first, context)
        if kind in _STATIC:
            self._learn(parts)
        return None

    def _learn(self, parts: list[Sentence]) -> None:
        told = read_name(parts)
        if told is not None:
            self._names.learn(*told)

    def _to_event(self, report: PositionReport, sentence: Sentence, context: ParseContext) -> Event | None:
        """Make the event, or None where the vessel does not know its own position: then it has told us nothing."""
        if not 0 < report.mmsi <= 999_999_999:
            raise RefusedRecordError("MMSI is not nine digits")
        if report.lon_deg is None or report.lat_deg is None:
            return None
        position = Position(lon_deg=report.lon_deg, lat_deg=report.lat_deg)
        if not position.is_valid:
            raise RefusedRecordError("position is not on the Earth")
        if looks_swapped(position):
            raise RefusedRecordError("latitude and longitude look swapped")
        heard_at = context.received_at if sentence.at_s is None else _to_instant(sentence.at_s, context)
        observed_at = to_fix_instant(heard_at, report.second)
        asset_id = f"vessel.{report.mmsi:09d}"
        return Event(
            event_id=event_id(context.feed_id, asset_id, observed_at, KIND),
            feed_id=context.feed_id,
            asset_id=asset_id,
            observed_at=observed_at,
            received_at=context.received_at,
            data=VesselPosition(
                sog_kn=report.sog_kn,
                cog_deg=report.cog_deg,
                heading_deg=report.heading_deg,
                nav_status=report.nav_status,
                name=self._names.get(report.mmsi),
            ),
            lon_deg=report.lon_deg,
            lat_deg=report.lat_deg,
            quality=Quality.GOOD if report.second < 60 else Quality.UNCERTAIN,
        )


def to_fix_instant(heard_at: datetime, second: int) -> datetime:
    """Give the instant of the fix: the UTC second that the report names, in the minute that fits the time it was heard.

    A report is heard within 15 s after its fix, or up to 2 s before by a clock that runs slow. Anything else, and
    seconds from 60 (not available), leave the time it was heard.
    """
    if second >= 60:
        return heard_at
    whole = heard_at.replace(microsecond=0)
    delay_s = (whole.second - second) % 60
    if delay_s <= _LONGEST_WAY_S:
        return whole - timedelta(seconds=delay_s)
    if delay_s >= 60 - _AHEAD_S:
        return whole + timedelta(seconds=60 - delay_s)
    return heard_at


def _to_instant(at_s: float, context: ParseContext) -> datetime:
    try:
        heard_at = datetime.fromtimestamp(at_s, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RefusedRecordError(f"receive time: {error}") from error
    return check_instant(heard_at, context.latest_at, what="receive time")
