"""Settings as people write them into the environment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ioc import settings
from ioc.errors import ConfigurationError
from tests.support.servers import REPOSITORY


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("60s", timedelta(minutes=1)), ("1m", timedelta(minutes=1)), ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)), ("1 day", timedelta(days=1)), ("08:00:00", timedelta(hours=8)),
        ("PT8H", timedelta(hours=8)),
    ],
)  # fmt: skip
def test_a_duration_is_written_as_in_the_rules_or_as_on_a_clock(text, span):
    assert settings.load({"IOC_ALERTS__RETURNED_AFTER": text}).alerts.returned_after == span


@pytest.mark.parametrize("text", ["soon", "60", "-5m", "9" * 400 + "d"])
def test_what_is_no_duration_is_refused_with_the_form(text):
    with pytest.raises(ConfigurationError) as refused:
        settings.load({"IOC_ALERTS__RETURNED_AFTER": text})
    assert refused.value.faults == ("IOC_ALERTS__RETURNED_AFTER: must be a duration such as 90s, 15m, 12h, 7d",)


@pytest.mark.parametrize("text", ["60s", "8d"])
def test_a_duration_stays_within_its_bounds_in_whatever_form(text):
    with pytest.raises(ConfigurationError, match=r"LONGEST_SHELF: Input should be (less|greater) than or equal to"):
        settings.load({"IOC_ALERTS__LONGEST_SHELF": text})


def test_the_reference_in_the_documents_is_the_one_that_the_program_prints():
    assert settings.to_reference() in (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
