"""HTTP asked again and again: only what changed is sent, only what was wanted is read, nobody is asked too often.

Nothing is remembered beyond this process. After a restart everything is read again; the same records have the same ids,
so the log's readers take them once.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.ways import CursorConfig, PollConfig
from ioc import cancellation
from ioc.domain.events import Parsed
from ioc.errors import SourceLostError
from ioc.logs import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ioc.ports import Clock, Sink

_log = logger("connectors.poll")
_CHUNK_BYTES = 64 * 1024
_MOST_REDIRECTS = 5
_MOST_PAGES = 200
_MOST_CURSOR = 512
_MOST_LINK = 8_192
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a poll brought: a body with its validators, or none because nothing changed."""

    url: URL
    body: bytes | None
    etag: str | None = None
    modified: str | None = None


class BusySourceError(SourceLostError):
    """The source asks us to come later; ``retry_after`` is its wish, None when it names no time."""

    def __init__(self, status: int, retry_after: timedelta | None) -> None:
        self.status, self.retry_after = status, retry_after
        super().__init__(f"the source is busy: HTTP {status}")


class PollConnector:
    """Brings a feed in by polling an address. Give it its headers with the secrets filled in."""

    def __init__(
        self, feed: Feed, clock: Clock, config: PollConfig, *, headers: Mapping[str, str], random: Random
    ) -> None:
        self.feed_id = feed.feed_id
        self._feed = feed
        self._clock = clock
        self._config = config
        self._form = Form(config.form)
        self._random = random
        self._asker = Asker(config, headers)
        self._last: Answer | None = None
        self._cursor = None if config.cursor is None else config.cursor.start
        self._newest_at: datetime | None = None

    async def run(self, sink: Sink) -> None:
        """Poll for as long as the source answers; a busy one is asked again when it says, at the latest.

        Raises:
            SourceLostError: no answer, an answer that is not whole, or one that says no.
            LogUnavailableError: the log does not answer; the same is asked for again after the next start.
        """
        async with self._asker.open_session() as session:
            while True:
                try:
                    await self._poll_pages(session, sink)
                    wait = self._draw_wait()
                except BusySourceError as busy:
                    wait = min(busy.retry_after or self._draw_wait(), self._config.longest_wait)
                    _log.debug("poll.busy", feed=self.feed_id, status=busy.status, seconds=wait.total_seconds())
                await self._clock.sleep(wait)

    async def _poll_pages(self, session: aiohttp.ClientSession, sink: Sink) -> None:
        url: URL | None = self._make_url()
        for _ in range(_MOST_PAGES):
            if url is None:
                return
            before = self._cursor
            body = await self._poll(session, url, sink)
            url = None if body is None else self._find_next(body, url, has_moved=self._cursor != before)

    def _find_next(self, body: bytes, url: URL, *, has_moved: bool) -> URL | None:
        """Give the address of the next page, None behind the last.

        Raises:
            SourceLostError: it lies on another host.
        """
        if self._config.next_link is None:
            cursor = self._config.cursor
            return self._make_url() if cursor is not None and cursor.follow and has_moved else None
        link = find_cursor(body, self._config.next_link, longest=_MOST_LINK)
        following = None if link is None else _find_redirect(url, link)
        return None if following == url else following

    async def _poll(self, session: aiohttp.ClientSession, url: URL, sink: Sink) -> bytes | None:
        answer = await self._asker.ask(session, url, self._last, now=self._clock.now())
        if answer.body is None:
            return None
        received_at = self._clock.now()
        parsed = self._feed.parse_or_bury(answer.body, received_at=received_at, form=self._form)
        await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
        # Only what the log has counts as read: until here a failure makes us ask for the same again.
        self._last = answer
        self._move_cursor(answer.body, parsed)
        return answer.body

    def _make_url(self) -> URL:
        url = URL(self._config.url).update_query(self._config.query)
        if self._config.cursor is not None and self._cursor is not None:
            cursor = self._config.cursor
            url = url.update_query({cursor.parameter: cursor.written.replace("{}", self._cursor)})
        return url

    def _move_cursor(self, body: bytes, parsed: Parsed) -> None:
        cursor = self._config.cursor
        if cursor is None:
            return
        if cursor.field is not None:
            self._cursor = find_cursor(body, cursor.field) or self._cursor
        elif parsed.events:
            newest_at = max(event.observed_at for event in parsed.events)
            self._newest_at = newest_at if self._newest_at is None else max(newest_at, self._newest_at)
            self._cursor = write_time(self._newest_at - cursor.lookback, cursor)

    def _draw_wait(self) -> timedelta:
        return self._config.every * (1 + self._config.jitter * (2 * self._random.random() - 1))


class Asker:
    """Asks one address, within bounds of time and size, and goes where it is sent only on the same host."""

    def __init__(self, config: PollConfig, headers: Mapping[str, str]) -> None:
        self._config = config
        self._headers = {"Accept-Encoding": "gzip", "User-Agent": "qn-ioc", **headers}

    def open_session(self) -> aiohttp.ClientSession:
        """Make the session that polls share; it keeps no cookies and unpacks nothing by itself."""
        return aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._config.deadline.total_seconds()),
        )

    async def ask(
        self, session: aiohttp.ClientSession, url: URL, last: Answer | None = None, *, now: datetime
    ) -> Answer:
        """Ask for what changed since ``last``.

        Raises:
            BusySourceError: 429 or 503.
            SourceLostError: no whole answer in time, too large a one, a redirect elsewhere, or another status.
        """
        headers = dict(self._headers)
        if last is not None and last.url == url:
            if last.etag is not None:
                headers["If-None-Match"] = last.etag
            if last.modified is not None:
                headers["If-Modified-Since"] = last.modified
        try:
            async with cancellation.timeout(self._config.deadline.total_seconds()):
                return await self._follow(session, url, headers, now)
        except TimeoutError as error:
            raise SourceLostError(f"{url.host}: no whole answer within {self._config.deadline}") from error
        except (aiohttp.ClientError, OSError) as error:
            # The message of a client error may hold the address with its query, and that may hold a key.
            raise SourceLostError(f"{url.host}: {type(error).__name__}") from error

    async def _follow(
        self, session: aiohttp.ClientSession, asked: URL, headers: Mapping[str, str], now: datetime
    ) -> Answer:
        url = asked
        for _ in range(_MOST_REDIRECTS + 1):
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response, asked, now)
                url = _find_redirect(url, response.headers.get("Location", ""))
        raise SourceLostError(f"{asked.host}: more than {_MOST_REDIRECTS} redirects")

    async def _read(self, response: aiohttp.ClientResponse, asked: URL, now: datetime) -> Answer:
        if response.status == 304:
            return Answer(url=asked, body=None)
        if response.status in _BUSY:
            raise BusySourceError(response.status, read_retry_after(response.headers.get("Retry-After"), now))
        if response.status == 204:
            return Answer(url=asked, body=None)
        if response.status != 200:
            raise SourceLostError(f"{asked.host}: HTTP {response.status}")
        return Answer(
            url=asked,
            body=await self._read_body(response),
            etag=response.headers.get("ETag"),
            modified=response.headers.get("Last-Modified"),
        )

    async def _read_body(self, response: aiohttp.ClientResponse) -> bytes:
        host, most_bytes = response.url.host, self._config.most_bytes
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise SourceLostError(f"{host}: Content-Encoding that we did not ask for")
        unpacker = None if encoding == "identity" else zlib.decompressobj(16 + zlib.MAX_WBITS)
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            try:
                body += chunk if unpacker is None else unpacker.decompress(chunk, most_bytes + 1 - len(body))
            except zlib.error as error:
                raise SourceLostError(f"{host}: not gzip, though it says so") from error
            if len(body) > most_bytes:
                raise SourceLostError(f"{host}: larger than {most_bytes} bytes")
        if unpacker is not None and (not unpacker.eof or unpacker.unused_data):
            raise SourceLostError(f"{host}: gzip is cut short, or something follows it")
        return bytes(body)


def _find_redirect(url: URL, location: str) -> URL:
    """Give where we are sent, by a redirect or by a link to the next page."""
    try:
        target = url.join(URL(location))
    except ValueError as error:
        raise SourceLostError(f"{url.host}: redirects to what is no address") from error
    is_upgrade = (url.scheme, target.scheme) == ("http", "https") and (url.port, target.port) == (80, 443)
    same_door = (target.scheme, target.port) == (url.scheme, url.port)
    if not location or target.host != url.host or not (same_door or is_upgrade):
        # Another host would be handed our headers, and what it says would count as this source's.
        raise SourceLostError(f"{url.host}: redirects to another host, which is not followed")
    return target


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read ``Retry-After``, seconds or a date (RFC 9110 §10.2.3); None when it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:12]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)


def find_cursor(body: bytes, path: str, *, longest: int = _MOST_CURSOR) -> str | None:
    """Give the text or whole number at a path of a JSON body, or None: ``meta.next``, or ``/@iot.nextLink``."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for key in path[1:].split("/") if path.startswith("/") else path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**30 else ""
    return text if 0 < len(text) <= longest else None


def write_time(at: datetime, cursor: CursorConfig) -> str:
    """Write an instant as the source wants to read it."""
    if cursor.time_form == "iso":
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    seconds = at.timestamp()
    return str(int(seconds)) if cursor.time_form == "epoch_s" else str(int(seconds * 1000))
