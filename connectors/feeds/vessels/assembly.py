"""What an AIS listener remembers between sentences: halves of messages, and names; both bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyais import decode
from pyais.exceptions import AISBaseException
from pyais.messages import MessageType5, MessageType19, MessageType24PartA

from connectors.feeds.vessels.sentence import Sentence
from connectors.values import RefusedRecordError
from ioc.domain.events import Rejected

_MOST_HALVES = 500


@dataclass(slots=True)
class _Waiting:
    since_at: datetime
    parts: dict[int, Sentence] = field(default_factory=dict)


class Assembler:
    """Puts multi-part messages together. A part whose fellows never come is given out as rejected, not forgotten."""

    def __init__(self, part_age: timedelta) -> None:
        self._part_age = part_age
        self._waiting: OrderedDict[tuple[bytes, bytes, int], _Waiting] = OrderedDict()

    @property
    def pending_count(self) -> int:
        """Sentences that wait for their fellows."""
        return sum(len(waiting.parts) for waiting in self._waiting.values())

    def add(self, sentence: Sentence, received_at: datetime) -> tuple[list[Sentence] | None, list[Rejected]]:
        """Take one part; give all parts in order when the message is whole, and the parts that this one displaced."""
        key = (sentence.sequence, sentence.channel, sentence.part_count)
        waiting = self._waiting.get(key)
        displaced: list[Rejected] = []
        if waiting is not None and (sentence.part in waiting.parts or received_at - waiting.since_at > self._part_age):
            displaced = _give_up(self._waiting.pop(key))
            waiting = None
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(received_at)
            if len(self._waiting) > _MOST_HALVES:
                displaced += _give_up(self._waiting.popitem(last=False)[1])
        waiting.parts[sentence.part] = sentence
        if len(waiting.parts) < sentence.part_count:
            return None, displaced
        del self._waiting[key]
        return [waiting.parts[number] for number in range(1, sentence.part_count + 1)], displaced

    def expire(self, received_at: datetime | None) -> list[Rejected]:
        """Give up the parts that waited too long at ``received_at``; None gives up all of them."""
        given_up: list[Rejected] = []
        while self._waiting:
            key, waiting = next(iter(self._waiting.items()))
            if received_at is not None and received_at - waiting.since_at <= self._part_age:
                break
            del self._waiting[key]
            given_up += _give_up(waiting)
        return given_up


class Names:
    """The names that vessels told, the oldest forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: OrderedDict[int, str] = OrderedDict()

    def get(self, mmsi: int) -> str | None:
        """Give a vessel's name if it told it."""
        return self._names.get(mmsi)

    def learn(self, mmsi: int, name: str) -> None:
        """Keep a vessel's name; AIS pads names with spaces and at signs."""
        cleaned = name.split("@")[0].strip()
        if not cleaned:
            return
        self._names[mmsi] = cleaned
        self._names.move_to_end(mmsi)
        if len(self._names) > self._most:
            self._names.popitem(last=False)


def read_name(sentences: list[Sentence]) -> tuple[int, str] | None:
    """Give MMSI and name from message 5, 19 or 24 A; None where the message has no name (24 B).

    Raises:
        RefusedRecordError: the message cannot be decoded.
    """
    try:
        message = decode(*(sentence.body for sentence in sentences), error_if_checksum_invalid=False)
    except (AISBaseException, ValueError, IndexError, TypeError) as error:
        raise RefusedRecordError(f"AIS message cannot be decoded: {type(error).__name__}") from error
    if isinstance(message, MessageType5 | MessageType19 | MessageType24PartA) and message.shipname:
        return int(message.mmsi), message.shipname
    return None


def _give_up(waiting: _Waiting) -> list[Rejected]:
    return [
        Rejected(raw=sentence.line, reason="the other parts of the message never came")
        for sentence in waiting.parts.values()
    ]
