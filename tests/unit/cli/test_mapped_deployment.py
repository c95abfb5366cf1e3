"""A mapping file in the deployment's folder is all that a feed needs: enabled, polled, replayed like any other."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from connectors.definition import Surroundings
from connectors.feed import Form
from connectors.intake import Intake
from connectors.registry import make_connectors
from ioc import settings
from ioc.bootstrap.edge import find_stale_after
from ioc.bootstrap.knowledge import load_definitions, load_feed_configs, load_feeds
from ioc.cli.play_options import to_sources
from ioc.domain.kinds import Feeder, Outage, WaterLevel
from ioc.errors import ConfigurationError
from ioc.keys import Keys
from ioc.replaying import Recording
from ioc.settings import Settings
from tests.support.feeds import FakeLog, SteppedClock, eventually

GAUGES = """\
feed: gauges
name_vi: Thước nước
name_en: Gauges
expected_period: PT5M
records: items
becomes:
  - kind: env.water.level
    asset_id: "water.{id}"
    observed_at: at
    quantities: {level_m: {from: cm, unit: cm}}
"""


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("IOC_FEEDS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("IOC_FEEDS__ENABLED", "air,gauges")
    (tmp_path / "gauges.mapping.yaml").write_text(GAUGES)
    return settings.load()


async def test_a_mapped_feed_is_polled_and_its_silence_has_its_own_measure(deployment: Settings, tmp_path: Path):
    record = {"id": "b-1", "at": "2026-11-23T08:30:00+07:00", "cm": 215}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": [record, {"id": "b-1"}]})

    application, log = web.Application(), FakeLog()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    (tmp_path / "gauges.mapping.yaml").write_text(f"{GAUGES}poll: {{url: '{url}'}}\n")
    around = Surroundings(clock=SteppedClock(), mqtt_url="", nmea_url="")
    configs, definitions = load_feed_configs(deployment), load_definitions(deployment)
    feeds = load_feeds(deployment, Keys(encryption_key=b"e" * 32, pseudonym_key=b"p" * 32))
    (connector,) = make_connectors({"gauges": feeds["gauges"]}, around, configs=configs, definitions=definitions)
    running = asyncio.create_task(connector.run(Intake(log)))
    try:
        await eventually(lambda: len(log.events) == 1 and len(log.letters) == 1)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await runner.cleanup()
    assert log.events[0].data == WaterLevel(level_m=2.15)
    assert json.loads(log.letters[0].raw) == {"items": [{"id": "b-1"}]}
    assert find_stale_after(deployment)[WaterLevel] == timedelta(minutes=15)


@pytest.mark.parametrize("order", ["gauges,water", "water,gauges"])
def test_of_two_feeds_that_send_a_kind_the_slower_one_says_when_it_is_stale(
    deployment: Settings, monkeypatch: pytest.MonkeyPatch, order: str
):
    monkeypatch.setenv("IOC_FEEDS__ENABLED", order)
    assert find_stale_after(settings.load())[WaterLevel] == timedelta(minutes=15)


def test_units_may_report_outages_more_seldom_than_feeders_their_load(
    deployment: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IOC_FEEDS__ENABLED", "energy")
    (tmp_path / "energy.yaml").write_text("outage_period: PT15M\n")
    stale_after = find_stale_after(settings.load())
    assert (stale_after[Outage], stale_after[Feeder]) == (timedelta(minutes=45), timedelta(minutes=3))


def test_a_file_of_a_mapped_feed_is_a_recording(deployment: Settings, tmp_path: Path):
    (tmp_path / "levels.csv").write_text("id,at,cm\nb-1,2026-11-23T08:30:00+07:00,215\n")
    (recording,) = to_sources(tmp_path / "levels.csv", "gauges", None, None)
    assert isinstance(recording, Recording)
    assert (recording.feed_id, recording.form) == ("gauges", Form.CSV)
    assert recording.definition is not None
    with pytest.raises(ConfigurationError, match="no feed 'tides'"):
        to_sources(tmp_path / "levels.csv", "tides", None, None)


def test_a_fault_of_a_mapping_stops_the_start_with_its_line(deployment: Settings, tmp_path: Path):
    (tmp_path / "gauges.mapping.yaml").write_text(GAUGES.replace("unit: cm", "unit: ppb"))
    with pytest.raises(ConfigurationError, match=r"gauges\.mapping\.yaml:10: "):
        load_feed_configs(deployment)
