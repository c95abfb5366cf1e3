"""What goes wrong between a source and us, acted out on the wire: each fault is counted, so that tests can compare."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.message import Message
from simulators.province import World
from simulators.scenario import Effect
from simulators.wire.nmea import tag

MOST_HELD = 20_000


class WireFaults:
    """Lets a feed's messages through, changed as the scenario's ``wire.fault`` effects say.

    ``counts`` has what was done by (feed, kind); ``lost`` what never came, ``added`` what came twice, ``hang_ups`` how
    often a connection was cut.
    """

    def __init__(self, world: World, feed_id: str) -> None:
        self._world, self._feed_id = world, feed_id
        self._random = world.random(f"faults/{feed_id}")
        self._effects = [
            effect
            for effect in world.scenario.effects
            if effect.name == "wire.fault" and effect.facts["feed"] == feed_id
        ]
        self._held: deque[Message] = deque()
        self._swapped: Message | None = None
        self._frozen: dict[tuple[Effect, str], bytes] = {}
        self._cut: set[Effect] = set()
        self.counts: Counter[str] = Counter()
        self.hang_ups = 0

    @property
    def lost(self) -> int:
        """Messages that a gap or a disconnection swallowed for good."""
        return self.counts["gap"] + self.counts["unheard"]

    @property
    def waiting(self) -> int:
        """Messages that are held back and still come."""
        return len(self._held) + (self._swapped is not None)

    def through(self, messages: Iterator[Message]) -> Iterator[Message]:
        """Give the stream as the wire delivers it."""
        if not self._effects:
            yield from messages
            return
        for message in messages:
            # What a source has others send (boats their port) goes over another wire.
            yield from self._pass(message) if message.feed_id == self._feed_id else (message,)

    def _pass(self, message: Message) -> Iterator[Message]:
        since = message.at - self._world.start_at
        acting = [effect for effect in self._effects if effect.strength(since) > 0]
        if not any(effect.facts["kind"] == "disconnect" for effect in acting):
            # What a station kept while it was cut off comes before what it says now.
            while self._held:
                yield self._held.popleft()._replace(at=message.at)
        passed: list[Message] = [message]
        for effect in acting:
            if self._strikes(effect, message):
                passed = [done for item in passed for done in self._apply(effect, item)]
        yield from passed
        if self._swapped is not None and passed and passed[-1] is not self._swapped:
            yield self._swapped._replace(at=message.at)
            self._swapped = None

    def _strikes(self, effect: Effect, message: Message) -> bool:
        asset = effect.facts.get("asset")
        if asset is not None and str(asset).encode() not in message.payload:
            return False
        return self._random.random() < float(effect.facts.get("share", 1.0))

    def _apply(self, effect: Effect, message: Message) -> list[Message]:
        kind = str(effect.facts["kind"])
        match kind:
            case "gap":
                changed: list[Message] = []
            case "duplicate":
                changed = [message, message]
            case "out_of_order":
                if self._swapped is not None:
                    return [message]
                self._swapped, changed = message, []
            case "disconnect":
                return self._disconnect(effect, message)
            case "broken":
                changed = [message._replace(payload=self._break(message.payload))]
            case "stuck":
                changed = [message._replace(payload=self._stick(effect, message))]
            case "clock_skew":
                changed = [message._replace(payload=self._skew(message.payload, float(effect.facts["by"])))]
            case _:
                payload = self._alter(effect, message)
                if payload is None:
                    return [message]
                changed = [message._replace(payload=payload)]
        self.counts[kind] += 1
        return changed

    def _disconnect(self, effect: Effect, message: Message) -> list[Message]:
        """Cut the line: boats are not heard meanwhile, all others keep what they have to say."""
        if effect not in self._cut:
            self._cut.add(effect)
            self.hang_ups += 1
        if self._feed_id == "vessels":
            self.counts["unheard"] += 1
        else:
            if len(self._held) >= MOST_HELD:
                self._held.popleft()
                self.counts["unheard"] += 1
            self._held.append(message)
        self.counts["disconnect"] += 1
        return []

    def _break(self, payload: bytes) -> bytes:
        """Spoil bytes so that no reader can take them for the truth: cut short, or turned in the middle."""
        body = payload.rstrip(b"\r\n")
        ending = payload[len(body) :]
        middle = len(body) // 2
        if self._feed_id == "vessels" or self._random.random() < 0.5:
            # A sentence that lost its end keeps a checksum that no longer fits.
            return body[: middle + self._random.randrange(1, 6)] + b"\x00" + body[-3:] + ending
        return body[:middle] + ending

    def _stick(self, effect: Effect, message: Message) -> bytes:
        """Say again what was said first, as if measured now."""
        if self._feed_id == "vessels":
            sentence = message.payload.rpartition(b"\\")[2].rstrip(b"\r\n")
            fields = sentence.split(b",")
            if fields[1] != b"1":
                return message.payload
            # The first seven characters hold the kind of message and the whole number of the vessel.
            kept = self._frozen.setdefault((effect, fields[5][:7].decode("ascii")), sentence)
            return tag(kept, self._world.wire_time(message.at))
        record = json.loads(message.payload)
        kept = self._frozen.setdefault((effect, _asset_of(record)), message.payload)
        return json.dumps({**json.loads(kept), "time": record["time"]}, ensure_ascii=False).encode()

    def _skew(self, payload: bytes, by_s: float) -> bytes:
        """Write another time, as a clock that goes wrong does."""
        if self._feed_id == "vessels":
            head, _, sentence = payload.rpartition(b"\\")
            heard_s = int(head.partition(b"c:")[2].partition(b"*")[0])
            return tag(sentence.rstrip(b"\r\n"), datetime.fromtimestamp(heard_s, UTC) + timedelta(seconds=by_s))
        record = json.loads(payload)
        moved = datetime.fromisoformat(record["time"]) + timedelta(seconds=by_s)
        return json.dumps({**record, "time": moved.isoformat(timespec="milliseconds")}, ensure_ascii=False).encode()

    def _alter(self, effect: Effect, message: Message) -> bytes | None:
        """Change one field; records that do not have it pass as they are."""
        record: dict[str, Any] = json.loads(message.payload)
        name, kind = str(effect.facts["field"]), effect.facts["kind"]
        if name not in record:
            return None
        value = record[name]
        if kind == "null":
            record[name] = None
        elif kind == "zero":
            record[name] = 0
        elif isinstance(value, int | float):
            by = float(effect.facts["by"])
            hours = (message.at - self._world.start_at - effect.at) / timedelta(hours=1)
            changed = value * by if kind == "spike" else value + by * hours
            record[name] = type(value)(round(changed, 1))
        return json.dumps(record, ensure_ascii=False).encode()


def _asset_of(record: dict[str, Any]) -> str:
    names = (record.get(key) for key in ("type", "station", "gate", "site", "unit", "trip", "group"))
    return "/".join(str(name) for name in names if name is not None)
