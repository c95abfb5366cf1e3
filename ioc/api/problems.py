"""Errors as problem+json (RFC 9457): one shape for everything that goes wrong, never a traceback."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from alerts.lifecycle.versions import FailedTestsError
from connectors.transports.http_push import TooLargeError, UnsupportedContentError
from ioc.api.paging import OFFSET_NEEDED
from ioc.api.views import to_alert
from ioc.domain.alerts import Alert
from ioc.errors import (
    AccessDeniedError,
    ConfigurationError,
    DestinationRefusedError,
    InvalidRequestError,
    IocError,
    LogUnavailableError,
    MalformedPayloadError,
    NotFoundError,
    OverloadedError,
    RefusedActionError,
    RevisionConflictError,
    StoreUnavailableError,
)
from ioc.logs import logger

_log = logger("api")

MEDIA_TYPE = "application/problem+json"
_MOST_FAULTS = 20
_MOST_DETAIL = 2_000
_STATUS: tuple[tuple[type[IocError], int, str], ...] = (
    (AccessDeniedError, 403, "forbidden"),
    (NotFoundError, 404, "not_found"),
    (RevisionConflictError, 409, "revision_conflict"),
    (RefusedActionError, 409, "refused"),
    (TooLargeError, 413, "too_large"),
    (UnsupportedContentError, 415, "unsupported_content_type"),
    (MalformedPayloadError, 400, "malformed"),
    (InvalidRequestError, 422, "invalid"),
    (DestinationRefusedError, 422, "destination_refused"),
    (ConfigurationError, 422, "invalid"),
    (FailedTestsError, 422, "tests_failed"),
    (OverloadedError, 429, "overloaded"),
    (LogUnavailableError, 503, "log_unavailable"),
    (StoreUnavailableError, 503, "store_unavailable"),
)


class NotSignedInError(IocError):
    """Nobody is signed in, or the key is not one of ours (HTTP 401)."""

    def __init__(self, reason: str, *, scheme: str | None = None) -> None:
        self.reason, self.scheme = reason, scheme
        super().__init__(reason)


class TooManyAttemptsError(IocError):
    """Too many wrong passwords (HTTP 429)."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts; try again in {retry_after_s:.0f} s")


def problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Make a problem answer. ``code`` is stable and for programs, ``detail`` is for people."""
    body = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": _clean(detail),
        "code": code,
    }  # fmt: skip
    return Response(
        msgspec.json.encode({**body, **more}), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def install(app: FastAPI) -> None:
    """Have every error of the app answered as a problem."""
    app.add_exception_handler(IocError, _answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unforeseen)


async def _answer_ours(request: Request, error: Exception) -> Response:
    if isinstance(error, NotSignedInError):
        headers = {"WWW-Authenticate": error.scheme} if error.scheme else {}
        return problem(401, "not_signed_in", str(error), headers=headers)
    if isinstance(error, TooManyAttemptsError):
        wait = {"Retry-After": str(max(1, round(error.retry_after_s)))}
        return problem(429, "too_many_attempts", str(error), headers=wait)
    status, code = next(((status, code) for kind, status, code in _STATUS if isinstance(error, kind)), (500, "error"))
    more: dict[str, object] = {}
    headers = {}
    match error:
        case RevisionConflictError(current=Alert() as current):
            more["current"] = to_alert(current)
        case RefusedActionError(code=refusal, suppression_id=holding):
            code = refusal
            if holding is not None:
                more["suppression_id"] = holding
        case InvalidRequestError(code=refusal):
            code = refusal
        case ConfigurationError(faults=faults):
            more["faults"] = [_clean(fault) for fault in faults[:_MOST_FAULTS]]
        case FailedTestsError(failed=failed):
            more["failed"] = [
                {"test": _clean(result.name), "difference": _clean(result.difference)}
                for result in failed[:_MOST_FAULTS]
            ]
        case OverloadedError(retry_after=wait_for):
            headers["Retry-After"] = str(max(1, round(wait_for.total_seconds())))
        case LogUnavailableError() | StoreUnavailableError():
            headers["Retry-After"] = "5"
        case _:
            pass
    return problem(status, code, str(error), headers=headers, **more)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    faults = error.errors()[:_MOST_FAULTS] if isinstance(error, RequestValidationError) else []
    # Names of unknown fields stand in the place: they are the caller's own text, of any length and content.
    shown = [{"where": _clean(".".join(map(str, fault["loc"]))), "what": _clean(_say(fault))} for fault in faults]
    detail = "; ".join(f"{fault['where']}: {fault['what']}" for fault in shown) or "the request is not valid"
    return problem(422, "invalid", detail, faults=shown)


def _say(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "timezone_aware":
        return OFFSET_NEEDED
    if fault["type"] == "string_pattern_mismatch" and fault["ctx"]["pattern"] == r"\S":
        return "must not be blank"
    return str(fault["msg"])


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).name.lower()
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


async def _answer_nobody(request: Request, error: Exception) -> Response:
    """The caller went away in the middle of its body: nobody reads the answer, and it is no fault of ours."""
    return problem(400, "incomplete", "the body ended too early")


async def _answer_unforeseen(request: Request, error: Exception) -> Response:
    incident = secrets.token_hex(4)
    _log.error("request.failed", path=request.url.path, incident=incident, exc_info=error)
    return problem(
        500, "unforeseen", f"something went wrong on our side; the log has it under {incident}",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
    )  # fmt: skip


def _clean(text: str) -> str:
    """Shorten a text and take out what UTF-8 cannot carry (half of a surrogate pair)."""
    return text[:_MOST_DETAIL].encode("utf-8", "replace").decode("utf-8")
