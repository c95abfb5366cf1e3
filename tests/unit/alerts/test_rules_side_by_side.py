"""A rule says beside others what it says alone, however their signals meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import VesselPosition, WeatherObservation
from tests.support.engine_runs import Lives, make_event, play

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def boats():
    """One of two falls silent for ten minutes, and later for ever."""
    for number in range(240):
        minute = number / 4
        yield make_event("vessel.574000002", VesselPosition(sog_kn=8.0), at(minute), lon_deg=107.12, lat_deg=20.86)
        if not (6 < minute < 16 or minute > 40):
            yield make_event("vessel.574000001", VesselPosition(sog_kn=8.0), at(minute), lon_deg=107.12, lat_deg=20.86)


def stations():
    """Four of one unit, of which one after the other is silent for an hour, and two leaps of the one that is not."""
    for minute in range(240):
        for number in range(4):
            if not 40 + 15 * number < minute < 100 + 15 * number or number == 3:
                leap = {70: 12.0, 71: 12.0, 150: 40.0, 151: 40.0}.get(minute, 0.0) if number == 3 else 0.0
                wind = 3.0 + minute % 3 / 5 + leap
                data = WeatherObservation(wind_m_s=wind)
                where = {"lon_deg": 107.0 + number, "lat_deg": 20.9, "unit_code": "06652"}
                yield make_event(f"met.station-{number}", data, at(minute), **where)


@pytest.mark.parametrize(
    ("name", "rule_id", "hasty", "stream"),
    [
        ("23-vessel-lost", "vessel.signal_lost", ("least: 5m", "least: 1m"), boats),
        ("09-station-silent", "station.silent", ("met.obs: 30m", "met.obs: 5m"), stations),
        ("08-spike", "sensor.spike", ("wind_m_s: {least: 25}", "wind_m_s: {least: 5}"), stations),
    ],
)
def test_what_a_rule_finds_out_by_its_own_limits_makes_no_other_rule_speak(tmp_path, name, rule_id, hasty, stream):
    text = (RULES / f"{name}.yaml").read_text(encoding="utf-8")
    assert hasty[0] in text
    other = text.replace(f"rule: {rule_id}", "rule: the.other\nshadow: true").replace(*hasty)
    (tmp_path / "other.yaml").write_text(other, encoding="utf-8")
    alone = play(Lives(Rulebook.load([RULES / f"{name}.yaml"]), WORLD), stream())
    beside = play(Lives(Rulebook.load([RULES / f"{name}.yaml", tmp_path]), WORLD), stream())
    assert alone.changes
    assert [change for change in beside.changes if change.rule_id == rule_id] == alone.changes
    others = [change for change in beside.changes if change.rule_id == "the.other"]
    assert [change.decided_at for change in others] != [change.decided_at for change in alone.changes]
