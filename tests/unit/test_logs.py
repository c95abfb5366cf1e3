"""The program's log: one form for what we say and for what our libraries say."""

from __future__ import annotations

import json
import logging

import pytest

from ioc import logs


def read_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_a_library_warns_of_is_a_line_of_our_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="INFO", form="json")
    logging.getLogger("psycopg.pool").warning("discarding %s", "a connection")
    [line] = read_lines(capsys)
    assert (line["component"], line["event"], line["text"], line["level"]) == (
        "psycopg.pool", "library.said", "discarding a connection", "warning",
    )  # fmt: skip


def test_a_library_speaks_only_above_the_level_that_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="ERROR", form="json")
    logging.getLogger("psycopg.pool").warning("ignored")
    logging.getLogger("psycopg.pool").error("heard")
    assert [line["text"] for line in read_lines(capsys)] == ["heard"]


def test_setting_up_twice_says_things_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="INFO", form="json")
    logs.configure(level="INFO", form="json")
    logging.getLogger("psycopg").error("once")
    assert len(read_lines(capsys)) == 1


def test_another_level_reaches_those_who_have_spoken_before(capsys: pytest.CaptureFixture[str]) -> None:
    speaker = logs.logger("rules")
    logs.configure(level="ERROR", form="json")
    speaker.warning("rule.failed")
    logs.configure(level="INFO", form="json")
    speaker.warning("rule.failed")
    assert [line["component"] for line in read_lines(capsys)] == ["rules"]


def test_what_aiokafka_will_try_again_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="INFO", form="json")
    logging.getLogger("aiokafka.consumer").error("coordinator not available")
    logs.configure(level="ERROR", form="json")
    logging.getLogger("aiokafka.consumer").error("coordinator not available")
    assert [line["level"] for line in read_lines(capsys)] == ["warning"]
