"""Warnings from a list that is polled: each message that it links to is fetched once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from yarl import URL

from connectors.feed import Feed, Form
from connectors.feeds.weather.cap_list import Link, read_list
from connectors.feeds.weather.config import CapListConfig
from connectors.intake import hand_over
from connectors.transports.http_poll import Answer, Asker, BusySourceError
from ioc.errors import MalformedPayloadError, SourceLostError
from ioc.logs import logger

if TYPE_CHECKING:
    import aiohttp

    from ioc.ports import Clock, Sink

_log = logger("connectors.cap_list")
_MOST_REMEMBERED = 5_000
_MOST_TRIES = 3


class CapListConnector:
    """Polls a list of warnings. What it has read is remembered in memory; after a restart all is read again, once."""

    def __init__(
        self, feed: Feed, clock: Clock, config: CapListConfig, *, headers: Mapping[str, str], random: Random
    ) -> None:
        self.feed_id = feed.feed_id
        self._feed, self._clock, self._config, self._random = feed, clock, config, random
        self._asker, self._stranger = Asker(config, headers), Asker(config, {})
        self._home = URL(config.url)
        self._last: Answer | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._tries: dict[str, int] = {}

    async def run(self, sink: Sink) -> None:
        """Poll for as long as the list is there; a busy source is asked again when it says, at the latest.

        Raises:
            SourceLostError: the list does not answer, or is none.
            LogUnavailableError: the log does not answer; what it did not take is fetched again after the next start.
        """
        async with self._asker.open_session() as session:
            while True:
                try:
                    await self._poll(session, sink)
                    wait = self._draw_wait()
                except BusySourceError as busy:
                    wait = min(busy.retry_after or self._draw_wait(), self._config.longest_wait)
                    _log.debug("cap_list.busy", feed=self.feed_id, seconds=wait.total_seconds())
                await self._clock.sleep(wait)

    async def _poll(self, session: aiohttp.ClientSession, sink: Sink) -> None:
        url = self._home.update_query(self._config.query)
        answer = await self._asker.ask(session, url, self._last, now=self._clock.now())
        if answer.body is None:
            return
        try:
            links = read_list(answer.body, self._home)
        except MalformedPayloadError as error:
            raise SourceLostError(f"{self._home.host}: the list cannot be read: {error.reason}") from error
        for link in links:
            if link.key in self._seen:
                self._seen.move_to_end(link.key)  # what is still listed must not be forgotten and read again
        fresh = [link for link in links if link.key not in self._seen]
        for link in fresh[: self._config.most_links]:
            await self._follow(session, link, sink)
        # A list of which something is still to be read must not be answered by "unchanged".
        self._last = answer if all(link.key in self._seen for link in links) else None
        self._tries = {key: count for key, count in self._tries.items() if any(link.key == key for link in links)}

    async def _follow(self, session: aiohttp.ClientSession, link: Link, sink: Sink) -> None:
        """Fetch a message and hand it over; one that cannot be had is tried again with the next polls, then kept so."""
        try:
            asker = self._choose_asker(link.url)
            answer = await asker.ask(session, link.url, now=self._clock.now())
        except BusySourceError:
            raise
        except SourceLostError as error:
            self._tries[link.key] = self._tries.get(link.key, 0) + 1
            if self._tries[link.key] < _MOST_TRIES and not isinstance(error, _ForeignLinkError):
                return
            address = str(link.url.with_query(None).with_user(None))
            parsed = self._feed.bury(address.encode(), f"its list links to it, and it cannot be had: {error}")
        else:
            parsed = self._feed.parse_or_bury(answer.body or b"", received_at=self._clock.now(), form=Form.CAP)
        received_at = self._clock.now()
        await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
        self._remember(link.key)

    def _choose_asker(self, url: URL) -> Asker:
        """Say who fetches a link: our headers may hold a secret, and go to the list's own address only."""
        if url.origin() == self._home.origin():
            return self._asker
        is_weaker = self._home.scheme == "https" and url.scheme != "https"
        if is_weaker or url.host not in (self._home.host, *self._config.hosts):
            raise _ForeignLinkError(f"{url.host} is not among hosts of the configuration")
        return self._stranger

    def _remember(self, key: str) -> None:
        self._tries.pop(key, None)
        self._seen[key] = None
        while len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def _draw_wait(self) -> timedelta:
        return self._config.every * (1 + self._config.jitter * (2 * self._random.random() - 1))


class _ForeignLinkError(SourceLostError):
    """A link leads where we do not go."""
