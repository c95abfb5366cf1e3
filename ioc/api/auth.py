"""Who is asking: sessions of people by cookie, keys of sources by bearer token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request

from ioc.api.problems import NotSignedInError
from ioc.errors import AccessDeniedError
from ioc.storage.accounts import Account, AccountStore, Session
from ioc.storage.source_keys import SourceKey, SourceKeyStore

COOKIE = "ioc_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

VIEWERS = ("kiosk", "viewer", "operator", "supervisor", "department", "admin")
OPERATORS = ("operator", "supervisor", "admin")
SUPERVISORS = ("supervisor", "admin")
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
        request.state.session = session
        return session

    return find


def session_of(request: Request) -> Session:
    """Give the session that ``signed_in`` has found for a request."""
    session: Session = request.state.session
    return session


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


def to_user(account: Account) -> dict[str, object]:
    """Give an account as pages see it."""
    return {"name": account.name, "display_name": account.display_name, "roles": list(account.roles)}
