"""Pretend buses over a real socket: shown as GTFS-realtime, asked for by poll, moving on the map."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from connectors.definition import Surroundings
from connectors.intake import Intake
from connectors.registry import configure, make_connectors
from geo.distance import distance_m
from geo.position import Position, is_in_province_box
from ioc.bootstrap.knowledge import load_feed_configs
from ioc.settings import FeedsSettings, Settings
from simulators.city import City
from simulators.scenario import load_scenario
from simulators.wire.shown import Showcase
from tests.support.feeds import FakeLog, SteppedClock, eventually, fresh_feed


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_buses_that_are_shown_are_polled_and_move() -> None:
    clock, log, port = SteppedClock(), FakeLog(), free_port()
    city = City(load_scenario("normal-day"), start_at=clock.now())
    config = configure(
        "transit", {"poll": {"url": f"http://127.0.0.1:{port}/transit", "form": "gtfs-rt", "every": "PT15S"}}
    )
    around = Surroundings(clock=clock, mqtt_url="", nmea_url="")
    (connector,) = make_connectors({"transit": fresh_feed("transit")}, around, configs={"transit": config})
    async with Showcase(port) as showcase:
        running: asyncio.Task[None] | None = None
        for turn in range(1, 9):
            await clock.step(timedelta(seconds=20))
            (*_, latest) = city.sources["transit"].run_until(clock.now())
            showcase.show("transit", latest.payload)
            if running is None:
                running = asyncio.create_task(connector.run(Intake(log)))
            await eventually(lambda turn=turn: len(log.events) >= 36 * turn)
        assert running is not None
        running.cancel()
        await asyncio.wait([running])
    places: dict[str, list[Position]] = defaultdict(list)
    for event in log.events:
        places[event.asset_id].append(Position(lon_deg=event.lon_deg or 0, lat_deg=event.lat_deg or 0))
    assert len(places) == 36
    assert all(is_in_province_box(place) for track in places.values() for place in track)
    assert sum(distance_m(track[0], track[-1]) > 100 for track in places.values()) > 18
    assert not log.letters


def test_the_settings_name_where_buses_are_and_the_feeds_own_file_comes_first(tmp_path: Path) -> None:
    feeds = FeedsSettings(enabled=("transit",), transit_url="http://127.0.0.1:9/transit")
    poll = load_feed_configs(Settings(feeds=feeds))["transit"].poll
    assert poll is not None
    assert (poll.url, poll.form) == ("http://127.0.0.1:9/transit", "gtfs-rt")
    (tmp_path / "transit.yaml").write_text("poll: {url: 'https://x.example/v.pb', form: gtfs-rt}\n")
    feeds = FeedsSettings(enabled=("transit",), transit_url="http://127.0.0.1:9/transit", config_dir=tmp_path)
    poll = load_feed_configs(Settings(feeds=feeds))["transit"].poll
    assert poll is not None
    assert poll.url == "https://x.example/v.pb"
