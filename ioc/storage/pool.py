"""Connections to the store: bounded, with a deadline on every use, and with the store's own error for every failure."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from ioc.errors import ConfigurationError, StoreUnavailableError

_SCHEMA = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")


@dataclass(slots=True, kw_only=True)
class _Joined:
    """A transaction that every use of one pool joins, and what waits for its commit."""

    database: Database
    connection: AsyncConnection
    then: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


_JOINED: ContextVar[_Joined | None] = ContextVar("ioc.storage.joined", default=None)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what the driver raises when the database does not answer into ``StoreUnavailableError``.

    Includes deadlocks, serialisation failures, a full disk and a server that shuts down: after all of them the same
    transaction may succeed later. Faults in a statement stay what they are.
    """
    try:
        yield
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        PoolTimeout,
        PoolClosed,
        TooManyRequests,
        OSError,
    ) as error:
        raise StoreUnavailableError(_describe(error)) from error


def _describe(error: BaseException) -> str:
    # Only the first line: the rest of a driver's message can hold values of rows.
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def prepare_conninfo(conninfo: str, *, schema: str = "public") -> str:
    """Add what every connection of the program has: the schema, UTC and a limit on reaching the server.

    Raises:
        ConfigurationError: the schema's name is not a plain lower-case identifier.
    """
    if not _SCHEMA.match(schema):
        raise ConfigurationError([f"store schema {schema!r} is not a lower-case identifier"])
    given = conninfo_to_dict(conninfo)
    search_path = "public" if schema == "public" else f"{schema},public"
    options = f"{given.get('options') or ''} -c search_path={search_path} -c timezone=UTC -c jit=off".strip()
    limits = {"connect_timeout": given.get("connect_timeout") or "5", "tcp_user_timeout": "30000"}
    name = given.get("application_name") or "ioc"
    return make_conninfo(conninfo, **limits, options=options, application_name=name)


class Database:
    """The store's connection pool. Open it as an asynchronous context manager.

    Every use of a connection has a deadline. When it passes, the socket is shut down, so that even a server that was
    frozen in the middle of an answer cannot hold a caller for longer; the caller gets ``StoreUnavailableError``.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        schema: str = "public",
        min_size: int = 1,
        max_size: int = 8,
        max_waiting: int = 64,
        deadline: timedelta = timedelta(seconds=30),
    ) -> None:
        self.conninfo = prepare_conninfo(conninfo, schema=schema)
        self.schema = schema
        self._deadline_s = deadline.total_seconds()
        self._min_size, self._max_size, self._max_waiting = min_size, max_size, max_waiting
        self._pool: AsyncConnectionPool[AsyncConnection] | None = None

    async def __aenter__(self) -> Database:
        self._pool = AsyncConnectionPool(
            self.conninfo,
            kwargs={"autocommit": True},
            open=False,
            timeout=min(10.0, self._deadline_s),
            check=AsyncConnectionPool.check_connection,
            min_size=self._min_size,
            max_size=self._max_size,
            max_waiting=self._max_waiting,
        )
        await self._pool.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._pool is not None:
            await self._pool.close(timeout=5.0)

    @asynccontextmanager
    async def connection(self, *, deadline: timedelta | None = None) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in autocommit mode for at most ``deadline``.

        Raises:
            StoreUnavailableError: no connection was free in time, the server does not answer, or the deadline passed.
        """
        if self._pool is None:
            raise StoreUnavailableError("the pool is not open")
        limit_s = self._deadline_s if deadline is None else deadline.total_seconds()
        joined = _JOINED.get()
        if joined is not None and joined.database is self:
            with translated_errors(), cut_after(joined.connection, limit_s):
                yield joined.connection
            return
        with translated_errors():
            async with self._pool.connection() as connection:
                with cut_after(connection, limit_s):
                    yield connection

    @asynccontextmanager
    async def transaction(self, *, deadline: timedelta | None = None) -> AsyncIterator[AsyncConnection]:
        """Lend a connection with an open transaction that commits when the block ends without an error.

        Raises:
            StoreUnavailableError: as for ``connection``; whether a failing commit took place is unknown.
        """
        async with self.connection(deadline=deadline) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def one_transaction(self, *, deadline: timedelta | None = None) -> AsyncIterator[AsyncConnection]:
        """Have everything that this task does with the pool inside the block commit together, or not at all.

        What asks for a connection or a transaction of its own inside gets this one (a transaction as a savepoint).
        Tasks that are begun inside must end inside.

        Raises:
            StoreUnavailableError: as for ``transaction``.
        """
        async with self.transaction(deadline=deadline) as connection:
            joined = _Joined(database=self, connection=connection)
            token = _JOINED.set(joined)
            try:
                yield connection
            except BaseException:
                joined.then.clear()  # also after psycopg's Rollback, which goes no further than the transaction
                raise
            finally:
                _JOINED.reset(token)
        for then in joined.then:
            await then()


async def when_committed(do: Callable[[], Awaitable[None]]) -> None:
    """Do something that must see only what is committed: now, or when the ``one_transaction`` around it has committed.

    After a rollback it is not done.
    """
    joined = _JOINED.get()
    if joined is None:
        await do()
    else:
        joined.then.append(do)


@contextmanager
def cut_after(connection: AsyncConnection, limit_s: float) -> Iterator[None]:
    """Shut a connection's socket down when the block takes longer; whoever waits on it gets the driver's error."""
    cut = asyncio.get_running_loop().call_later(limit_s, _shut_down, connection)
    try:
        yield
    finally:
        cut.cancel()


def _shut_down(connection: AsyncConnection) -> None:
    # Cancelling the task would not do: the driver then waits for the server to confirm the cancellation.
    with suppress(OSError, psycopg.Error):
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        finally:
            duplicate.close()
