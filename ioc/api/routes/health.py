"""Is it alive, is it ready, and its figures: for orchestrators, Prometheus and the start page."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ioc import __version__, cancellation
from ioc.api.services import Check, Services
from ioc.errors import IocError

_CHECK_DEADLINE_S = 3.0


def router(services: Services) -> APIRouter:
    """Make the routes ``/health/live``, ``/health/ready`` and ``/metrics``."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live", "version": __version__}

    @routes.get("/health/ready")
    async def ready() -> Response:
        """The process can do its work: every check with what it found; 503 when one is not sound."""
        names = list(services.checks)
        found = await asyncio.gather(*(_run(services.checks[name]) for name in names))
        is_ready = all(check["ok"] for check in found)
        body = {"status": "ready" if is_ready else "not ready", "checks": dict(zip(names, found, strict=True))}
        return Response(
            msgspec.json.encode(body), status_code=200 if is_ready else 503, media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )  # fmt: skip

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics of this process."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _run(check: Check) -> dict[str, Any]:
    try:
        async with cancellation.timeout(_CHECK_DEADLINE_S):
            return {"ok": True, "detail": await check()}
    except TimeoutError:
        return {"ok": False, "detail": f"no answer within {_CHECK_DEADLINE_S:g} s"}
    except IocError as error:
        return {"ok": False, "detail": str(error)}
