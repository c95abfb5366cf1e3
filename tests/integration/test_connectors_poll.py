"""Polling over real sockets: what is unchanged costs nothing, busy sources are left alone, bad answers are bounded."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from aiohttp import web

from connectors.definition import Surroundings
from connectors.intake import Intake
from connectors.registry import configure, make_connectors
from connectors.transports.http_poll import PollConnector, read_retry_after
from connectors.ways import PollConfig
from ioc.errors import ConfigurationError, LogUnavailableError, SourceLostError
from tests.support.feeds import FakeLog, HastyClock, SteppedClock, eventually, fresh_feed
from tests.support.tasks import running

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVERY = timedelta(seconds=60)


def reading(minute: int, **more: object) -> dict[str, object]:
    return {"station": "air.hong-gai", "time": f"2026-11-23T08:{minute:02}:00+07:00", "pm25": 12.5, **more}


class Source:
    """A source that answers each poll by the next of its scripts, the last one for ever."""

    def __init__(self, *scripts: Handler) -> None:
        self._scripts = list(scripts)
        self.requests: list[tuple[dict[str, str], dict[str, str]]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.query), dict(request.headers)))
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        return await script(request)


def says(records: object, *, status: int = 200, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = records if isinstance(records, bytes) else json.dumps(records).encode()
        return web.Response(body=body, status=status, headers=named)

    return answer


@asynccontextmanager
async def serving(source: Source) -> AsyncIterator[Source]:
    application = web.Application()
    application.router.add_get("/{path:.*}", source.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    source.url = f"http://127.0.0.1:{runner.addresses[0][1]}/readings"
    try:
        yield source
    finally:
        await runner.cleanup()


@asynccontextmanager
async def polling(
    source: Source, log: FakeLog, clock: SteppedClock | HastyClock | None = None, **settings: object
) -> AsyncIterator[PollConnector]:
    """A connector that polls until the block ends; its error, if any, comes out of the block."""
    config = PollConfig.model_validate({"url": source.url, "every": EVERY, **settings})
    connector = PollConnector(
        fresh_feed("air"), clock or SteppedClock(), config, headers=config.collect_headers({}), random=Random(1)
    )
    async with running(connector.run(Intake(log))):
        yield connector


async def fail(source: Source, **settings: object) -> str:
    """Poll a source that cannot be read, and give the reason."""
    log = FakeLog()
    config = PollConfig.model_validate({"url": source.url, **settings})
    connector = PollConnector(fresh_feed("air"), SteppedClock(), config, headers={}, random=Random(1))
    with pytest.raises(SourceLostError) as caught:
        async with asyncio.timeout(10):
            await connector.run(Intake(log))
    assert log.events == []
    return str(caught.value)


async def test_what_is_there_is_read_and_what_did_not_change_is_not_sent_again():
    log, clock = FakeLog(), SteppedClock()
    stamp = "Mon, 23 Nov 2026 02:00:00 GMT"
    source = Source(says([reading(1)], ETag='"one"', Last_Modified=stamp), says(b"", status=304), says([reading(2)]))
    async with serving(source), polling(source, log, clock):
        for count in (1, 2, 3):
            await eventually(lambda count=count: len(source.requests) == count and len(clock.slept) == count)
            assert len(log.events) == (1, 1, 2)[count - 1]
            await clock.step(EVERY * 1.5)
    assert "If-None-Match" not in source.requests[0][1]
    assert [source.requests[place][1]["If-None-Match"] for place in (1, 2)] == ['"one"'] * 2
    assert source.requests[1][1]["If-Modified-Since"] == stamp
    assert all(EVERY * 0.9 <= wait <= EVERY * 1.1 for wait in clock.slept)
    assert len(set(clock.slept)) > 1


@pytest.mark.parametrize(
    ("value", "wait"), [("120", timedelta(seconds=120)), ("Mon, 23 Nov 2026 02:05:00 GMT", timedelta(minutes=3))]
)
async def test_a_busy_source_is_left_alone_for_as_long_as_it_asks(value, wait):
    log, clock = FakeLog(), SteppedClock()
    source = Source(says(b"", status=429, Retry_After=value), says([reading(1)]))
    async with serving(source), polling(source, log, clock):
        await eventually(lambda: len(clock.slept) == 1)
        assert clock.slept == [wait]
        await clock.step(wait - timedelta(seconds=1))
        assert len(source.requests) == 1
        await clock.step(timedelta(seconds=1))
        await eventually(lambda: len(log.events) == 1)


async def test_no_source_can_make_us_wait_for_ever():
    log, clock = FakeLog(), SteppedClock()
    source = Source(says(b"", status=503, Retry_After="9" * 30))
    async with serving(source), polling(source, log, clock, longest_wait=timedelta(minutes=10)):
        await eventually(lambda: clock.slept == [timedelta(minutes=10)])


def test_a_retry_after_that_makes_no_sense_is_none():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert [read_retry_after(value, now) for value in (None, "soon", "-5", "Mon, 99 Nov")] == [None] * 4
    assert read_retry_after("Mon, 23 Nov 2020 00:00:00 GMT", now) == timedelta(0)


async def test_the_newest_time_less_a_margin_is_where_the_next_poll_begins():
    log, clock = FakeLog(), HastyClock()
    source = Source(says([reading(5), reading(3)]), says([reading(4)]))
    cursor = {"parameter": "since", "lookback": timedelta(minutes=1), "start": "2026-11-01"}
    async with serving(source), polling(source, log, clock, cursor=cursor, query={"station": "all"}):
        await eventually(lambda: len(source.requests) >= 3)
    asked = [query["since"] for query, _ in source.requests[:3]]
    assert asked == ["2026-11-01", "2026-11-23T01:04:00.000Z", "2026-11-23T01:04:00.000Z"]
    assert source.requests[0][0]["station"] == "all"


async def test_a_cursor_can_stand_within_a_longer_parameter():
    log, clock = FakeLog(), HastyClock()
    source = Source(says([reading(5)]))
    cursor = {"parameter": "$filter", "written": "phenomenonTime gt {}", "start": "2026-11-01T00:00:00Z"}
    async with serving(source), polling(source, log, clock, cursor=cursor):
        await eventually(lambda: len(source.requests) >= 2)
    asked = [query["$filter"] for query, _ in source.requests[:2]]
    assert asked == ["phenomenonTime gt 2026-11-01T00:00:00Z", "phenomenonTime gt 2026-11-23T01:03:00.000Z"]
    with pytest.raises(ValueError, match="written"):
        PollConfig.model_validate({"url": source.url, "cursor": {"parameter": "a", "written": "all"}})


async def test_pages_are_followed_to_the_last_and_then_waited():
    log, clock = FakeLog(), SteppedClock()
    pages = [[reading(1)], [reading(2)], [reading(3)]]

    async def page(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("page", "0"))
        more = {"next": number + 1} if number < 2 else {}
        # A page is one record with its cursor beside it: the reader refuses the key, the connector reads it.
        return web.json_response({**pages[number][0], **more})

    source = Source(page)
    cursor = {"parameter": "page", "field": "next", "follow": True}
    async with serving(source), polling(source, log, clock, cursor=cursor):
        await eventually(lambda: len(clock.slept) == 1)
    assert [query.get("page") for query, _ in source.requests] == [None, "1", "2"]


async def test_links_to_the_next_page_are_followed_on_the_same_host_only():
    log, clock = FakeLog(), SteppedClock()
    stream = {"@iot.id": 1, "unitOfMeasurement": {"symbol": "ug/m3"}, "ObservedProperty": {"name": "PM2.5"}}

    async def page(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("$skip", "0"))
        at = f"2026-11-23T08:0{number}:00+07:00"
        link = {0: "?$skip=1", 1: f"{source.url}?$skip=2", 2: None}[number]
        more = {} if link is None else {"@iot.nextLink": link}
        return web.json_response({"value": [{"phenomenonTime": at, "result": number, "Datastream": stream}], **more})

    source = Source(page)
    async with serving(source):
        config = PollConfig(url=source.url, next_link="/@iot.nextLink")
        feed = fresh_feed("sensorthings")
        running = asyncio.create_task(PollConnector(feed, clock, config, headers={}, random=Random(1)).run(Intake(log)))
        await eventually(lambda: len(clock.slept) == 1)
        running.cancel()
        await asyncio.wait([running])
    assert [event.data.pm25_ug_m3 for event in log.events] == [0, 1, 2]
    assert [query.get("$skip") for query, _ in source.requests] == [None, "1", "2"]
    elsewhere = Source(says({"next": "http://127.0.0.2/", **reading(1)}))
    async with serving(elsewhere):
        config = PollConfig(url=elsewhere.url, next_link="next")
        with pytest.raises(SourceLostError, match="another host"):
            await PollConnector(fresh_feed("air"), clock, config, headers={}, random=Random(1)).run(Intake(log))
    assert len(elsewhere.requests) == 1


async def test_a_restart_reads_again_and_makes_the_same_events():
    log = FakeLog()
    source = Source(says([reading(1), reading(2)], ETag='"one"'))
    async with serving(source):
        for _ in range(2):
            before = len(log.events)
            async with polling(source, log):
                await eventually(lambda before=before: len(log.events) == before + 2)
    assert len(log.events) == 4
    assert len({event.event_id for event in log.events}) == 2


async def test_what_the_log_did_not_take_is_asked_for_again():
    log = FakeLog(faults=[LogUnavailableError("away")])
    source = Source(says([reading(1)], ETag='"one"'))
    async with serving(source):
        config = PollConfig(url=source.url)
        connector = PollConnector(fresh_feed("air"), SteppedClock(), config, headers={}, random=Random(1))
        with pytest.raises(LogUnavailableError):
            await connector.run(Intake(log))
        running = asyncio.create_task(connector.run(Intake(log)))
        await eventually(lambda: len(log.events) == 1)
        running.cancel()
        await asyncio.wait([running])
    assert "If-None-Match" not in source.requests[1][1]


async def test_gzip_is_unpacked_and_a_bomb_is_cut_off():
    log = FakeLog()
    packed = gzip.compress(json.dumps([reading(1)]).encode())
    source = Source(says(packed, Content_Encoding="gzip"))
    async with serving(source), polling(source, log):
        await eventually(lambda: len(log.events) == 1)
    bomb = Source(says(gzip.compress(b" " * 30_000_000), Content_Encoding="gzip"))
    async with serving(bomb):
        assert "larger than 1000000 bytes" in await fail(bomb, most_bytes=1_000_000)
    for broken in (packed[:-12], b"no gzip", packed + b"x"):
        source = Source(says(broken, Content_Encoding="gzip"))
        async with serving(source):
            assert "gzip" in await fail(source)
    source = Source(says(b"x", Content_Encoding="br"))
    async with serving(source):
        assert "did not ask" in await fail(source)


@pytest.mark.parametrize("status", [401, 404, 500, 206])
async def test_a_source_that_says_no_is_lost_and_its_words_are_not_repeated(status):
    source = Source(says(b"key=secret", status=status))
    async with serving(source):
        reason = await fail(source, query={"key": "secret"})
    assert f"HTTP {status}" in reason
    assert "secret" not in reason


async def test_a_slow_drip_is_cut_off_by_the_deadline():
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    source = Source(drip)
    async with serving(source):
        assert "no whole answer" in await fail(source, deadline=timedelta(seconds=0.2))


async def test_a_connection_that_is_cut_gives_no_half_an_answer():
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(json.dumps([reading(1)]).encode())
        assert request.transport is not None
        request.transport.abort()
        return response

    source = Source(cut)
    async with serving(source):
        assert "127.0.0.1" in await fail(source)


async def test_nobody_there_is_a_lost_source():
    source = Source(says([]))
    async with serving(source):
        pass
    assert "127.0.0.1" in await fail(source)


async def test_redirects_are_followed_on_the_same_host_only():
    log = FakeLog()
    near = Source(says(b"", status=302, Location="/elsewhere"), says([reading(1)]))
    async with serving(near), polling(near, log, headers={"X-Key": "k"}):
        await eventually(lambda: len(log.events) == 1)
    other = Source(says([reading(1)]))
    async with serving(other):
        for location in (other.url, "http://localhost/", "file:///etc/passwd", ""):
            far = Source(says(b"", status=301, Location=location))
            async with serving(far):
                assert "another host" in await fail(far)
    assert other.requests == []
    loop = Source(says(b"", status=307, Location="/readings"))
    async with serving(loop):
        assert "redirects" in await fail(loop)


async def test_a_broken_body_is_kept_and_the_next_poll_is_read():
    log, clock = FakeLog(), HastyClock()
    source = Source(says(b'[{"station": "air.ho'), says([reading(1)]))
    async with serving(source), polling(source, log, clock):
        await eventually(lambda: len(log.events) >= 1)
    assert [letter.raw for letter in log.letters] == [b'[{"station": "air.ho']


async def test_a_configuration_file_is_all_that_a_feed_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("MET_KEY", "Bearer from-env")
    (tmp_path / "key").write_text("from-file\n")
    log = FakeLog()
    source = Source(says([reading(1)]))
    async with serving(source):
        values = {
            "url": source.url,
            "every": "PT30S",
            "headers_from_env": {"Authorization": "MET_KEY"},
            "headers_from_file": {"X-Key": str(tmp_path / "key")},
        }
        config = configure("tourism", {"poll": values})
        around = Surroundings(clock=SteppedClock(), mqtt_url="", nmea_url="")
        (connector,) = make_connectors({"tourism": fresh_feed("tourism")}, around, configs={"tourism": config})
        running = asyncio.create_task(connector.run(Intake(log)))
        await eventually(lambda: len(log.letters) == 1)
        running.cancel()
        await asyncio.wait([running])
    assert source.requests[0][1]["Authorization"] == "Bearer from-env"
    assert source.requests[0][1]["X-Key"] == "from-file"


@pytest.mark.parametrize(
    "values",
    [
        {"url": "ftp://x/"},
        {"url": "http://user:pass@x/"},
        {"url": "http://x/", "evry": 5},
        {"url": "http://x/", "form": "nmea"},
        {"url": "http://x/", "jitter": 2},
        {"url": "http://x/", "headers": {"a b": "c"}},
        {"url": "http://x/", "cursor": {"parameter": "since", "follow": True}},
        {"every": 5},
    ],
)
def test_a_poll_that_cannot_be_is_refused_at_the_start_and_no_password_is_repeated(values):
    with pytest.raises(ConfigurationError) as caught:
        configure("tourism", {"poll": values})
    assert "poll" in str(caught.value)
    assert "pass@" not in str(caught.value)


def test_a_secret_that_is_not_there_is_named():
    config = PollConfig(
        url="http://x/", headers_from_env={"Authorization": "NO_SUCH"}, headers_from_file={"X-Key": "/no/such/file"}
    )
    with pytest.raises(ConfigurationError) as caught:
        config.collect_headers({})
    assert len(caught.value.faults) == 2
    with pytest.raises(ConfigurationError, match="line break"):
        PollConfig(url="http://x/", headers_from_env={"A": "B"}).collect_headers({"B": "x\ny"})
