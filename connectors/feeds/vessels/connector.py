"""AIS over TCP or UDP. Neither can be acknowledged: what was read and not yet written is kept over a reconnection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.transports.nmea import NmeaAddress, read_tcp, read_udp
from ioc import telemetry
from ioc.domain.events import Parsed
from ioc.ports import Clock, Sink


class VesselsConnector:
    """Reads sentences from a receiver or an aggregator."""

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        *,
        nmea_url: str,
        silence: timedelta = timedelta(minutes=2),
        on_bound: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.feed_id = feed.feed_id
        self._feed = feed
        self._clock = clock
        self._address = NmeaAddress.parse(nmea_url)
        self._silence = silence
        self._on_bound = on_bound
        self._unwritten: tuple[Parsed, datetime] | None = None

    async def run(self, sink: Sink) -> None:
        """Bring positions in for as long as the source is there.

        Raises:
            SourceLostError: the source went away.
            LogUnavailableError: the log does not answer; the lines in hand are written first after the next start.
        """
        await self._write(sink)
        async for lines in self._read():
            received_at = self._clock.now()
            parsed = self._feed.parse_or_bury(lines, received_at=received_at, form=Form.NMEA)
            self._unwritten = (parsed, received_at)
            await self._write(sink)

    def _read(self) -> AsyncIterator[bytes]:
        if self._address.transport == "tcp":
            return read_tcp(self._address, silence=self._silence)
        dropped = telemetry.datagrams_dropped.labels(self.feed_id)
        return read_udp(self._address, on_drop=dropped.inc, on_bound=self._on_bound)

    async def _write(self, sink: Sink) -> None:
        if self._unwritten is not None:
            parsed, received_at = self._unwritten
            await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
            self._unwritten = None
