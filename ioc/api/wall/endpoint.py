"""The socket ``/ws/v1``: who may open it, what it may say, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ioc.api.auth import OPERATORS, VIEWERS
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_alert
from ioc.api.wall import protocol
from ioc.api.wall.hub import HEARTBEAT, WallHub
from ioc.api.wall.protocol import Close, MalformedFrameError
from ioc.api.wall.session import Session, SlowWallError
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import IocError, NotFoundError, RefusedActionError, RevisionConflictError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.accounts import Account
from ioc.storage.alerts import Action, PostgresAlertStore

_log = logger("wall.socket")

HELLO_DEADLINE_S = 5.0
CLOSE_DEADLINE_S = 5.0
MOST_SOCKETS = 2_000
MOST_SOCKETS_A_USER = 20
MOST_CHANNELS = 32
MOST_FRAMES_A_SECOND = 20
_BURST = 60
_CHANGES: Mapping[type[protocol.Action], ChangeType] = {
    protocol.Ack: ChangeType.ACKNOWLEDGED,
    protocol.Shelve: ChangeType.SHELVED,
    protocol.Unshelve: ChangeType.UNSHELVED,
}


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the route of the wall's socket."""
    routes = APIRouter()
    sockets: dict[str, int] = {}

    @routes.websocket("/ws/v1")
    async def wall(socket: WebSocket) -> None:
        """Serve one wall."""
        if not _is_own_origin(socket, services.allowed_origins):
            await socket.close(Close.FORBIDDEN)
            return
        if protocol.SUBPROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(Close.WRONG_PROTOCOL)
            return
        await socket.accept(subprotocol=protocol.SUBPROTOCOL)
        account = await _greet(socket, api)
        if account is None:
            return
        if api.hub.session_count >= MOST_SOCKETS or sockets.get(account.name, 0) >= MOST_SOCKETS_A_USER:
            await socket.close(Close.TOO_MANY)
            return
        sockets[account.name] = sockets.get(account.name, 0) + 1
        try:
            await _Conversation(socket, account, api, services.clock).hold()
        finally:
            sockets[account.name] -= 1
            if not sockets[account.name]:
                del sockets[account.name]

    return routes


async def _greet(socket: WebSocket, api: ApiServices) -> Account | None:
    """Wait for the hello and its ticket; close the socket and give None where they do not come."""
    code = Close.SIGNED_OUT
    try:
        async with asyncio.timeout(HELLO_DEADLINE_S):
            frame = protocol.decode(await _receive(socket))
            if isinstance(frame, protocol.Hello):
                account = await api.accounts.redeem_ticket(frame.token)
                if account is not None and set(account.roles) & set(VIEWERS):
                    return account
            else:
                code = Close.MALFORMED
    except TimeoutError:
        code = Close.TIMED_OUT
    except MalformedFrameError:
        code = Close.MALFORMED
    except WebSocketDisconnect:
        return None
    except IocError:
        code = Close.GOING_AWAY
    await _close(socket, code)
    return None


class _Conversation:
    """One wall, from welcome to goodbye."""

    def __init__(self, socket: WebSocket, account: Account, api: ApiServices, clock: Clock) -> None:
        self._socket, self._account, self._api, self._clock = socket, account, api, clock
        self._hub: WallHub = api.hub
        self._session = Session(account, socket.send_text, self._hub.now_ms)
        self._tokens, self._tokens_at = float(_BURST), clock.now()

    async def hold(self) -> None:
        """Talk until one side ends it."""
        self._session.post(
            protocol.encode(
                "welcome",
                self._hub.now_ms(),
                sid=f"{id(self._session):x}",
                user=self._account.name,
                roles=list(self._account.roles),
                hb=HEARTBEAT.total_seconds(),
                tz="Asia/Ho_Chi_Minh",
                v=protocol.VERSION,
                limits={"subscriptions": MOST_CHANNELS, "frames_per_s": MOST_FRAMES_A_SECOND},
            )  # fmt: skip
        )
        self._hub.join(self._session)
        code = Close.GOING_AWAY
        writing = asyncio.create_task(self._session.write(), name="wall:writer")
        listening = asyncio.create_task(self._listen(), name="wall:reader")
        try:
            done, _ = await asyncio.wait({writing, listening}, return_when=asyncio.FIRST_COMPLETED)
            code = _to_code(done)
        finally:
            self._hub.leave(self._session)
            writing.cancel()
            listening.cancel()
            await asyncio.gather(writing, listening, return_exceptions=True)
            await self._say_goodbye(code)

    async def _say_goodbye(self, code: Close) -> None:
        if code is Close.SLOW:
            _log.info("wall.slow", user=self._account.name)
        await _close(self._socket, code)

    async def _listen(self) -> None:
        while True:
            frame = protocol.decode(await _receive(self._socket))
            if not self._has_token():
                self._refuse(frame, "rate", f"at most {MOST_FRAMES_A_SECOND} frames a second")
                continue
            await self._answer(frame)

    def _has_token(self) -> bool:
        now = self._clock.now()
        passed = (now - self._tokens_at) / timedelta(seconds=1)
        self._tokens = min(float(_BURST), self._tokens + passed * MOST_FRAMES_A_SECOND)
        self._tokens_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _answer(self, frame: protocol.Frame) -> None:
        match frame:
            case protocol.Sub():
                self._subscribe(frame)
            case protocol.Unsub():
                self._session.leave(frame.ch)
                self._confirm(frame.id)
            case protocol.Resync():
                if not self._hub.follow(self._session, frame.ch, None, why="old"):
                    self._refuse(frame, "unknown_channel", f"no channel {frame.ch!r}")
            case protocol.Ping():
                self._confirm(frame.id)
            case protocol.Refresh():
                await self._refresh(frame)
            case protocol.Ack() | protocol.Shelve() | protocol.Unshelve():
                await self._act(frame)
            case protocol.Hello():
                self._refuse(frame, "unexpected", "you have said hello already")

    def _subscribe(self, frame: protocol.Sub) -> None:
        if len(self._session.channels | {frame.ch}) > MOST_CHANNELS:
            self._refuse(frame, "too_many_channels", f"at most {MOST_CHANNELS} channels")
            return
        if frame.ch not in self._hub.states and frame.ch != self._hub.alert_channel.name:
            self._refuse(frame, "unknown_channel", f"no channel {frame.ch!r}")
            return
        self._confirm(frame.id)
        self._hub.follow(self._session, frame.ch, frame.resume)

    async def _refresh(self, frame: protocol.Refresh) -> None:
        account = await self._api.accounts.redeem_ticket(frame.token)
        if account is None or account.name != self._account.name:
            self._refuse(frame, "signed_out", "the ticket is not good")
        else:
            self._confirm(frame.id)

    async def _act(self, frame: protocol.Action) -> None:
        if not set(self._account.roles) & set(OPERATORS):
            self._refuse(frame, "forbidden", f"this needs one of the roles {', '.join(OPERATORS)}")
            return
        now = self._clock.now()
        action = Action(
            type=_CHANGES[type(frame)], actor=self._account.name, at=now, expected_revision=frame.ver,
            reason=frame.reason if isinstance(frame, protocol.Shelve) else frame.note,
            until=_aware(frame.until) if isinstance(frame, protocol.Shelve) else None, idempotency_key=frame.cid,
        )  # fmt: skip
        try:
            alert = await self._do(frame.alert, action)
        except RevisionConflictError as conflict:
            current = to_alert(conflict.current) if isinstance(conflict.current, Alert) else None
            self._refuse(frame, "revision_conflict", str(conflict), current=current)
        except RefusedActionError as refusal:
            self._refuse(frame, refusal.code, str(refusal))
        except NotFoundError as missing:
            self._refuse(frame, "not_found", str(missing))
        except IocError as error:
            self._refuse(frame, "unavailable", str(error), retry=error.retryable)
        else:
            self._confirm(frame.id, rev=alert.revision)

    async def _do(self, alert_id: str, action: Action) -> Alert:
        try:
            known = UUID(alert_id)
        except ValueError as error:
            raise NotFoundError("alert", alert_id) from error
        store: PostgresAlertStore = self._api.alerts
        alert = await store.act(known, action)
        await self._api.audit.note(
            actor=self._account.name, address=self._socket.client.host if self._socket.client else "-",
            action=f"alert.{action.type}", on=alert_id, detail={"revision": alert.revision},
        )  # fmt: skip
        return alert

    def _confirm(self, frame_id: int, **more: object) -> None:
        self._session.post(protocol.encode("ok", self._hub.now_ms(), id=frame_id, **more))

    def _refuse(self, frame: protocol.Frame, code: str, message: str, **more: Any) -> None:
        frame_id = None if isinstance(frame, protocol.Hello) else frame.id
        self._session.post(protocol.to_error(code, message, self._hub.now_ms(), frame_id=frame_id, **more))


async def _receive(socket: WebSocket) -> str:
    """Give the next text frame.

    Raises:
        MalformedFrameError: it was binary.
        WebSocketDisconnect: the wall has gone.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None:
        raise MalformedFrameError("frames are text")
    return str(text)


def _to_code(done: set[asyncio.Task[None]]) -> Close:
    for task in done:
        match task.exception():
            case SlowWallError():
                return Close.SLOW
            case MalformedFrameError():
                return Close.MALFORMED
            case WebSocketDisconnect() | OSError():
                return Close.GOING_AWAY
            case None:
                continue
            case IocError():
                return Close.GOING_AWAY
            case BaseException() as error:
                _log.error("wall.failed", exc_info=error)
    return Close.GOING_AWAY


async def _close(socket: WebSocket, code: Close) -> None:
    if socket.application_state is WebSocketState.DISCONNECTED or socket.client_state is WebSocketState.DISCONNECTED:
        return
    with suppress(RuntimeError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await socket.close(code)


def _is_own_origin(socket: WebSocket, allowed: tuple[str, ...]) -> bool:
    """Whether the page that opens the socket is ours. Programs that are no browser send no origin, and need a ticket too."""
    origin = socket.headers.get("origin")
    if origin is None or origin in allowed:
        return True
    return urlsplit(origin).netloc == socket.headers.get("host")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise_at = "until needs an offset from UTC"
        raise MalformedFrameError(raise_at)
    return at
