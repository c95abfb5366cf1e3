"""What a request must be before anything looks at it: small enough, quick enough, and without NUL in its texts.

PostgreSQL keeps no NUL in a text, so one that got through would fail deep inside as our own fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ioc import cancellation
from ioc.api.problems import problem

MOST_BODY_BYTES = 256 * 1024
"""Bodies of people's requests; ingest has its own, larger limit."""
BODY_DEADLINE_S = 20.0
INGEST = "/api/v1/ingest/"
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Gate:
    """Turns requests away that no route should have to think about. Bodies of ingest pass: their route reads them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"\0" in scope["query_string"] or b"%00" in scope["query_string"]:
            await problem(400, "nul", "no text may hold a NUL character")(scope, receive, send)
            return
        if scope["path"].startswith(INGEST) or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            async with cancellation.timeout(BODY_DEADLINE_S):
                body = await read_body(scope, receive, most_bytes=MOST_BODY_BYTES)
        except BodyTooLargeError:
            await problem(413, "too_large", f"at most {MOST_BODY_BYTES} bytes")(scope, receive, send)
            return
        except TimeoutError:
            await problem(408, "too_slow", f"the body did not come within {BODY_DEADLINE_S:g} s", headers=CLOSE)(
                scope, receive, send
            )
            return
        except ClientDisconnect:
            return
        if b"\0" in body or _ESCAPED_NUL.search(body):
            await problem(400, "nul", "no text may hold a NUL character")(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


CLOSE: Mapping[str, str] = {"Connection": "close"}
"""After a body that was not read to its end the connection cannot be used again."""


class BodyTooLargeError(Exception):
    """A body has more bytes than its route takes."""


async def read_body(scope: Scope, receive: Receive, *, most_bytes: int) -> bytes:
    """Read a body, and stop reading where it becomes too large, whatever its header said.

    Raises:
        BodyTooLargeError: there is more than ``most_bytes``.
        ClientDisconnect: the caller has gone before the end.
    """
    if _announced(scope) > most_bytes:
        raise BodyTooLargeError
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > most_bytes:
            raise BodyTooLargeError
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _announced(scope: Scope) -> int:
    given = dict(scope["headers"]).get(b"content-length", b"")
    return int(given[:20]) if given.isdigit() else 0


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"transfer-encoding" in names or _announced(scope) > 0 or scope["method"] not in {"GET", "HEAD", "OPTIONS"}


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class BehindProxy:
    """Takes the caller's address and scheme from the one proxy in front of us.

    Only the last entry of ``X-Forwarded-For`` counts: the proxy wrote it; those before it are whatever the caller sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as the proxy received it."""
        if scope["type"] in {"http", "websocket"}:
            # The last header line is the nearest proxy's, so a dict of the lines is right.
            headers = dict(scope["headers"])
            scope = dict(scope)
            address = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
            if address:
                scope["client"] = (address[:64], 0)
            if headers.get(b"x-forwarded-proto", b"").strip() == b"https":
                scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        await self._app(scope, receive, send)
