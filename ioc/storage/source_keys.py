"""Machines: API keys of sources, scoped to feeds, kept as digests, shown once."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.errors import ConfigurationError, NotFoundError, StoreUnavailableError
from ioc.ports import Clock
from ioc.storage.accounts import to_digest
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("accounts")
_TOKEN = re.compile(r"ioc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_REMEMBERED = timedelta(seconds=30)
_GRACE = timedelta(minutes=30)
"""How long a key that was good is taken while the database does not answer: the log can take readings without it."""
_ASK_AGAIN = timedelta(seconds=5)
_DEADLINE = timedelta(seconds=5)
_MOST_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKey:
    """A key that is known: what it is for, and which feeds its holder may send."""

    key_id: str
    name: str
    feed_ids: frozenset[str]
    expires_at: datetime


@dataclass(slots=True, kw_only=True)
class _Memory:
    """A key that was good at ``confirmed_at``; before ``ask_at`` nobody asks again."""

    key: SourceKey
    confirmed_at: datetime
    ask_at: datetime


class SourceKeyStore:
    """Keys of sources. A key that was found is remembered for half a minute, so ingest asks the database seldom; a
    revoked key stops working within that time. While the database is away, keys that were good stay good for a while.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._remembered: dict[bytes, _Memory] = {}

    async def add(self, *, name: str, feed_ids: Sequence[str], lifetime: timedelta) -> str:
        """Make a key and give it, the only time that it can be seen.

        Raises:
            ConfigurationError: no name or no feed.
        """
        if not name.strip() or not feed_ids:
            raise ConfigurationError(["a key needs a name and at least one feed"])
        key_id, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), self._clock.now()
        async with self._database.connection() as connection:
            await connection.execute(
                _SQL["add_key"],
                {
                    "key_id": key_id,
                    "name": name,
                    "secret_hash": to_digest(secret),
                    "feed_ids": list(dict.fromkeys(feed_ids)),
                    "at": now,
                    "expires_at": now + lifetime,
                },
            )
        return f"ioc_{key_id}_{secret}"

    async def find(self, token: str) -> SourceKey | None:
        """Give the key if it is one of ours and still good.

        Raises:
            StoreUnavailableError: the database does not answer, and the key was not good a short while ago.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        now, digest = self._clock.now(), to_digest(token)
        known = self._remembered.get(digest)
        if known is not None and known.ask_at > now:
            return known.key if known.key.expires_at > now else None
        if known is not None:
            known.ask_at = now + _ASK_AGAIN  # one request asks; those beside it need not wait for the answer
        try:
            key = await self._ask(parts[1], parts[2], now)
        except StoreUnavailableError:
            if known is None or now - known.confirmed_at > _GRACE or known.key.expires_at <= now:
                raise
            return known.key
        if key is None:
            self._remembered.pop(digest, None)
            return None
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = _Memory(key=key, confirmed_at=now, ask_at=now + _REMEMBERED)
        return key

    async def _ask(self, key_id: str, secret: str, now: datetime) -> SourceKey | None:
        async with self._database.connection(deadline=_DEADLINE) as connection:
            row = await (await connection.execute(_SQL["find_key"], (key_id,))).fetchone()
        if row is None or not hmac.compare_digest(bytes(row[2]), to_digest(secret)) or row[4] <= now:
            return None
        return SourceKey(key_id=row[0], name=row[1], feed_ids=frozenset(row[3]), expires_at=row[4])

    async def list_keys(self) -> list[SourceKey]:
        """Give the keys that were not revoked."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_keys"])).fetchall()
        return [
            SourceKey(key_id=row[0], name=row[1], feed_ids=frozenset(row[2]), expires_at=row[4])
            for row in rows
            if row[5] is None
        ]

    async def revoke(self, key_id: str) -> None:
        """End a key.

        Raises:
            NotFoundError: there is no such key, or it has ended already.
        """
        async with self._database.connection() as connection:
            if await (await connection.execute(_SQL["revoke_key"], (self._clock.now(), key_id))).fetchone() is None:
                raise NotFoundError("key", key_id)
