"""Serving the app with uvicorn inside our own event loop."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

import uvicorn
from fastapi import FastAPI

from ioc.api.gate import BehindProxy
from ioc.errors import ConfigurationError

MOST_FRAME_BYTES = 16_384
"""What a wall sends is small; more is not a wall."""
_DRAIN_S = 5
_BACKLOG = 2_048
_LAST_TURNS = 8


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: who started us decides when we stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of what did not end within the drain, too: uvicorn leaves such connections to the operating system."""
        await super().shutdown(sockets)
        # Nothing is accepted any more; what was accepted in the last moment takes some turns of the loop to be there,
        # and a transport one more to close its socket.
        for _ in range(_LAST_TURNS):
            for connection in list(self.server_state.connections):
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()
            await asyncio.sleep(0)


async def serve(
    app: FastAPI,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    behind_tls_proxy: bool = False,
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until ``stop``; ``on_ready`` is told the port once it is bound.

    Raises:
        ConfigurationError: the address is taken, or reaches beyond this machine without TLS in front.
    """
    if not behind_tls_proxy and not _is_loopback(host):
        raise ConfigurationError(
            [f"IOC_HTTP__HOST={host} lets others reach us without TLS; put a TLS proxy in front and set "
             "IOC_HTTP__BEHIND_TLS_PROXY=true, or keep 127.0.0.1"]
        )  # fmt: skip
    listener = _bind(host, port)
    server = _Server(
        uvicorn.Config(
            BehindProxy(app) if behind_tls_proxy else app,
            http=_choose_protocol(),
            h11_max_incomplete_event_size=64 * 1024,
            ws="websockets-sansio",
            ws_max_size=MOST_FRAME_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_DRAIN_S,
            lifespan="off",
        )
    )
    try:
        on_ready(listener.getsockname()[1])
        await _serve_until(server, listener, stop)
    finally:
        # uvicorn closes what it opened when it ends in peace, not when it is cancelled.
        for listening in getattr(server, "servers", ()):
            listening.close()
        listener.close()


async def _serve_until(server: _Server, listener: socket.socket, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve([listener]), name="http")
        stopping = group.create_task(stop.wait(), name="http:stop")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            raise RuntimeError("the HTTP server ended by itself")
        server.should_exit = True


def _choose_protocol() -> type[asyncio.Protocol] | str:
    # The fast parser takes a third of the CPU; an installation without it serves all the same, with h11's own bounds.
    if find_spec("httptools") is None:
        return "h11"
    return import_module("ioc.api.http_protocol").GuardedHttp  # type: ignore[no-any-return]


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Whoever is told the port may call at once; until uvicorn accepts, callers wait in this queue.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError([f"cannot listen on {host}:{port}: {error.strerror}; set IOC_HTTP__PORT"]) from error
    listener.set_inheritable(False)
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
