"""People: accounts with roles, sessions, one-use tickets for wall sockets. Secrets are kept as digests only."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ioc.errors import ConfigurationError, NotFoundError, OverloadedError
from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("accounts")
_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
_LEAST_PASSWORD = 10
_MOST_PASSWORD = 1_000

IDLE = timedelta(hours=12)
"""A shift: a session that was not used for longer is over."""
LONGEST = timedelta(days=7)
TICKET_LIFETIME = timedelta(seconds=60)
_TOUCH_EVERY = timedelta(minutes=1)
_HASHES_AT_ONCE = 2
"""Each takes 64 MiB and all of a core: more at once would only take more memory."""
_MOST_WAITING = 30


class Role(enum.StrEnum):
    """What a person may do (trust.md, section 2, in the design)."""

    KIOSK = "kiosk"
    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    DEPARTMENT = "department"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person."""

    name: str
    display_name: str
    roles: tuple[str, ...]
    department: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in; ``csrf`` must come with everything that changes something."""

    account: Account
    csrf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Somebody who came in by a ticket: the account as it was then, and the session that had asked for the ticket.

    ``session_hash`` is None for a ticket of a program that did not note it yet.
    """

    account: Account
    session_hash: bytes | None


def to_digest(token: str) -> bytes:
    """Give what is stored of a random token: its SHA-256; 256 random bits need no salt."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class AccountStore:
    """Accounts, sessions and tickets.

    Args:
        database: the open pool.
        clock: time of sessions and tickets.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._waiting_count = 0

    async def add_account(
        self, *, name: str, display_name: str, password: str, roles: Sequence[str], department: str | None = None
    ) -> None:
        """Make an account, or set its roles and password anew; open sessions of it end.

        Raises:
            ConfigurationError: with every fault of name, password and roles.
        """
        if faults := _find_faults(name, password, roles):
            raise ConfigurationError(faults)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._database.transaction() as connection:
            await connection.execute(
                _SQL["save_account"],
                {
                    "name": name,
                    "display_name": display_name,
                    "password_hash": hashed,
                    "roles": list(dict.fromkeys(roles)),
                    "department": department,
                    "at": self._clock.now(),
                },
            )
            await connection.execute(_SQL["end_sessions_of"], (name,))
            await connection.execute(_SQL["end_tickets_of"], (name,))

    async def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Close an account, or open it again; closing ends its sessions and tickets.

        Raises:
            NotFoundError: there is no such account.
        """
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_SQL["set_disabled"], {"name": name, "disabled": disabled})
            if await cursor.fetchone() is None:
                raise NotFoundError("account", name)
            if disabled:
                await connection.execute(_SQL["end_sessions_of"], (name,))
                await connection.execute(_SQL["end_tickets_of"], (name,))

    async def list_accounts(self) -> list[Account]:
        """Give every account by name."""
        async with self._database.connection() as connection:
            return [_to_account(row) for row in await (await connection.execute(_SQL["list_accounts"])).fetchall()]

    async def list_able(self, roles: Sequence[str]) -> list[Account]:
        """Give every account by name that is open and has one of the roles."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["list_able"], (list(roles),))
            return [_to_account(row) for row in await cursor.fetchall()]

    async def verify(self, name: str, password: str) -> Account | None:
        """Give the account if the password is its own and it may come in; None takes as long to find out.

        Raises:
            OverloadedError: too many others are being looked at.
        """
        row = None
        if _NAME.fullmatch(name):
            async with self._database.connection() as connection:
                row = await (await connection.execute(_SQL["find_account"], (name,))).fetchone()
        is_right = await self._check(None if row is None else row[5], password[:_MOST_PASSWORD])
        if row is None or not is_right or row[4]:
            return None
        return _to_account(row)

    async def _check(self, hashed: str | None, password: str) -> bool:
        if self._waiting_count >= _MOST_WAITING:
            raise OverloadedError(retry_after=timedelta(seconds=2), reason="many people sign in at once")
        self._waiting_count += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(self._matches, hashed, password)
        finally:
            self._waiting_count -= 1

    @cached_property
    def _nobody(self) -> str:
        """The hash of a password that nobody has; made when the first wrong name comes, as it costs what it should."""
        return self._hasher.hash(secrets.token_urlsafe(16))

    def _matches(self, hashed: str | None, password: str) -> bool:
        try:
            # Somebody who guesses names must wait as long for a wrong name as for a wrong password.
            return self._hasher.verify(hashed or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def open_session(self, account: Account) -> tuple[str, Session]:
        """Sign an account in; give the token for its cookie."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["forget_sessions"], {"idle_since": now - IDLE, "oldest": now - LONGEST})
            await connection.execute(
                _SQL["open_session"], {"token_hash": to_digest(token), "name": account.name, "csrf": csrf, "at": now}
            )
        return token, Session(account=account, csrf=csrf)

    async def find_session(self, token: str) -> Session | None:
        """Give who is signed in with this token, None if nobody is any more."""
        now = self._clock.now()
        known = {"token_hash": to_digest(token), "idle_since": now - IDLE, "oldest": now - LONGEST, "at": now}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["find_session"], known)).fetchone()
            if row is None or row[4]:
                return None
            if now - row[6] > _TOUCH_EVERY:
                await connection.execute(_SQL["touch_session"], known)
        return Session(account=_to_account(row), csrf=row[5])

    async def close_session(self, token: str) -> None:
        """Sign out."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["close_session"], (to_digest(token),))

    async def issue_ticket(self, account: Account, *, session_token: str) -> tuple[str, datetime]:
        """Give a token that opens one wall socket within a minute, in any api process, for as long as the session."""
        token, now = secrets.token_urlsafe(32), self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["forget_tickets"], (now,))
            await connection.execute(
                _SQL["issue_ticket"],
                {
                    "token_hash": to_digest(token), "name": account.name, "session_hash": to_digest(session_token),
                    "expires_at": now + TICKET_LIFETIME,
                },
            )  # fmt: skip
        return token, now + TICKET_LIFETIME

    async def redeem_ticket(self, token: str) -> Admission | None:
        """Use a ticket up; give who came in by it, None if it is used, old or was never issued, or they may not."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["redeem_ticket"], {"token_hash": to_digest(token)})).fetchone()
        if row is None or row[2] <= self._clock.now():
            return None
        account = await self.find_admitted(row[0], row[1])
        return None if account is None else Admission(account=account, session_hash=row[1])

    async def find_admitted(self, name: str, session_hash: bytes | None) -> Account | None:
        """Give the account of somebody who came in by a ticket as it is now, with the roles that it has now.

        None where the account is locked out or the session that had asked for the ticket has ended.
        """
        now = self._clock.now()
        known = {"name": name, "session_hash": session_hash, "idle_since": now - IDLE, "oldest": now - LONGEST}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["find_admitted"], known)).fetchone()
        return None if row is None else _to_account(row)


def _find_faults(name: str, password: str, roles: Sequence[str]) -> list[str]:
    faults = []
    if not _NAME.fullmatch(name):
        faults.append("name: lower-case letters, digits, dot, dash and underscore, at most 64")
    if not _LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD:
        faults.append(f"password: at least {_LEAST_PASSWORD} characters")
    if not roles:
        faults.append("role: at least one")
    known = [role.value for role in Role]
    faults += [f"role {role!r}: there are {', '.join(known)}" for role in roles if role not in known]
    return faults


def _to_account(row: Sequence[Any]) -> Account:
    return Account(name=row[0], display_name=row[1], roles=tuple(row[2]), department=row[3], disabled=row[4])
