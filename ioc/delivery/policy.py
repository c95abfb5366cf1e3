"""What an answer means and when to try again: pure, so that a year of retries is tested in a millisecond."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 18_000, 36_000, 36_000)
)
"""Wait before each attempt, counted from the one before; the first goes out at once. About 30 hours in all."""

JITTER_RATIO = 0.2
LONGEST_RETRY_AFTER = timedelta(hours=1)
DISABLE_AFTER = timedelta(days=5)


class Outcome(enum.StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    REDIRECTED = "redirected"
    GONE = "gone"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    SERVER_ERROR = "server_error"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    TLS_FAILED = "tls_failed"
    REFUSED_DESTINATION = "refused_destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from one attempt. ``detail`` is a short reason without the URL's query or any secret."""

    outcome: Outcome
    status: int | None = None
    retry_after: str | None = None
    detail: str = ""
    duration_ms: float = 0.0


class Settlement(enum.StrEnum):
    """What becomes of the delivery."""

    DONE = "done"
    RETRY = "retry"
    GIVE_UP = "give_up"
    DISABLE_ENDPOINT = "disable_endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A settlement and, for a retry, its instant."""

    settlement: Settlement
    retry_at: datetime | None = None


def classify_status(status: int) -> Outcome:
    """Read an HTTP status: 2xx is done, 3xx is never followed, 410 means gone, 429/502/503/504 mean later."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    if status == 410:
        return Outcome.GONE
    if status in (429, 502, 503, 504):
        return Outcome.THROTTLED
    return Outcome.SERVER_ERROR if status >= 500 else Outcome.REJECTED


def judge(answer: Answer, *, attempt: int, now: datetime, failing_since: datetime | None, random: Random) -> Verdict:
    """Decide what follows from an answer.

    ``attempt`` counts from 1; ``failing_since`` is when the endpoint's unbroken run of failures began (None: it began
    with this one). An endpoint that has only failed for ``DISABLE_AFTER`` is disabled; its queue is kept.
    """
    if answer.outcome is Outcome.DELIVERED:
        return Verdict(settlement=Settlement.DONE)
    if answer.outcome is Outcome.GONE:
        return Verdict(settlement=Settlement.DISABLE_ENDPOINT)
    if failing_since is not None and now - failing_since >= DISABLE_AFTER:
        return Verdict(settlement=Settlement.DISABLE_ENDPOINT)
    if attempt >= len(SCHEDULE):
        return Verdict(settlement=Settlement.GIVE_UP)
    wait = SCHEDULE[attempt] * (1 + JITTER_RATIO * (2 * random.random() - 1))
    if answer.outcome is Outcome.THROTTLED and (asked := parse_retry_after(answer.retry_after, now=now)) is not None:
        wait = max(wait, asked)
    return Verdict(settlement=Settlement.RETRY, retry_at=now + wait)


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` header (RFC 9110 §10.2.3: seconds or an HTTP date), clamped to 0…1 h. Nonsense is None."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # an offset of more hours than a number of the machine holds
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_RETRY_AFTER)
