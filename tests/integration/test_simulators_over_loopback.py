"""The pretend city against the real connectors over loopback: what was sent is what arrives."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from connectors.definition import Surroundings
from connectors.feed import Form
from connectors.intake import Intake
from connectors.registry import configure, make_board, make_connectors
from connectors.supervisor import Supervisor
from connectors.transports.http_push import HttpPush
from connectors.transports.nmea import NmeaAddress, read_udp
from ioc.clocks import SystemClock
from ioc.errors import MalformedPayloadError
from ioc.indicators.present import TrucksInYard
from ioc.retry import Backoff
from simulators.city import PUSHED, Carrier, City, Reach
from simulators.load import Batches, Load
from simulators.scenario import load_scenario
from simulators.wire.lines import DatagramSender
from tests.support.feeds import RECEIVED_AT, FakeLog, SteppedClock, eventually, fresh_feed

KEYS = {feed_id: f"key-of-{feed_id}" for feed_id in (*PUSHED, "air")}
SOON_S = 40.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def ingest(push: HttpPush) -> AsyncIterator[str]:
    """The intake's HTTP face: the same receiver that the product's route stands in front of."""

    async def take(request: web.Request) -> web.Response:
        feed_id = request.match_info["feed"]
        if request.headers.get("Authorization") != f"Bearer {KEYS[feed_id]}":
            return web.Response(status=401)
        try:
            result = await push.receive(feed_id, await request.read(), request.content_type)
        except MalformedPayloadError:
            return web.Response(status=400)
        return web.json_response(result.to_wire(), status=202)

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/api/v1/ingest/{feed}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


@dataclass
class Province:
    city: City
    carrier: Carrier
    clock: SteppedClock
    log: FakeLog

    def received(self) -> Counter[str]:
        return Counter(event.feed_id for event in self.log.events)


@asynccontextmanager
async def province(
    scenario: str, speed: float = 1.0, *, starts_at: datetime = RECEIVED_AT, leftovers: Path | None = None
) -> AsyncIterator[Province]:
    clock, log = SteppedClock(starts_at), FakeLog()
    feeds = {feed_id: fresh_feed(feed_id) for feed_id in (*PUSHED, "air", "vessels")}
    intake, mqtt_port, nmea_port = Intake(log), free_port(), free_port()
    around = Surroundings(
        clock=clock, mqtt_url=f"mqtt://127.0.0.1:{mqtt_port}", nmea_url=f"tcp://127.0.0.1:{nmea_port}"
    )
    configs = {feed_id: configure(feed_id) for feed_id in feeds}
    supervisor = Supervisor(
        make_connectors(feeds, around, configs=configs),
        intake,
        make_board(feeds.values()),
        clock,
        random=Random(1),
        backoff=Backoff(first=timedelta(milliseconds=1), longest=timedelta(milliseconds=10)),
    )
    push = HttpPush(feeds, intake, clock)
    city = City(load_scenario(scenario), start_at=clock.now(), speed=speed, scale=0.3)
    async with ingest(push) as url:
        reach = Reach(url=url, keys=KEYS, mqtt_port=mqtt_port, nmea_port=nmea_port)
        carrier = Carrier(city, reach, clock, leftovers=leftovers)
        tasks = [asyncio.create_task(carrier.run()), asyncio.create_task(supervisor.run())]
        try:
            # The connectors may have come before the city listened; their next attempt is a step of the clock away.
            async with asyncio.timeout(SOON_S):
                while not carrier.listeners_count:
                    await clock.step(timedelta(milliseconds=10))
                    await asyncio.sleep(0.02)
            yield Province(city, carrier, clock, log)
        finally:
            for task in reversed(tasks):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def test_everything_that_a_normal_city_sends_arrives_and_nothing_is_refused() -> None:
    async with province("normal-day", speed=3.0) as here:
        for _ in range(8):
            await here.clock.step(timedelta(seconds=15))
            await eventually(lambda: not sum(here.carrier.waiting.values()))
        sent = here.carrier.sent
        await eventually(lambda: all(here.received()[feed_id] == sent[feed_id] for feed_id in ("air", *PUSHED)))
        names = await _count_names(here)
        await eventually(lambda: here.received()["vessels"] == sent["vessels"] - names)
        assert sent["vessels"] > 1_000
        assert not here.log.letters
        assert not here.carrier.dropped
        assert here.carrier.rates_per_s()["vessels"] > 0


async def test_a_city_that_follows_a_stopped_one_does_not_double_the_trucks_in_the_yards(tmp_path: Path) -> None:
    logs, starts = [], (RECEIVED_AT, RECEIVED_AT + timedelta(minutes=20))
    for starts_at in starts:
        async with province("normal-day", starts_at=starts_at, leftovers=tmp_path / "leftovers.json") as here:
            await here.clock.step(timedelta(seconds=15))
            await eventually(lambda: (tmp_path / "leftovers.json").exists())
            await eventually(lambda: here.received()["border"] == here.carrier.sent["border"] > 0)
            logs.append(here.log.events)
    together, alone = TrucksInYard(), TrucksInYard()
    for event in [*logs[0], *logs[1]]:
        together.take(event)
    for event in logs[1]:
        alone.take(event)
    now = starts[1] + timedelta(seconds=15)
    assert together.figure(now).value == alone.figure(now).value
    assert alone.figure(now).value > 5


async def test_a_demonstration_brings_its_warning_and_its_squall() -> None:
    async with province("demo-day") as here:
        for _ in range(12):
            await here.clock.step(timedelta(seconds=15))
            await eventually(lambda: not sum(here.carrier.waiting.values()))
        await eventually(lambda: any(event.asset_id == "area.ha-long-bay" for event in here.log.events))
        assert not here.log.letters


async def test_connections_that_are_cut_come_back_and_broken_bytes_are_kept() -> None:
    async with province("rough-wires", speed=10.0) as here:
        for _ in range(17):
            await here.clock.step(timedelta(seconds=5))
            await eventually(lambda: not sum(here.carrier.waiting.values()))
            await asyncio.sleep(0.05)
        assert here.city.faults["vessels"].hang_ups == 1
        await eventually(lambda: here.carrier.listeners_count == 1)
        broken = here.city.faults["border"].counts["broken"]
        await eventually(lambda: sum(letter.feed_id == "border" for letter in here.log.letters) >= broken > 0)
        heard = here.received()["vessels"]
        # The line is down until minute 15 of the world, which is second 90 of the clock.
        for _ in range(3):
            await here.clock.step(timedelta(seconds=5))
        await eventually(lambda: here.received()["vessels"] > heard)


async def test_boats_can_be_heard_over_datagrams_too() -> None:
    feed, clock, log, ports = fresh_feed("vessels"), SteppedClock(), FakeLog(), []
    address = NmeaAddress.parse("udp://127.0.0.1:0")

    async def listen() -> None:
        intake = Intake(log)
        async for lines in read_udp(address, on_drop=lambda _: None, on_bound=ports.append):
            parsed = feed.parse(lines, received_at=clock.now(), form=Form.NMEA)
            await intake(parsed, feed_id="vessels", received_at=clock.now())

    city = City(load_scenario("normal-day"), start_at=clock.now(), scale=0.1)
    lines = [item.payload for item in city.messages(clock.now() + timedelta(minutes=1)) if item.feed_id == "vessels"]
    task = asyncio.create_task(listen())
    try:
        await eventually(lambda: bool(ports))
        with DatagramSender("127.0.0.1", ports[0]) as sender:
            for line in lines:
                sender.send(line)
            assert (sender.sent_count, sender.lost_count) == (len(lines), 0)
        told = fresh_feed("vessels").parse(b"".join(lines), received_at=clock.now(), form=Form.NMEA)
        await eventually(lambda: len(log.events) == len(told.events) > 50)
        assert not log.letters
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_load_generator_counts_what_the_intake_took() -> None:
    log = FakeLog()
    feeds = {feed_id: fresh_feed(feed_id) for feed_id in ("air", "border")}
    push = HttpPush(feeds, Intake(log), SystemClock())
    async with ingest(push) as url:
        for feed_id in feeds:
            del log.events[:]
            load = Load(url, feed_id, KEYS[feed_id], connections_count=2)
            outcome = await load.run(Batches(feed_id, 100, 4, Random(1)), records_count=100, rate=2_000, seconds=1.0)
            assert outcome.accepted_count == outcome.sent_count == len(log.events) >= 1_500
            assert len({event.event_id for event in log.events}) == len(log.events)
            assert outcome.rejected_count == outcome.lost_count == 0
            figures = json.loads(json.dumps(outcome.to_json()))
            assert figures["statuses"] == {"202": outcome.sent_count // 100}
            assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]


async def test_a_wrong_key_is_a_loss_and_not_a_success() -> None:
    push = HttpPush({"air": fresh_feed("air")}, Intake(FakeLog()), SystemClock())
    async with ingest(push) as url:
        outcome = await Load(url, "air", "wrong").run(
            Batches("air", 10, 1, Random(1)), records_count=10, rate=100, seconds=0.3
        )
    assert outcome.accepted_count == 0
    assert outcome.lost_count == outcome.sent_count > 0


async def _count_names(here: Province) -> int:
    """How many of the lines only told a name: the same city once more, without wires."""
    again = City(here.city.scenario, start_at=here.city.start_at, speed=here.city.speed, scale=0.3)
    reader, names = fresh_feed("vessels"), 0
    until_at = again.to_world_time(here.carrier.begun_at, here.clock.now())
    for message in [*again.beginning(), *again.messages(until_at)]:
        if message.feed_id == "vessels":
            names += not reader.parse(message.payload, received_at=message.at, form=Form.NMEA).events
    return names


pytestmark = pytest.mark.timeout(120)
