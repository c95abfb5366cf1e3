"""HTTP/1.1 as we serve it: uvicorn's fast parser, with the bounds on a request's head that it leaves out."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
HEAD_DEADLINE_S = 20.0


class GuardedHttp(HttpToolsProtocol):
    """Closes connections whose request line and headers are too long or too slow to come.

    Without it a caller could make us keep a header of any length, or hold a connection for ever by a byte a minute.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True
        self._head_bytes = self._heads_count = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect the head of the first request in time."""
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse a head that grows too long."""
        heads_count, was_in_head = self._heads_count, self._is_in_head
        super().data_received(data)
        is_same_head = was_in_head and self._heads_count == heads_count
        if not is_same_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES:
            self.send_400_response("The head of the request is too long.")
        elif self._deadline is None:
            self._start_deadline()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head, self._head_bytes = False, 0
        self._heads_count += 1
        self._end_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next thing to come is another head; until its first byte the keep-alive limit counts."""
        super().on_message_complete()
        self._is_in_head = True

    def _start_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self.transport.close)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
