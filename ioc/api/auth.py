"""Who is asking: sessions of people by cookie, keys of sources by bearer token, with a brake on guessing."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from fastapi import Request

from ioc.api.problems import NotSignedInError, TooManyAttemptsError
from ioc.errors import AccessDeniedError
from ioc.ports import Clock
from ioc.storage.accounts import Account, AccountStore, Session
from ioc.storage.source_keys import SourceKey, SourceKeyStore

COOKIE = "ioc_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

VIEWERS = ("kiosk", "viewer", "operator", "supervisor", "department", "admin")
OPERATORS = ("operator", "supervisor", "admin")
DEPARTMENTS = ("department", "supervisor", "admin")
ADMINS = ("admin",)

Signed = Callable[[Request], Awaitable[Session]]


def address_of(request: Request) -> str:
    """Give the caller's address for the audit log and the brake."""
    return request.client.host if request.client else "-"


def signed_in(accounts: AccountStore, *roles: str) -> Signed:
    """Make a dependency that gives the session of a caller who has one of the roles.

    A request that changes something must carry the session's CSRF token besides the cookie.
    """

    async def find(request: Request) -> Session:
        token = request.cookies.get(COOKIE)
        session = await accounts.find_session(token) if token else None
        if session is None:
            raise NotSignedInError("sign in first")
        if request.method not in _SAFE:
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), session.csrf.encode()):
                raise AccessDeniedError(f"the header {CSRF_HEADER} does not belong to this session")
        if not set(roles) & set(session.account.roles):
            raise AccessDeniedError(f"this needs one of the roles {', '.join(roles)}")
        return session

    return find


async def find_source(keys: SourceKeyStore, request: Request, feed_id: str) -> SourceKey:
    """Give the key of a source that may send this feed.

    Raises:
        NotSignedInError: no key, or not one of ours, or it has ended.
        AccessDeniedError: the key is for other feeds.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = await keys.find(token.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise NotSignedInError("send a valid source key as `Authorization: Bearer …`", scheme="Bearer")
    if feed_id not in key.feed_ids:
        raise AccessDeniedError(f"this key may not send the feed {feed_id!r}")
    return key


class LoginBrake:
    """Slows down guessing: after five wrong passwords for a name or from an address, waits grow from 2 s to 5 min.

    Remembers a bounded number of names and addresses, the latest ones.
    """

    _FREE = 5
    _FIRST = timedelta(seconds=2)
    _LONGEST = timedelta(minutes=5)
    _MOST = 10_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def check(self, *keys: str) -> None:
        """Refuse an attempt that comes too early.

        Raises:
            TooManyAttemptsError: with the time to wait.
        """
        now = self._clock.now()
        waits = [until - now for key in keys if (until := self._blocked_until(key)) > now]
        if waits:
            raise TooManyAttemptsError(max(waits).total_seconds())

    def failed(self, *keys: str) -> None:
        """Note a wrong password."""
        now = self._clock.now()
        for key in keys:
            count, _ = self._failures.pop(key, (0, now))
            self._failures[key] = (count + 1, now)
        while len(self._failures) > self._MOST:
            self._failures.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget what was wrong before."""
        for key in keys:
            self._failures.pop(key, None)

    def _blocked_until(self, key: str) -> datetime:
        count, last_at = self._failures.get(key, (0, self._clock.now()))
        if count < self._FREE:
            return last_at - timedelta(seconds=1)
        wait: timedelta = self._FIRST * 2 ** min(count - self._FREE, 16)
        return last_at + min(self._LONGEST, wait)


def to_user(account: Account) -> dict[str, object]:
    """Give an account as pages see it."""
    return {"name": account.name, "display_name": account.display_name, "roles": list(account.roles)}
