"""``POST /api/v1/ingest/{feed}``: answers 202 when the log has everything that was sent."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from connectors.transports.http_push import TooLargeError, UnsupportedContentError
from ioc import cancellation
from ioc.api.auth import find_source
from ioc.api.gate import BODY_DEADLINE_S, CLOSE, BodyTooLargeError, read_body
from ioc.api.services import IngestServices


def router(ingest: IngestServices) -> APIRouter:
    """Make the push route."""
    routes = APIRouter(prefix="/api/v1", tags=["ingest"])
    most_bytes = ingest.push.most_bytes

    @routes.post("/ingest/{feed_id}", status_code=202)
    async def push(feed_id: str, request: Request) -> Response:
        """Take a JSON list, a JSON object or NDJSON of at most 1,000 records and 4 MiB.

        Records that cannot be read are in the dead letters and named in ``rejections``. Sending again is safe.
        """
        await find_source(ingest.keys, request, feed_id)
        body = await _read_body(request, most_bytes)
        result = await ingest.push.receive(feed_id, body, request.headers.get("Content-Type", ""))
        return Response(msgspec.json.encode(result.to_wire()), status_code=202, media_type="application/json")

    return routes


async def _read_body(request: Request, most_bytes: int) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedContentError(f"Content-Encoding {encoding}")
    try:
        async with cancellation.timeout(BODY_DEADLINE_S):
            return await read_body(request.scope, request.receive, most_bytes=most_bytes)
    except BodyTooLargeError:
        raise TooLargeError(what="bytes", limit=most_bytes) from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_DEADLINE_S:g} s", headers=CLOSE) from None
