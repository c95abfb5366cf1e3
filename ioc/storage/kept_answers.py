"""What requests with an ``Idempotency-Key`` were answered: done once, in one transaction with the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from psycopg import AsyncConnection, Rollback
from psycopg.errors import LockNotAvailable

from ioc.errors import ConfigurationError, InvalidRequestError, RefusedActionError
from ioc.ports import Clock
from ioc.sealing import Sealer
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("kept_answers")
KEEP = timedelta(days=1)
_DEADLINE = timedelta(seconds=60)
"""Longer than one use of a connection: the tests beside a rule run while the key is held."""
_FIRST_REFUSAL = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with a key: whose it is, and a digest of all that is asked, so that a key serves one request only."""

    actor: str
    key: str
    request_hash: bytes

    @property
    def purpose(self) -> str:
        """What its answer is sealed for: it opens for nobody else's key."""
        return f"answer:{msgspec.json.encode((self.actor, self.key)).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it goes over the wire; ``location`` is the header of that name."""

    status: int
    body: str
    media_type: str | None
    location: str | None = None


class KeptAnswers:
    """Has requests done once per person and key, and answers a repetition as the first time.

    Args:
        database: the store, of which every part must be that takes part in doing what is asked.
        sealer: seals answers at rest: some hold a secret.
        clock: when an answer was given.
    """

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database, self._sealer, self._clock = database, sealer, clock

    async def once(self, asked: Asked, do: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do what is asked, or give what it was answered before.

        What ``do`` changes in the store commits together with its answer, or not at all. A refusal (an error, or a
        status from 400 on) changes nothing and is not kept: the next time, it is asked anew.

        Raises:
            InvalidRequestError: the key was used for something else.
            RefusedActionError: the same request is still being done; or its answer cannot be opened any more.
        """
        async with self._database.one_transaction(deadline=_DEADLINE) as connection:
            kept = await self._claim(connection, asked)
            answer = await do() if kept is None else kept
            if answer.status >= _FIRST_REFUSAL:
                raise Rollback
            if kept is None:
                await self._keep(connection, asked, answer)
        return answer

    async def forget(self) -> None:
        """Drop answers that are older than a day."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["forget"], {"before": self._clock.now() - KEEP})

    async def _claim(self, connection: AsyncConnection, asked: Asked) -> Answer | None:
        """Take the key, or give the answer of the request that has it."""
        await connection.execute(_SQL["wait_briefly"])
        wanted = {
            "actor": asked.actor, "key": asked.key, "at": self._clock.now(), "request_hash": asked.request_hash,
        }  # fmt: skip
        try:
            [row] = await fetch_rows(connection, _SQL["claim"], wanted)
        except LockNotAvailable as error:
            raise RefusedActionError(
                "idempotency_key_in_use", "a request with this Idempotency-Key is being done; ask again in a moment"
            ) from error
        await connection.execute(_SQL["wait_as_usual"])
        if bytes(row["request_hash"]) != asked.request_hash:
            raise InvalidRequestError("idempotency_key_reused", "this Idempotency-Key was used for something else")
        return None if row["sealed_answer"] is None else self._open(asked, bytes(row["sealed_answer"]))

    async def _keep(self, connection: AsyncConnection, asked: Asked, answer: Answer) -> None:
        sealed = self._sealer.seal(msgspec.json.encode(answer).decode(), purpose=asked.purpose)
        wanted = {"actor": asked.actor, "key": asked.key, "sealed_answer": sealed}
        await connection.execute(_SQL["keep"], wanted)

    def _open(self, asked: Asked, sealed: bytes) -> Answer:
        try:
            return msgspec.json.decode(self._sealer.open(sealed, purpose=asked.purpose), type=Answer)
        except ConfigurationError as error:
            raise RefusedActionError(
                "answer_sealed", "this was done; its answer was sealed with a key that is not in use any more"
            ) from error
