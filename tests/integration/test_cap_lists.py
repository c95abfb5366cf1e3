"""Lists of warnings over real sockets: each message is fetched once, and no list makes us go where we must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from random import Random

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from connectors.definition import Surroundings
from connectors.feeds.weather.cap_list import read_list
from connectors.feeds.weather.connector import CapListConnector
from connectors.intake import Intake
from connectors.registry import configure, make_connectors
from ioc.errors import ConfigurationError, LogUnavailableError, MalformedPayloadError, SourceLostError
from tests.support.feeds import FakeLog, SteppedClock, eventually, fresh_feed
from tests.support.tasks import running

EVERY = timedelta(seconds=60)
BAY = "<area><areaDesc>x</areaDesc><geocode><valueName>zone</valueName><value>ha-long-bay</value></geocode></area>"


def cap(identifier: str, **fields: str) -> bytes:
    values = {
        "identifier": identifier, "sender": "met@example.vn", "sent": "2026-11-23T09:00:00+07:00",
        "status": "Actual", "msgType": "Alert", "scope": "Public", **fields,
    }  # fmt: skip
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    info = (
        "<info><language>vi-VN</language><category>Met</category><event>Dông lốc</event><urgency>Immediate</urgency>"
        "<severity>Severe</severity><certainty>Likely</certainty><expires>2026-11-23T11:00:00+07:00</expires>"
        f"{BAY}</info>"
    )
    return f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{inner}{info}</alert>'.encode()


def atom(*entries: tuple[str, str], minute: int = 0) -> bytes:
    """Entries as (id, href), the newest first as lists have them."""
    inner = "".join(
        f"<entry><id>{name}</id><updated>2026-11-23T02:{minute + len(entries) - place:02}:00Z</updated>"
        f'<link rel="alternate" type="text/html" href="/page/{name}"/>'
        f'<link type="application/cap+xml" href="{href}"/></entry>'
        for place, (name, href) in enumerate(entries)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title>{inner}</feed>'.encode()


RSS = b"""<rss version="2.0"><channel><title>x</title>
<item><guid>B</guid><pubDate>Mon, 23 Nov 2026 02:00:00 GMT</pubDate><link>b.xml</link></item>
<item><guid>A</guid><pubDate>Mon, 23 Nov 2026 01:00:00 GMT</pubDate><link>page.html</link>
<enclosure url="a.xml" type="application/cap+xml" length="1"/></item>
<item><guid>C</guid><title>without a link</title></item></channel></rss>"""


class Source:
    """A server whose pages are set by the test; a list has an ETag made of its bytes."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        page = self.pages.get(request.path, 404)
        if isinstance(page, int):
            return web.Response(status=page, headers={"Retry-After": "120"} if page == 503 else {})
        etag = f'"{hash(page)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=page, headers={"ETag": etag} if request.path == "/list" else {})

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.asked)


@asynccontextmanager
async def serving() -> AsyncIterator[Source]:
    source, application = Source(), web.Application()
    application.router.add_get("/{path:.*}", source.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    source.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield source
    finally:
        await runner.cleanup()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with serving() as made:
        yield made


def make(source: Source, clock: SteppedClock, **values: object) -> CapListConnector:
    config = configure("weather", {"cap_list": {"url": f"{source.url}/list", "every": EVERY, "jitter": 0, **values}})
    around = Surroundings(clock=clock, mqtt_url="", nmea_url="", random=Random(1))
    (connector,) = make_connectors({"weather": fresh_feed("weather")}, around, configs={"weather": config})
    assert isinstance(connector, CapListConnector)
    return connector


@asynccontextmanager
async def polling(connector: CapListConnector, log: FakeLog) -> AsyncIterator[None]:
    async with running(connector.run(Intake(log))):
        yield


async def rest(clock: SteppedClock, count: int) -> None:
    """Wait until the connector waits for the ``count``-th time."""
    await eventually(lambda: len(clock.slept) == count)


def keys(log: FakeLog) -> list[str]:
    return [event.data.warning_key for event in log.events]


async def test_each_message_is_fetched_once_the_oldest_first_and_an_unchanged_list_costs_nothing(source):
    source.pages = {"/list": atom(("W-2", "/w2.xml"), ("W-1", "/w1.xml"))}
    source.pages |= {f"/w{number}.xml": cap(f"W-{number}") for number in (1, 2, 3)}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock), log):
        await rest(clock, 1)
        assert keys(log) == ["W-1", "W-2"]
        await clock.step(EVERY)
        await rest(clock, 2)
        assert source.headers[-1]["If-None-Match"]
        source.pages["/list"] = atom(("W-3", "w3.xml"), ("W-2", "/w2.xml"), ("W-1", "/w1.xml"))
        await clock.step(EVERY)
        await rest(clock, 3)
    assert keys(log) == ["W-1", "W-2", "W-3"]
    assert source.counts == {"/list": 3, "/w1.xml": 1, "/w2.xml": 1, "/w3.xml": 1}
    assert log.events[0].asset_id == "area.ha-long-bay"


async def test_an_entry_that_was_updated_is_fetched_again(source):
    source.pages = {"/list": atom(("W-1", "/w1.xml")), "/w1.xml": cap("W-1")}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock), log):
        await rest(clock, 1)
        source.pages |= {"/list": atom(("W-1", "/w1.xml"), minute=5), "/w1.xml": cap("W-1b")}
        await clock.step(EVERY)
        await rest(clock, 2)
    assert keys(log) == ["W-1", "W-1b"]


async def test_a_message_that_is_not_there_is_tried_again_and_then_a_letter_and_the_others_come_at_once(source):
    source.pages = {"/list": atom(("W-2", "/w2.xml?key=secret"), ("W-1", "/w1.xml")), "/w1.xml": cap("W-1")}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock), log):
        for count in (1, 2, 3, 4):
            await rest(clock, count)
            assert len(log.letters) == (0, 0, 1, 1)[count - 1]
            await clock.step(EVERY)
    assert keys(log) == ["W-1"]
    assert source.counts["/w2.xml"] == 3
    assert "HTTP 404" in log.letters[0].reason
    assert log.letters[0].raw == f"{source.url}/w2.xml".encode()


async def test_a_message_that_cannot_be_read_is_kept_whole(source):
    source.pages = {"/list": atom(("W-1", "/w1.xml")), "/w1.xml": b"<html>no</html>"}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock), log):
        await rest(clock, 1)
    assert [letter.raw for letter in log.letters] == [b"<html>no</html>"]


async def test_links_to_other_hosts_are_followed_only_if_they_are_named_and_get_no_secret(source):
    async with serving() as other:
        other.pages["/w.xml"] = cap("W-1")
        port = URL(other.url).port
        source.pages["/list"] = atom(("A", f"http://127.0.0.1:{port}/w.xml"), ("B", f"http://localhost:{port}/w.xml"))
        log, clock = FakeLog(), SteppedClock()
        async with polling(make(source, clock, headers={"X-Key": "secret"}), log):
            await rest(clock, 1)
        assert [header.get("X-Key") for header in source.headers] == ["secret"]
        assert [header.get("X-Key") for header in other.headers] == [None], "localhost was not asked"
    assert keys(log) == ["W-1"]
    assert "localhost is not among hosts" in log.letters[0].reason


async def test_more_links_than_are_fetched_at_once_come_with_the_next_looks(source):
    source.pages = {"/list": atom(*((f"W-{number}", f"/w{number}.xml") for number in (3, 2, 1)))}
    source.pages |= {f"/w{number}.xml": cap(f"W-{number}") for number in (1, 2, 3)}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock, most_links=2), log):
        await rest(clock, 1)
        assert keys(log) == ["W-1", "W-2"]
        await clock.step(EVERY)
        await rest(clock, 2)
    assert keys(log) == ["W-1", "W-2", "W-3"]


async def test_a_busy_source_is_waited_for_and_nothing_is_forgotten(source):
    source.pages = {"/list": atom(("W-1", "/w1.xml")), "/w1.xml": 503}
    log, clock = FakeLog(), SteppedClock()
    async with polling(make(source, clock), log):
        await rest(clock, 1)
        assert clock.slept == [timedelta(seconds=120)]
        source.pages["/w1.xml"] = cap("W-1")
        await clock.step(timedelta(seconds=120))
        await rest(clock, 2)
    assert keys(log) == ["W-1"]


async def test_what_the_log_did_not_take_is_fetched_again(source):
    source.pages = {"/list": atom(("W-1", "/w1.xml")), "/w1.xml": cap("W-1")}
    log, clock = FakeLog(faults=[LogUnavailableError("away")]), SteppedClock()
    connector = make(source, clock)
    with pytest.raises(LogUnavailableError):
        await connector.run(Intake(log))
    async with polling(connector, log):
        await rest(clock, 1)
    assert keys(log) == ["W-1"]


@pytest.mark.parametrize("body", [b"", b"<html/>", b'<!DOCTYPE x [<!ENTITY a "b">]><rss/>'])
async def test_what_is_no_list_is_a_lost_source(source, body):
    source.pages["/list"] = body
    with pytest.raises(SourceLostError):
        await make(source, SteppedClock()).run(Intake(FakeLog()))


def test_rss_is_read_too_and_enclosures_come_before_pages():
    links = read_list(RSS, URL("https://met.example.vn/cap/rss.xml"))
    assert [str(link.url) for link in links] == ["https://met.example.vn/cap/a.xml", "https://met.example.vn/cap/b.xml"]
    with pytest.raises(MalformedPayloadError):
        read_list(b"<feed/>", URL("https://met.example.vn/"))


@pytest.mark.parametrize(
    "href", ["mailto:a@example.vn", "javascript:alert(1)", "http://[bad", "http://", "file:///etc/passwd"]
)
def test_a_link_that_leads_nowhere_is_passed_over(href):
    links = read_list(atom(("A", href), ("B", "b.xml")), URL("https://met.example.vn/"))
    assert [str(link.url) for link in links] == ["https://met.example.vn/b.xml"]


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_bytes_are_a_list_or_none(data):
    whole = data.draw(st.sampled_from([RSS, atom(("A", "a.xml"), ("B", "b.xml"))]))
    start, end = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    piece = data.draw(st.sampled_from([b"", b"\xff", b"<a/>", b"http://[", b"9" * 20]) | st.binary(max_size=8))
    with suppress(MalformedPayloadError):
        for link in read_list(whole[:start] + piece + whole[end:], URL("https://met.example.vn/cap/")):
            assert link.url.host


def test_a_list_with_a_cursor_is_refused():
    with pytest.raises(ConfigurationError, match="cursor"):
        configure("weather", {"cap_list": {"url": "https://met.example.vn/", "cursor": {"parameter": "a"}}})


def test_without_a_list_weather_has_no_connector_of_its_own():
    around = Surroundings(clock=SteppedClock(), mqtt_url="", nmea_url="")
    assert make_connectors({"weather": fresh_feed("weather")}, around) == []
