"""What commands log: services all that the settings ask for, others only what went wrong."""

from __future__ import annotations

import pytest

from ioc import logs
from ioc.cli.running import run


@pytest.mark.parametrize(
    ("level", "is_service", "told"),
    [
        ("INFO", False, ["something.failed"]),
        ("DEBUG", False, ["rules.taken", "something.failed"]),
        ("INFO", True, ["rules.taken", "something.failed"]),
        ("ERROR", False, []),
    ],
)
def test_a_command_that_prints_logs_no_information_and_never_to_its_output(
    capsys, monkeypatch, level, is_service, told
):
    async def work(_):
        log = logs.logger("test")
        log.info("rules.taken", rules=54)
        log.warning("something.failed")
        print("the answer")

    monkeypatch.setenv("IOC_LOG_LEVEL", level)
    monkeypatch.setenv("IOC_LOG_FORM", "json")
    run(work, is_service=is_service)
    said = capsys.readouterr()
    assert said.out == "the answer\n"
    assert [event for event in ("rules.taken", "something.failed") if event in said.err] == told
