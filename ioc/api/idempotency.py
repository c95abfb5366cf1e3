"""``Idempotency-Key``: what is asked is done once, and a repetition is answered as the first time."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from starlette.responses import Response

from ioc.api.auth import session_of
from ioc.storage.kept_answers import Answer, Asked, KeptAnswers

Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=64,
        description="Any text, new for each thing that is asked. For a day the same request of the same person with the"
        " same key gets the first answer again and changes nothing; another request with it gets 422"
        " `idempotency_key_reused`, and one that comes while the first is still being done may get 409"
        " `idempotency_key_in_use`. Refusals are not kept: the same request is then judged anew.",
    ),
]
_Endpoint = Callable[..., Awaitable[Any]]


class IdempotentRouter(APIRouter):
    """A router whose POST routes all honour ``Idempotency-Key``; each must ask for somebody who is signed in.

    Rights, the body and what the path names are looked at before the key, at every repetition as well.

    Args:
        answers: what requests were answered.
        options: those of every router.
    """

    def __init__(self, answers: KeptAnswers, **options: Any) -> None:
        super().__init__(**options)
        self._answers = answers

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; one for POST takes the header beside what it asks for itself."""
        if "POST" in (options.get("methods") or ()):
            endpoint = _once(endpoint, self._answers, status=options.get("status_code") or 200)
        super().add_api_route(path, endpoint, **options)


def digest_of(*parts: object) -> bytes:
    """Give a digest of what is asked, in texts, bytes and instants."""
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


def _once(endpoint: _Endpoint, answers: KeptAnswers, *, status: int) -> _Endpoint:
    @functools.wraps(endpoint)
    async def answer(*, keyed_request: Request, idempotency_key: str | None, **values: Any) -> Any:
        if idempotency_key is None:
            return await endpoint(**values)

        async def do() -> Answer:
            return _to_answer(await endpoint(**values), values, status)

        asked = Asked(
            actor=session_of(keyed_request).account.name,
            key=idempotency_key,
            request_hash=digest_of(
                keyed_request.method, keyed_request.url.path, keyed_request.url.query, await keyed_request.body()
            ),
        )
        return _to_response(await answers.once(asked, do))

    own = inspect.signature(endpoint)
    more = (
        inspect.Parameter("keyed_request", inspect.Parameter.KEYWORD_ONLY, annotation=Request),
        inspect.Parameter("idempotency_key", inspect.Parameter.KEYWORD_ONLY, annotation=Key, default=None),
    )
    # FastAPI reads the signature: this is how the route comes to know of the header.
    vars(answer)["__signature__"] = own.replace(parameters=[*own.parameters.values(), *more])
    return answer


def _to_answer(given: Any, values: dict[str, Any], status: int) -> Answer:
    """Put what a route gave into an answer, with the status and the place that it set beside it."""
    if isinstance(given, Response):
        response, place = given, given.headers.get("location")
    else:
        response = JSONResponse(jsonable_encoder(given), status_code=status)
        beside = next((value for value in values.values() if isinstance(value, Response)), None)
        place = None if beside is None else beside.headers.get("location")
    body = bytes(response.body).decode()
    return Answer(status=response.status_code, body=body, media_type=response.media_type, location=place)


def _to_response(answer: Answer) -> Response:
    headers = None if answer.location is None else {"Location": answer.location}
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=headers)
