"""What operators do over a wall's socket: who they are is asked at each action, and each is done once per ``cid``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ioc.api.auth import OPERATORS, VIEWERS
from ioc.api.idempotency import digest_of
from ioc.api.services import ApiServices
from ioc.api.views import to_alert
from ioc.api.wall import protocol
from ioc.api.wall.protocol import Close
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import (
    AccessDeniedError,
    InvalidRequestError,
    IocError,
    NotFoundError,
    RefusedActionError,
    RevisionConflictError,
)
from ioc.ports import Clock
from ioc.storage.accounts import Account, Admission
from ioc.storage.alert_actions import Action
from ioc.storage.kept_answers import Answer, Asked

_CHANGES: Mapping[type[protocol.Action], ChangeType] = {
    protocol.Ack: ChangeType.ACKNOWLEDGED,
    protocol.Shelve: ChangeType.SHELVED,
    protocol.Unshelve: ChangeType.UNSHELVED,
}


class SentAwayError(Exception):
    """The person may not even watch any more: the wall hears ``code`` and why, and is closed with ``close_code``."""

    def __init__(self, close_code: Close, code: str, reason: str) -> None:
        self.close_code, self.code = close_code, code
        super().__init__(reason)


class WallActions:
    """Does what operators ask over one wall's socket.

    Args:
        api: accounts, alerts, kept answers and the audit log.
        clock: the time of an action.
        address: the wall's, for the audit log.
    """

    def __init__(self, api: ApiServices, clock: Clock, *, address: str) -> None:
        self._api, self._clock, self._address = api, clock, address

    async def act(self, frame: protocol.Action, admission: Admission) -> int:
        """Do it, or find it done; give the alert's revision after it.

        Raises:
            SentAwayError: the account is locked out, its session has ended, or it has no role any more that may watch.
            AccessDeniedError: it has no role that may act.
            IocError: what the request over REST would be refused for.
        """
        account = await self._find_operator(admission)
        action = Action(
            type=_CHANGES[type(frame)], actor=account.name, at=self._clock.now(), expected_revision=frame.ver,
            reason=frame.reason if isinstance(frame, protocol.Shelve) else frame.note,
            until=frame.until if isinstance(frame, protocol.Shelve) else None,
        )  # fmt: skip

        async def do() -> Answer:
            alert = await self._do(frame.alert, action)
            return Answer(status=200, body=str(alert.revision), media_type=None)

        # ``cid`` is the same person's ``Idempotency-Key``.
        request_hash = digest_of("wall", str(action.type), frame.alert, str(frame.ver), action.reason, action.until)
        asked = Asked(actor=account.name, key=frame.cid, request_hash=request_hash)
        return int((await self._api.answers.once(asked, do)).body)

    async def _find_operator(self, admission: Admission) -> Account:
        """Look at the account, its session and its roles as every request over REST does."""
        account = await self._api.accounts.find_admitted(admission.account.name, admission.session_hash)
        if account is None:
            raise SentAwayError(Close.SIGNED_OUT, "signed_out", "sign in first")
        needed = f"this needs one of the roles {', '.join(OPERATORS)}"
        if set(account.roles).isdisjoint(VIEWERS):
            raise SentAwayError(Close.FORBIDDEN, "forbidden", needed)
        if set(account.roles).isdisjoint(OPERATORS):
            raise AccessDeniedError(needed)
        return account

    async def _do(self, alert_id: str, action: Action) -> Alert:
        try:
            known = UUID(alert_id)
        except ValueError as error:
            raise NotFoundError("alert", alert_id) from error
        alert: Alert = await self._api.alert_actions.act(known, action)
        await self._api.audit.note(
            actor=action.actor, address=self._address, action=f"alert.{action.type}", on=alert_id,
            detail=action.to_detail(alert),
        )  # fmt: skip
        return alert


def to_refusal(error: IocError) -> Mapping[str, Any]:
    """Give code, text and more of an ``err`` frame: the words that REST has for it."""
    told: dict[str, Any] = {"code": "unavailable", "message": str(error), "retry": error.retryable}
    match error:
        case RevisionConflictError(current=current):
            told["code"] = "revision_conflict"
            if isinstance(current, Alert):
                told["current"] = to_alert(current)
        case RefusedActionError(code=code) | InvalidRequestError(code=code):
            told["code"] = code
        case AccessDeniedError():
            told["code"] = "forbidden"
        case NotFoundError():
            told["code"] = "not_found"
        case _:
            pass
    return told
