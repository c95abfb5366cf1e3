"""The latest message of a source, shown on a loopback HTTP server to whoever asks: ETag, 304, nothing else."""

from __future__ import annotations

import hashlib

from aiohttp import web

_CLOSING_S = 1.0


class Showcase:
    """Serves the latest payload of each feed under ``/<feed>``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._payloads: dict[str, tuple[bytes, str]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Showcase:
        application = web.Application()
        application.router.add_get("/{feed}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSING_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def show(self, feed_id: str, payload: bytes) -> None:
        """Put a payload in the place of the one before."""
        self._payloads[feed_id] = (payload, f'"{hashlib.sha256(payload).hexdigest()[:16]}"')

    async def _answer(self, request: web.Request) -> web.Response:
        found = self._payloads.get(request.match_info["feed"])
        if found is None:
            return web.Response(status=404)
        payload, etag = found
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=payload, content_type="application/x-protobuf", headers={"ETag": etag})
