"""The pages: start page at ``/``, wall under ``/wall/``; static, with headers that keep requests on this server."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
WALL = Path(str(resources.files("ioc").joinpath("wall")))


def mount(app: FastAPI) -> None:
    """Serve the pages."""

    @app.get("/", include_in_schema=False)
    async def start() -> FileResponse:
        return FileResponse(WALL / "start.html", headers={"Cache-Control": "no-cache"})

    app.mount("/wall", StaticFiles(directory=WALL, html=True), name="wall")


class SecurityHeaders:
    """Adds the security headers to every answer; API answers are never cached, pages are asked for anew."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = {**_HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        default = "no-store" if scope["path"].startswith("/api/") else "no-cache"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", default)
            await send(message)

        await self._app(scope, receive, send_with_headers)
