"""One wall's conversation over its socket: what it may say, what it is told, how it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Any, NoReturn

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ioc import cancellation
from ioc.api.auth import VIEWERS
from ioc.api.services import ApiServices
from ioc.api.views import to_ms
from ioc.api.wall import protocol
from ioc.api.wall.actions import SentAwayError, WallActions, to_refusal
from ioc.api.wall.channels import MOST_KEYS, StateChannel
from ioc.api.wall.hub import HEARTBEAT, WallHub
from ioc.api.wall.protocol import Close, MalformedFrameError
from ioc.api.wall.session import Session, SlowWallError
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.accounts import Account, Admission

_log = logger("wall.socket")

BYE_DEADLINE_S = 1.0
CLOSE_DEADLINE_S = 5.0
TRUST = timedelta(minutes=10)
"""How long a wall may watch by one ticket. Who was signed out or lost a role watches no longer than this, and acts no
more at once: every action asks anew."""
ASK_BEFORE = timedelta(seconds=60)
AFTER_MS = {Close.SLOW: 1_000, Close.UNAVAILABLE: 5_000}
"""How long a wall waits before it comes again, at least."""
MOST_CHANNELS = 32
MOST_FRAMES_A_SECOND = 20
MOST_FRAME_BYTES = 16_384
_BURST = 60
_MOST_REASON = 500
"""What a wall is told of a text that is no frame: the fault may hold as much of it as came."""
_MOST_REASON_BYTES = 123
"""RFC 6455: a control frame holds 125 bytes, two of them the code."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a conversation ends. ``answers`` are frames that the wall still gets before the goodbye."""

    code: Close
    reason: str = ""
    answers: tuple[str, ...] = ()


class _EndedError(Exception):
    """Our side ends the conversation; how, its ``_ending`` says."""


class Conversation:
    """One wall, from welcome to goodbye."""

    def __init__(self, socket: WebSocket, admission: Admission, api: ApiServices, clock: Clock) -> None:
        self._socket, self._api, self._clock = socket, api, clock
        self._admission = admission
        self._actions = WallActions(api, clock, address=socket.client.host if socket.client else "-")
        self._hub: WallHub = api.hub
        self._session = Session(admission.account, socket.send_text, self._hub.now_ms)
        self._tokens, self._tokens_at = float(_BURST), clock.now()
        self._last_id = -1
        self._trusted_until = clock.now() + TRUST
        self._ending = _Ending(Close.GOING_AWAY)

    @property
    def _account(self) -> Account:
        return self._admission.account

    async def hold(self) -> None:
        """Talk until one side ends it."""
        limits = {
            "subscriptions": MOST_CHANNELS, "frames_per_s": MOST_FRAMES_A_SECOND, "frame_bytes": MOST_FRAME_BYTES,
            "rows": MOST_KEYS, "shelf_s": self._api.alert_actions.longest_shelf // timedelta(seconds=1),
        }  # fmt: skip
        self._post(
            "welcome", sid=token_hex(8), user=self._account.name, roles=list(self._account.roles),
            hb=HEARTBEAT.total_seconds(), tz="Asia/Ho_Chi_Minh", v=protocol.VERSION, limits=limits,
        )  # fmt: skip
        self._hub.join(self._session)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._session.write(), name="wall:writer")
                group.create_task(self._listen(), name="wall:reader")
                group.create_task(self._watch_trust(), name="wall:trust")
        except* SlowWallError as errors:
            self._ending = _Ending(Close.SLOW)
            _log.info("wall.slow", user=self._account.name, reason=str(errors.exceptions[0]))
        except* MalformedFrameError as errors:
            self._ending = _Ending(Close.MALFORMED, str(errors.exceptions[0])[:_MOST_REASON])
        except* (_EndedError, WebSocketDisconnect, OSError):
            pass
        finally:
            self._hub.leave(self._session)
        await self._say_goodbye(self._ending)

    def _end(self, ending: _Ending) -> NoReturn:
        self._ending = ending
        raise _EndedError

    async def _say_goodbye(self, ending: _Ending) -> None:
        """Say why, as far as the wall still listens, and close."""
        if self._socket.client_state is WebSocketState.CONNECTED:
            more: dict[str, object] = {"msg": ending.reason} if ending.reason else {}
            if ending.code in AFTER_MS:
                more["after_ms"] = AFTER_MS[ending.code]
            bye = protocol.encode("bye", self._hub.now_ms(), code=ending.code.value, **more)
            with suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
                async with cancellation.timeout(BYE_DEADLINE_S):
                    for text in (*ending.answers, bye):
                        await self._socket.send_text(text)
        await close(self._socket, ending.code, ending.reason)

    async def _watch_trust(self) -> None:
        """Ask for a fresh ticket from time to time: who was signed out or lost a role must not go on for ever.

        Raises:
            _EndedError: none came.
        """
        while (left := self._trusted_until - self._clock.now()) > timedelta(0):
            if left > ASK_BEFORE:
                await self._clock.sleep(left - ASK_BEFORE)
                continue
            self._post("auth", exp=to_ms(self._trusted_until))
            await self._clock.sleep(left)
        self._end(_Ending(Close.SIGNED_OUT, "no fresh ticket came in time"))

    async def _listen(self) -> None:
        while True:
            frame = protocol.decode(await receive(self._socket))
            if not self._has_token():
                self._refuse(frame, "rate", f"at most {MOST_FRAMES_A_SECOND} frames a second", retry=True)
                continue
            if not isinstance(frame, protocol.Hello):
                if frame.id <= self._last_id:
                    self._refuse(frame, "id_order", "every frame has a larger id than the one before")
                    continue
                self._last_id = frame.id
            await self._answer(frame)

    def _has_token(self) -> bool:
        now = self._clock.now()
        passed = (now - self._tokens_at) / timedelta(seconds=1)
        self._tokens = min(float(_BURST), self._tokens + max(0.0, passed) * MOST_FRAMES_A_SECOND)
        self._tokens_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _answer(self, frame: protocol.Frame | protocol.Faulty) -> None:
        match frame:
            case protocol.Faulty():
                self._refuse(frame, "invalid", frame.fault)
            case protocol.Sub():
                self._subscribe(frame)
            case protocol.View():
                self._look(frame)
            case protocol.Unsub():
                self._session.leave(frame.ch)
                self._confirm(frame.id)
            case protocol.Resync():
                self._restart(frame)
            case protocol.Ping():
                self._confirm(frame.id)
            case protocol.Refresh():
                await self._refresh(frame)
            case protocol.Ack() | protocol.Shelve() | protocol.Unshelve():
                await self._act(frame)
            case protocol.Hist() | protocol.Play() | protocol.Stop():
                self._refuse(frame, "unsupported", "this server answers history over REST and plays nothing back")
            case protocol.Hello():
                self._refuse(frame, "unexpected", "you have said hello already")

    def _subscribe(self, frame: protocol.Sub) -> None:
        channel = self._hub.find_channel(frame.ch)
        if channel is None:
            self._refuse(frame, "unknown_channel", f"no channel {frame.ch!r}")
        elif len(self._session.channels | {frame.ch}) > MOST_CHANNELS:
            self._refuse(frame, "too_many_channels", f"at most {MOST_CHANNELS} channels")
        elif not (frame.rate is frame.filter is frame.fields is None):
            self._refuse(frame, "unsupported", "rate, filter and fields are not served")
        elif frame.bbox is not None and not (isinstance(channel, StateChannel) and channel.has_places):
            self._refuse(frame, "unsupported", "only map channels have a view")
        else:
            self._confirm(frame.id)
            if isinstance(channel, StateChannel):
                self._session.follow_state(channel, frame.resume, box=frame.bbox)
            else:
                self._session.follow_log(channel, frame.resume)

    def _look(self, frame: protocol.View) -> None:
        channel = self._hub.find_channel(frame.ch)
        if not isinstance(channel, StateChannel) or not channel.has_places:
            self._refuse(frame, "unsupported", "only map channels have a view")
        elif self._session.look_at(frame.ch, frame.bbox):
            self._confirm(frame.id)
        else:
            self._refuse(frame, "not_subscribed", f"subscribe to {frame.ch!r} first")

    def _restart(self, frame: protocol.Resync) -> None:
        channel = self._hub.find_channel(frame.ch)
        if channel is None or frame.ch not in self._session.channels:
            self._refuse(frame, "not_subscribed", f"subscribe to {frame.ch!r} first")
        else:
            self._session.restart(channel)

    async def _refresh(self, frame: protocol.Refresh) -> None:
        try:
            admission = await self._api.accounts.redeem_ticket(frame.token)
        except IocError as error:
            self._refuse(frame, "unavailable", str(error), retry=error.retryable)
            return
        if (
            admission is None
            or admission.account.name != self._account.name
            or set(admission.account.roles).isdisjoint(VIEWERS)
        ):
            self._refuse(frame, "signed_out", "the ticket is not good")
            return
        self._admission, self._session.account = admission, admission.account
        self._trusted_until = self._clock.now() + TRUST
        self._confirm(frame.id)

    async def _act(self, frame: protocol.Action) -> None:
        try:
            revision = await self._actions.act(frame, self._admission)
        except SentAwayError as error:
            refusal = protocol.to_error(error.code, str(error), self._hub.now_ms(), frame_id=frame.id)
            self._end(_Ending(error.close_code, str(error), (refusal,)))
        except IocError as error:
            self._refuse(frame, **to_refusal(error))
        else:
            self._confirm(frame.id, rev=revision)

    def _post(self, kind: str, **fields: object) -> None:
        self._session.post(protocol.encode(kind, self._hub.now_ms(), **fields))

    def _confirm(self, frame_id: int, **more: object) -> None:
        self._post("ok", id=frame_id, **more)

    def _refuse(self, frame: protocol.Frame | protocol.Faulty, code: str, message: str, **more: Any) -> None:
        frame_id = None if isinstance(frame, protocol.Hello) else frame.id
        self._session.post(protocol.to_error(code, message, self._hub.now_ms(), frame_id=frame_id, **more))


async def receive(socket: WebSocket) -> str:
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


async def close(socket: WebSocket, code: Close, reason: str = "") -> None:
    """Close a socket, whatever state it is in. Of the reason goes out what a close frame can hold."""
    if socket.application_state is WebSocketState.DISCONNECTED or socket.client_state is WebSocketState.DISCONNECTED:
        return
    with suppress(RuntimeError, OSError, TimeoutError):
        async with cancellation.timeout(CLOSE_DEADLINE_S):
            await socket.close(code, reason.encode("utf-8", "replace")[:_MOST_REASON_BYTES].decode("utf-8", "ignore"))
