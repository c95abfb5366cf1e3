"""One attempt at one webhook: posts, reads at most a little of the answer, and says what happened."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from ioc import __version__, cancellation
from ioc.delivery.destination import DestinationPolicy, guarded_socket
from ioc.delivery.policy import Answer, Outcome, classify_status
from ioc.errors import DestinationRefusedError

DEADLINE_S = 15.0
"""For everything: look-up, connection, request and the part of the body that we read."""

READ_BYTES = 16 * 1024
DETAIL_CHARACTERS = 200


class WebhookClient:
    """Posts webhooks with one connection pool and no memory: no cookies, no redirects, no proxy, no decompression.

    Args:
        policy: where webhooks may go.
        ssl_context: trust roots; None means the system's.
        deadline_s: seconds for one attempt, all included.
    """

    def __init__(
        self, *, policy: DestinationPolicy, ssl_context: ssl.SSLContext | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self._policy, self._ssl, self._deadline_s = policy, ssl_context, deadline_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            socket_factory=lambda info: guarded_socket(self._policy, info),
            ssl=self._ssl or True,
            limit=256,
            # The outbox bounds each endpoint. A second bound here would have attempts wait for each other inside their
            # own deadline, where endpoints share a host.
            limit_per_host=0,
            use_dns_cache=False,
            enable_cleanup_closed=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"user-agent": f"qn-ioc/{__version__}"},
            max_line_size=8_190,
            max_field_size=8_190,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post ``body`` once. Never raises for what the other side does: that is the answer's outcome."""
        started = time.perf_counter()
        try:
            async with cancellation.timeout(self._deadline_s):
                return _timed(await self._post(url, body, headers), started)
        except TimeoutError:
            return _timed(Answer(outcome=Outcome.TIMED_OUT, detail=f"no answer within {self._deadline_s:g} s"), started)
        except DestinationRefusedError as error:
            return _timed(Answer(outcome=Outcome.REFUSED_DESTINATION, detail=error.reason), started)
        except aiohttp.ClientSSLError as error:
            return _timed(Answer(outcome=Outcome.TLS_FAILED, detail=_shorten(type(error).__name__)), started)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error.__cause__, DestinationRefusedError):
                return _timed(Answer(outcome=Outcome.REFUSED_DESTINATION, detail=error.__cause__.reason), started)
            return _timed(Answer(outcome=Outcome.UNREACHABLE, detail=_shorten(type(error).__name__)), started)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("the webhook client is used outside its context")
        self._policy.check_url(url)
        sent = {"content-type": "application/json", **headers}
        async with self._session.post(url, data=body, headers=sent, allow_redirects=False) as response:
            seen = bytearray()
            async for chunk in response.content.iter_chunked(4_096):
                seen += chunk
                if len(seen) >= READ_BYTES:
                    response.close()
                    break
            outcome = classify_status(response.status)
            detail = "" if outcome is Outcome.DELIVERED else _shorten(bytes(seen[:1_000]).decode("utf-8", "replace"))
            return Answer(
                outcome=outcome, status=response.status, retry_after=response.headers.get("Retry-After"), detail=detail
            )


def _timed(answer: Answer, started: float) -> Answer:
    return Answer(
        outcome=answer.outcome,
        status=answer.status,
        retry_after=answer.retry_after,
        detail=answer.detail,
        duration_ms=round((time.perf_counter() - started) * 1_000, 1),
    )


def _shorten(text: str) -> str:
    """Keep a printable, short piece: an answer's body goes to a log that people read."""
    return "".join(character if character.isprintable() else " " for character in text)[:DETAIL_CHARACTERS].strip()
