"""The socket ``/ws/v1``: who may open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ioc import cancellation
from ioc.api.auth import VIEWERS
from ioc.api.services import ApiServices, Services
from ioc.api.wall import protocol
from ioc.api.wall.conversation import CLOSE_DEADLINE_S, Conversation, close, receive
from ioc.api.wall.protocol import Close, MalformedFrameError
from ioc.errors import IocError
from ioc.storage.accounts import Admission

HELLO_DEADLINE_S = 5.0
MOST_SOCKETS = 2_000
MOST_SOCKETS_A_USER = 20


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the route of the wall's socket."""
    routes = APIRouter()
    sockets = _Sockets()

    @routes.websocket("/ws/v1")
    async def wall(socket: WebSocket) -> None:
        """Serve one wall."""
        if not _is_own_origin(socket, services.allowed_origins) or "token" in socket.query_params:
            await close(socket, Close.FORBIDDEN)
            return
        if sockets.open_count >= MOST_SOCKETS:
            await _turn_away(socket)
            return
        with sockets.opened():
            is_known = protocol.SUBPROTOCOL in socket.scope["subprotocols"]
            await socket.accept(subprotocol=protocol.SUBPROTOCOL if is_known else None)
            if not is_known:
                await close(socket, Close.WRONG_PROTOCOL)
                return
            admission = await _greet(socket, api)
            if admission is None:
                return
            with sockets.taken(admission.account.name) as is_allowed:
                if is_allowed:
                    await Conversation(socket, admission, api, services.clock).hold()
                else:
                    await close(socket, Close.TOO_MANY)

    return routes


class _Sockets:
    """How many sockets are open, and whose."""

    def __init__(self) -> None:
        self.open_count = 0
        self._by_user: dict[str, int] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Count a socket; before its hello it counts for nobody, but it counts."""
        self.open_count += 1
        try:
            yield
        finally:
            self.open_count -= 1

    @contextmanager
    def taken(self, user: str) -> Iterator[bool]:
        """Count a socket of a user; False when they have too many."""
        count = self._by_user.get(user, 0)
        if count >= MOST_SOCKETS_A_USER:
            yield False
            return
        self._by_user[user] = count + 1
        try:
            yield True
        finally:
            self._by_user[user] -= 1
            if not self._by_user[user]:
                del self._by_user[user]


async def _turn_away(socket: WebSocket) -> None:
    """Refuse before the upgrade: the server is full, which is not the wall's fault."""
    with suppress(RuntimeError, OSError, TimeoutError):
        async with cancellation.timeout(CLOSE_DEADLINE_S):
            await socket.send_denial_response(Response("too many walls", 503, {"Retry-After": "15"}))


async def _greet(socket: WebSocket, api: ApiServices) -> Admission | None:
    """Wait for the hello and its ticket; close the socket and give None where they do not come."""
    code, reason = Close.SIGNED_OUT, "the ticket is not good"
    try:
        async with cancellation.timeout(HELLO_DEADLINE_S):
            frame = protocol.decode(await receive(socket))
            if isinstance(frame, protocol.Hello):
                admission = await api.accounts.redeem_ticket(frame.token)
                if admission is not None and set(admission.account.roles) & set(VIEWERS):
                    return admission
            else:
                code, reason = Close.MALFORMED, "say hello first"
    except TimeoutError:
        code, reason = Close.TIMED_OUT, f"no hello within {HELLO_DEADLINE_S:g} s"
    except MalformedFrameError as error:
        code, reason = Close.MALFORMED, str(error)
    except WebSocketDisconnect:
        return None
    except IocError as error:
        code, reason = Close.UNAVAILABLE, str(error)
    await close(socket, code, reason)
    return None


def _is_own_origin(socket: WebSocket, allowed: tuple[str, ...]) -> bool:
    """Whether the page that opens the socket is ours. A program that is no browser sends no origin."""
    origin = socket.headers.get("origin")
    if origin is None or origin in allowed:
        return True
    return urlsplit(origin).netloc == socket.headers.get("host")
