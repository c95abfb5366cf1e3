"""What a developer sees of the pretend province while it runs."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from ioc.cli import city_progress
from ioc.clocks import SystemClock
from simulators.city import Carrier, City, Reach
from simulators.scenario import load_scenario
from tests.support.alerts import at


@pytest.fixture
def carrier():
    city = City(load_scenario("normal-day"), start_at=at(0))
    made = Carrier(city, Reach(url="http://127.0.0.1:1", keys={}, mqtt_port=1, nmea_port=1), SystemClock())
    made.begun_at = at(0)
    made.sent.update(air=1_200, vessels=34)
    return made


def test_without_a_terminal_a_line_comes_every_ten_seconds_and_the_sum_at_the_end(carrier):
    written, now = io.StringIO(), at(0)

    def clock():
        return now

    with city_progress.shown(Console(file=written, width=100), clock, speed=60) as show:
        for _ in range(25):
            show(carrier)
            now += timedelta(seconds=1)
    lines = written.getvalue().splitlines()
    assert [line[:7] for line in lines[:3]] == ["0:00:00", "0:00:10", "0:00:20"]
    assert "(0:20:00 in the world): 1,234 messages" in lines[2]
    assert any("air" in line and "1,200" in line for line in lines[3:])
    assert "1,234" in lines[-2]


def test_on_a_terminal_a_table_shows_each_feed(carrier):
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=True)
    with city_progress.shown(console, lambda: at(2), speed=1) as show:
        show(carrier)
    assert "vessels" in written.getvalue()
    assert "Simulated province, 0:02:00" in written.getvalue()


def test_a_city_that_never_began_has_nothing_to_sum_up(carrier):
    written = io.StringIO()
    with city_progress.shown(Console(file=written), lambda: at(0), speed=1):
        pass
    assert written.getvalue() == ""
