"""One wall's conversation over its socket: what it may say, what it is told, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any
from uuid import UUID

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ioc import cancellation
from ioc.api.auth import OPERATORS, VIEWERS
from ioc.api.idempotency import digest_of
from ioc.api.services import ApiServices
from ioc.api.views import to_alert, to_ms
from ioc.api.wall import protocol
from ioc.api.wall.channels import MOST_KEYS, StateChannel
from ioc.api.wall.hub import HEARTBEAT, WallHub
from ioc.api.wall.protocol import Close, MalformedFrameError
from ioc.api.wall.session import Session, SlowWallError
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import IocError, NotFoundError, RefusedActionError, RevisionConflictError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.accounts import Account
from ioc.storage.alert_actions import Action
from ioc.storage.kept_answers import Answer, Asked

_log = logger("wall.socket")

BYE_DEADLINE_S = 1.0
CLOSE_DEADLINE_S = 5.0
TRUST = timedelta(minutes=10)
"""How long a ticket speaks for the person. Within this time a sign-out or a lost role takes effect on every wall."""
ASK_BEFORE = timedelta(seconds=60)
AFTER_MS = {Close.SLOW: 1_000, Close.UNAVAILABLE: 5_000}
"""How long a wall waits before it comes again, at least."""
MOST_CHANNELS = 32
MOST_FRAMES_A_SECOND = 20
MOST_FRAME_BYTES = 16_384
_BURST = 60
_CHANGES: Mapping[type[protocol.Action], ChangeType] = {
    protocol.Ack: ChangeType.ACKNOWLEDGED,
    protocol.Shelve: ChangeType.SHELVED,
    protocol.Unshelve: ChangeType.UNSHELVED,
}


class _TrustEndedError(Exception):
    """The wall did not prove in time that its person may still watch."""


class Conversation:
    """One wall, from welcome to goodbye."""

    def __init__(self, socket: WebSocket, account: Account, api: ApiServices, clock: Clock) -> None:
        self._socket, self._account, self._api, self._clock = socket, account, api, clock
        self._hub: WallHub = api.hub
        self._session = Session(account, socket.send_text, self._hub.now_ms)
        self._tokens, self._tokens_at = float(_BURST), clock.now()
        self._last_id = -1
        self._trusted_until = clock.now() + TRUST

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
        code = Close.GOING_AWAY
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._session.write(), name="wall:writer")
                group.create_task(self._listen(), name="wall:reader")
                group.create_task(self._watch_trust(), name="wall:trust")
        except* SlowWallError as errors:
            code = Close.SLOW
            _log.info("wall.slow", user=self._account.name, reason=str(errors.exceptions[0]))
        except* MalformedFrameError:
            code = Close.MALFORMED
        except* _TrustEndedError:
            code = Close.SIGNED_OUT
        except* (WebSocketDisconnect, OSError):
            pass
        finally:
            self._hub.leave(self._session)
        await self._say_goodbye(code)

    async def _say_goodbye(self, code: Close) -> None:
        """Say why, as far as the wall still listens, and close."""
        if self._socket.client_state is WebSocketState.CONNECTED:
            wait = {"after_ms": AFTER_MS[code]} if code in AFTER_MS else {}
            bye = protocol.encode("bye", self._hub.now_ms(), code=code.value, **wait)
            with suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
                async with cancellation.timeout(BYE_DEADLINE_S):
                    await self._socket.send_text(bye)
        await close(self._socket, code)

    async def _watch_trust(self) -> None:
        """Ask for a fresh ticket from time to time: who was signed out or lost a role must not go on for ever.

        Raises:
            _TrustEndedError: none came.
        """
        while (left := self._trusted_until - self._clock.now()) > timedelta(0):
            if left > ASK_BEFORE:
                await self._clock.sleep(left - ASK_BEFORE)
                continue
            self._post("auth", exp=to_ms(self._trusted_until))
            await self._clock.sleep(left)
        raise _TrustEndedError

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

    async def _answer(self, frame: protocol.Frame) -> None:
        match frame:
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
            account = await self._api.accounts.redeem_ticket(frame.token)
        except IocError as error:
            self._refuse(frame, "unavailable", str(error), retry=error.retryable)
            return
        if account is None or account.name != self._account.name or not set(account.roles) & set(VIEWERS):
            self._refuse(frame, "signed_out", "the ticket is not good")
            return
        self._account = self._session.account = account
        self._trusted_until = self._clock.now() + TRUST
        self._confirm(frame.id)

    async def _act(self, frame: protocol.Action) -> None:
        if not set(self._account.roles) & set(OPERATORS):
            self._refuse(frame, "forbidden", f"this needs one of the roles {', '.join(OPERATORS)}")
            return
        now = self._clock.now()
        action = Action(
            type=_CHANGES[type(frame)], actor=self._account.name, at=now, expected_revision=frame.ver,
            reason=frame.reason if isinstance(frame, protocol.Shelve) else frame.note,
            until=_aware(frame.until) if isinstance(frame, protocol.Shelve) else None,
        )  # fmt: skip
        try:
            revision = await self._do_once(frame, action)
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
            self._confirm(frame.id, rev=revision)

    async def _do_once(self, frame: protocol.Action, action: Action) -> int:
        """Act once per ``cid``, which is the same person's ``Idempotency-Key``; give the alert's revision after it."""

        async def do() -> Answer:
            alert = await self._do(frame.alert, action)
            return Answer(status=200, body=str(alert.revision), media_type=None)

        request_hash = digest_of("wall", str(action.type), frame.alert, str(frame.ver), action.reason, action.until)
        asked = Asked(actor=self._account.name, key=frame.cid, request_hash=request_hash)
        return int((await self._api.answers.once(asked, do)).body)

    async def _do(self, alert_id: str, action: Action) -> Alert:
        try:
            known = UUID(alert_id)
        except ValueError as error:
            raise NotFoundError("alert", alert_id) from error
        alert: Alert = await self._api.alert_actions.act(known, action)
        await self._api.audit.note(
            actor=self._account.name, address=self._socket.client.host if self._socket.client else "-",
            action=f"alert.{action.type}", on=alert_id, detail={"revision": alert.revision},
        )  # fmt: skip
        return alert

    def _post(self, kind: str, **fields: object) -> None:
        self._session.post(protocol.encode(kind, self._hub.now_ms(), **fields))

    def _confirm(self, frame_id: int, **more: object) -> None:
        self._post("ok", id=frame_id, **more)

    def _refuse(self, frame: protocol.Frame, code: str, message: str, **more: Any) -> None:
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


async def close(socket: WebSocket, code: Close) -> None:
    """Close a socket, whatever state it is in."""
    if socket.application_state is WebSocketState.DISCONNECTED or socket.client_state is WebSocketState.DISCONNECTED:
        return
    with suppress(RuntimeError, OSError, TimeoutError):
        async with cancellation.timeout(CLOSE_DEADLINE_S):
            await socket.close(code)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise_at = "until needs an offset from UTC"
        raise MalformedFrameError(raise_at)
    return at
