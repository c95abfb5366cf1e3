"""The embedded deployment's own PostgreSQL: made on first use, shared by the machine's programs, stopped by the last.

The server outlives a crash of the program that started it; the next one finds it running and takes it over. Who uses
it is known by file locks, which the kernel releases however a program ends, so a crashed program never keeps a server
running for ever and never has it stopped under somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ioc.errors import StoreUnavailableError
from ioc.storage.cluster import POLL_S, SUPERUSER, PostgresCluster

PORT = 5432
"""Only part of the socket's file name: the server listens on no network."""
SOCKET_PATH_LIMIT_BYTES = 107
"""``sockaddr_un.sun_path`` holds 108 bytes with the closing zero."""
CONNECT_DEADLINE_S = 3

DEFAULT_SETTINGS: Mapping[str, str] = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "5min",
    # Seven files, each overwritten a week later: the server's log never fills the disk.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}


class EmbeddedPostgres:
    """A PostgreSQL server in a folder of ours, reached through a unix socket that only its owner (or root) can open.

    Use it as an asynchronous context manager, or call ``start`` and ``stop``. Several programs, and several objects
    in one program, may use the same folder at once.
    """

    def __init__(
        self,
        directory: Path,
        *,
        database: str = "ioc",
        settings: Mapping[str, str] | None = None,
        deadline: timedelta = timedelta(seconds=60),
    ) -> None:
        """Take the folder that holds (or will hold) the server; nothing is touched before ``start``.

        Args:
            directory: the server's own folder; its parents must let the server's user pass when we are root.
            database: the database made for the product, owned by a role of the same name without special rights.
            settings: ``postgresql.conf`` settings over our defaults; they hold when this object starts the server.
            deadline: how long starting or stopping may take, recovery after a crash included.
        """
        self._directory = directory.absolute()
        self._database = database
        self._settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self._deadline_s = deadline.total_seconds()
        self._use: IO[str] | None = None
        self._sockets: Path | None = None

    @property
    def conninfo(self) -> str:
        """Connection string for psycopg: the product's database, as a role without special rights."""
        return make_conninfo("", host=self._host(), port=PORT, user=self._database, dbname=self._database)

    @property
    def admin_conninfo(self) -> str:
        """Connection string of the superuser, for tests and maintenance."""
        return make_conninfo("", host=self._host(), port=PORT, user=SUPERUSER, dbname="postgres")

    async def start(self) -> str:
        """Make the server if it is new, start it if it does not run, and return ``conninfo`` once it answers.

        Raises:
            StoreUnavailableError: with what to do about it.
        """
        work = asyncio.get_running_loop().run_in_executor(None, self._start)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # A thread cannot be interrupted: let it come to its end, then give back what it took.
            with contextlib.suppress(StoreUnavailableError):
                await work
            await asyncio.to_thread(self._stop)
            raise

    async def stop(self) -> None:
        """Give the server back; if nobody else uses it, it stops cleanly before this returns.

        Raises:
            StoreUnavailableError: it did not stop in time.
        """
        await asyncio.to_thread(self._stop)

    async def __aenter__(self) -> EmbeddedPostgres:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _host(self) -> str:
        if self._sockets is None:
            raise StoreUnavailableError("the embedded PostgreSQL has not been started")
        return str(self._sockets)

    def _start(self) -> str:
        if self._use is not None:
            return self.conninfo
        self._prepare_folder()
        until = time.monotonic() + self._deadline_s
        with self._turn(until):
            self._use = self._register_use(until)
            try:
                self._bring_up(until)
            except BaseException:
                self._use.close()
                self._use = None
                raise
        return self.conninfo

    def _bring_up(self, until: float) -> None:
        cluster = PostgresCluster(self._directory)
        self._sockets = self._socket_folder(cluster.owner)
        while not self._answers():
            pid = cluster.server_pid()
            if time.monotonic() > until:
                raise StoreUnavailableError(
                    f"PostgreSQL (pid {pid}) runs on {self._directory / 'data'} but does not answer; see its log, "
                    f"end it (kill -QUIT {pid}) and start again"
                    if pid
                    else f"PostgreSQL starts and ends again at once; see its log in {self._directory / 'data' / 'log'}"
                )
            if pid is None:
                fixed = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": str(self._sockets)}
                cluster.start({**self._settings, **fixed}, until)
            else:
                # Somebody's crash left it starting, recovering or stopping: see what it becomes.
                time.sleep(POLL_S)
        self._make_database()

    def _stop(self) -> None:
        if self._use is None:
            return
        until = time.monotonic() + self._deadline_s
        with self._turn(until):
            use, self._use = self._use, None
            with use:
                # Our shared lock becomes an exclusive one only if nobody else holds theirs: then we are the last.
                try:
                    fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                PostgresCluster(self._directory).stop(until)
                if self._sockets is not None and self._sockets.parent != self._directory:
                    with contextlib.suppress(OSError):
                        self._sockets.rmdir()

    def _prepare_folder(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o711)
        except OSError as error:
            raise StoreUnavailableError(f"cannot make the folder {self._directory}: {error.strerror}") from error

    @contextlib.contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        """Let one program at a time start or stop the server."""
        with (self._directory / "turn.lock").open("a+") as handle:
            self._lock(handle, fcntl.LOCK_EX, until)
            yield

    def _register_use(self, until: float) -> IO[str]:
        handle = (self._directory / "users.lock").open("a+")
        self._lock(handle, fcntl.LOCK_SH, until)
        return handle

    def _lock(self, handle: IO[str], kind: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreUnavailableError(
                        f"another program has been starting or stopping the database in {self._directory} "
                        f"for {self._deadline_s:.0f} s; see who holds turn.lock there (lsof), end it and try again"
                    ) from None
                time.sleep(POLL_S)
            else:
                return

    def _socket_folder(self, owner: int) -> Path:
        """Return the folder of the socket: in our own, or a short one where the path would be too long for a socket."""
        folder = self._directory / "run"
        if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_PATH_LIMIT_BYTES:
            digest = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
            folder = Path(tempfile.gettempdir()) / f"ioc-pg-{digest}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        # The name below a folder open to all can be guessed: take nobody else's folder for ours.
        facts = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or facts.st_uid != owner or facts.st_mode & 0o077:
            raise StoreUnavailableError(f"{folder} belongs to somebody else or is open to others; remove it")
        return folder

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.admin_conninfo, connect_timeout=CONNECT_DEADLINE_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        name = sql.Identifier(self._database)
        try:
            with psycopg.connect(
                self.admin_conninfo, autocommit=True, connect_timeout=CONNECT_DEADLINE_S
            ) as connection:
                with contextlib.suppress(psycopg.errors.DuplicateObject):
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        except psycopg.Error as error:
            raise StoreUnavailableError(f"cannot make the database {self._database}: {error}") from error
