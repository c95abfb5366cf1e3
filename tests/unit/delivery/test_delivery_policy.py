from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ioc.delivery.policy import (
    SCHEDULE,
    Answer,
    Outcome,
    Settlement,
    Verdict,
    classify_status,
    judge,
    parse_retry_after,
)

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def _judge(
    outcome: Outcome, *, attempt: int = 1, retry_after: str | None = None, failing_since: datetime | None = None
) -> Verdict:
    answer = Answer(outcome=outcome, retry_after=retry_after)
    return judge(answer, attempt=attempt, now=NOW, failing_since=failing_since, random=Random(7))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED), (204, Outcome.DELIVERED), (301, Outcome.REDIRECTED), (307, Outcome.REDIRECTED),
        (400, Outcome.REJECTED), (404, Outcome.REJECTED), (410, Outcome.GONE), (429, Outcome.THROTTLED),
        (500, Outcome.SERVER_ERROR), (501, Outcome.SERVER_ERROR), (502, Outcome.THROTTLED), (503, Outcome.THROTTLED),
        (504, Outcome.THROTTLED),
    ],
)  # fmt: skip
def test_each_status_has_one_meaning(status: int, outcome: Outcome) -> None:
    assert classify_status(status) is outcome


def test_the_waits_follow_the_schedule_within_a_fifth() -> None:
    for attempt in range(1, len(SCHEDULE)):
        verdict = _judge(Outcome.SERVER_ERROR, attempt=attempt)
        assert verdict.settlement is Settlement.RETRY
        wait = verdict.retry_at - NOW
        assert SCHEDULE[attempt] * 0.8 <= wait <= SCHEDULE[attempt] * 1.2


def test_after_the_last_attempt_the_delivery_is_given_up_and_kept() -> None:
    assert _judge(Outcome.TIMED_OUT, attempt=len(SCHEDULE)).settlement is Settlement.GIVE_UP


def test_a_receiver_that_is_gone_disables_its_endpoint() -> None:
    assert _judge(Outcome.GONE).settlement is Settlement.DISABLE_ENDPOINT


def test_five_days_of_nothing_but_failure_disable_the_endpoint() -> None:
    assert _judge(Outcome.SERVER_ERROR, failing_since=NOW - timedelta(days=5)).settlement is Settlement.DISABLE_ENDPOINT
    assert _judge(Outcome.SERVER_ERROR, failing_since=NOW - timedelta(days=4.9)).settlement is Settlement.RETRY


def test_retry_after_lengthens_a_wait_and_never_shortens_it() -> None:
    assert _judge(Outcome.THROTTLED, retry_after="600").retry_at == NOW + timedelta(seconds=600)
    short = _judge(Outcome.THROTTLED, attempt=3, retry_after="1").retry_at
    assert short >= NOW + SCHEDULE[3] * 0.8


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), ("0", 0), ("999999999999999999", 3600), ("Mon, 23 Nov 2026 03:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 02:00:00 GMT", 0), ("Mon, 23 Nov 2099 02:00:00 GMT", 3600), ("soon", None), ("-5", None),
        ("", None), ("١٢", None), (None, None), ("Mon, 23 Nov 2026 02:00:00 +9999999999999999", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_every_form(value: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert parse_retry_after(value, now=NOW) == expected
