"""CAP 1.2: who is warned, what ends a warning, and what no message can make us do."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.feed import Feed, Form
from connectors.intake import Intake
from connectors.transports.http_push import HttpPush, UnsupportedContentError
from ioc.domain.events import Event
from ioc.errors import MalformedPayloadError
from tests.support.feeds import RECEIVED_AT, FakeLog, HastyClock, fresh_feed

SQUARE_OF_THE_BAY = "20.80,107.10 20.80,107.20 20.90,107.20 20.90,107.10 20.80,107.10"
HANOI = "20.9,105.7 20.9,105.9 21.1,105.9 21.1,105.7 20.9,105.7"


def area(inner: str = f"<polygon>{SQUARE_OF_THE_BAY}</polygon>", name: str = "x") -> str:
    return f"<area><areaDesc>{name}</areaDesc>{inner}</area>"


def info(areas: str | None = None, **fields: str) -> str:
    values = {
        "language": "vi-VN",
        "category": "Met",
        "event": "Dông lốc",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "onset": "2026-11-23T09:10:00+07:00",
        "expires": "2026-11-23T11:00:00+07:00",
        "headline": "Dông mạnh trên vịnh Hạ Long",
        **fields,
    }
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items() if value)
    return f"<info>{inner}{area() if areas is None else areas}</info>"


def alert(*infos: str, identifier: str = "W-1", **fields: str) -> bytes:
    values = {
        "identifier": identifier,
        "sender": "met@example.vn",
        "sent": "2026-11-23T09:00:00+07:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        **fields,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    return f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{inner}{"".join(infos)}</alert>'.encode()


def read(body: bytes, feed: Feed | None = None) -> list[Event]:
    parsed = (feed or fresh_feed("weather")).parse(body, received_at=RECEIVED_AT, form=Form.CAP)
    assert parsed.rejected == []
    assert parsed.events or parsed.ignored_count == 1
    return parsed.events


def refuse(body: bytes) -> str:
    parsed = fresh_feed("weather").parse(body, received_at=RECEIVED_AT, form=Form.CAP)
    assert parsed.events == []
    assert [rejected.raw for rejected in parsed.rejected] == [body]
    return parsed.rejected[0].reason


def zones(events: list[Event], status: str = "actual") -> set[str]:
    return {event.data.zone_id for event in events if event.data.status == status}


def test_a_polygon_warns_the_waters_that_it_covers_in_both_languages():
    english = info(language="en-US", event="Thunderstorm", headline="Strong squalls over Hạ Long Bay")
    events = read(alert(info(), english))
    assert "ha-long-bay" in zones(events)
    assert "mong-cai-waters" not in zones(events)
    event = next(event for event in events if event.asset_id == "area.ha-long-bay")
    warning = event.data
    assert (warning.warning_key, warning.hazard, warning.severity) == ("W-1", "squall", "severe")
    assert (warning.urgency, warning.certainty, warning.status) == ("immediate", "likely", "actual")
    assert warning.headline_vi.startswith("Dông mạnh")
    assert warning.headline_en.startswith("Strong squalls")
    assert event.observed_at.isoformat() == "2026-11-23T02:00:00+00:00"
    assert warning.onset_at.isoformat() == "2026-11-23T02:10:00+00:00"
    assert len({event.event_id for event in events}) == len(events)


def test_circles_codes_and_names_find_areas_and_a_units_warning_belongs_to_the_unit():
    assert "ha-long-bay" in zones(read(alert(info(area("<circle>20.85,107.12 3</circle>")))))
    assert "ha-long-bay" in zones(read(alert(info(area("<circle>20.85,107.12 0</circle>")))))
    code = "<geocode><valueName>dvhc</valueName><value>06652</value></geocode>"
    (event,) = read(alert(info(area(code))))
    assert (event.asset_id, event.unit_code) == ("area.06652", "06652")
    assert zones(read(alert(info(area("", name="Vịnh Hạ Long, Vịnh Bái Tử Long"))))) == {
        "ha-long-bay",
        "bai-tu-long-bay",
    }
    assert len(read(alert(info(area("", name="Quảng Ninh"))))) > 54


def test_blocks_that_say_different_things_are_warnings_of_their_own():
    later = info(severity="Moderate", onset="2026-11-23T11:00:00+07:00", expires="2026-11-23T15:00:00+07:00")
    events = read(alert(info(), later))
    bay = [event.data for event in events if event.asset_id == "area.ha-long-bay"]
    assert [(warning.warning_key, warning.severity) for warning in bay] == [("W-1", "severe"), ("W-1/2", "moderate")]


def test_an_update_ends_what_it_replaces_where_that_was():
    feed = fresh_feed("weather")
    before = zones(read(alert(info()), feed))
    moved = info(area("<circle>21.5,108.05 5</circle>"))
    update = alert(
        moved, identifier="W-2", msgType="Update", sent="2026-11-23T09:01:00+07:00",
        references="met@example.vn,W-1,2026-11-23T09:00:00+07:00",
    )  # fmt: skip
    events = read(update, feed)
    assert zones(events, "cancel") == before
    assert {event.data.warning_key for event in events if event.data.status == "cancel"} == {"W-1"}
    assert "mong-cai-waters" in zones(events)
    assert "ha-long-bay" not in zones(events)


def test_a_cancellation_ends_every_block_of_the_warning_and_everywhere_after_a_restart():
    feed = fresh_feed("weather")
    warned = read(alert(info(), info(severity="Minor")), feed)
    cancel = alert(msgType="Cancel", identifier="W-3", references="m,W-1,2026-11-23T09:00:00+07:00")
    ended = read(cancel, feed)
    assert {(event.asset_id, event.data.warning_key) for event in ended} == {
        (event.asset_id, event.data.warning_key) for event in warned
    }
    assert {event.data.status for event in ended} == {"cancel"}
    forgotten = read(cancel)
    assert {event.data.warning_key for event in forgotten} == {"W-1"}
    assert zones(forgotten, "cancel") > zones(warned)


@pytest.mark.parametrize("status", ["Exercise", "System", "Test", "Draft"])
def test_trap_18_a_warning_of_an_exercise_or_a_test_warns_nobody(status):
    assert read(alert(info(), status=status)) == []


def test_other_regions_other_hazards_and_acknowledgements_warn_nobody():
    assert read(alert(info(area(f"<polygon>{HANOI}</polygon>")))) == []
    assert read(alert(info(category="Health"))) == []
    assert read(alert(msgType="Ack", references="m,W-1,2026-11-23T09:00:00+07:00")) == []


def test_all_clear_past_and_unlikely_are_in_force_nowhere():
    for fields in ({"responseType": "AllClear"}, {"urgency": "Past"}, {"certainty": "Unlikely"}):
        assert {event.data.status for event in read(alert(info(**fields)))} == {"cancel"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (alert(info(area("<polygon>107.1,20.8 107.2,20.8 107.2,20.9 107.1,20.8</polygon>"))), "latitude comes first"),
        (alert(info(area("<polygon>20.8,107.1 20.8,107.2 20.9,107.2 20.9,107.1</polygon>"))), "not closed"),
        (alert(info(area("<polygon>20.8,107.1 20.9,107.2 20.8,107.2 20.9,107.1 20.8,107.1</polygon>"))), "crosses"),
        (alert(info(area("<polygon>20.8,107.1 20.8,107.1</polygon>"))), "4 points"),
        (alert(info(area("<circle>20.8,107.1 nan</circle>"))), "radius"),
        (alert(info(area("", name="Atlantis"))), "area"),
        (alert(info(severity="Bad")), "severity"),
        (alert(info(expires="2026-11-23T09:00:00+07:00")), "expires"),
        (alert(info(onset="2026-11-23T09:00:00")), "offset"),
        (alert(info(onset="2046-11-23T09:00:00+07:00")), "onset"),
        (alert(info(), sent="2026-11-24T09:00:00+07:00"), "sent"),
        (alert(info(), sent="yesterday"), "sent"),
        (alert(info(), identifier="a b"), "identifier"),
        (alert(info(), msgType="Update"), "references"),
        (alert(info(), msgType="Cancel", references="W-1"), "references"),
        (alert(info(), msgType="Shout"), "msgType"),
        (alert(), "info"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_kept_with_a_reason(body, word):
    assert word in refuse(body)


BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><alert>&y;</alert>'
ROGUES = [
    (BOMB, "DOCTYPE"),
    (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
    (b"<a>" * 100 + b"</a>" * 100, "deeper"),
    (b"<a>" + b"<b/>" * 30_000 + b"</a>", "elements"),
    (b"<a>" + b" " * 2_000_000 + b"</a>", "larger"),
    (b"<a>&unknown;</a>", "not XML"),
    (b"<a", "not XML"),
    (b"", "not XML"),
    (b'<?xml version="1.0" encoding="no-such"?><a/>', "not XML"),
    (b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'/>", "not an alert of CAP 1.2"),
]


@pytest.mark.parametrize(("body", "word"), ROGUES, ids=range(len(ROGUES)))
def test_bombs_entities_and_other_xml_are_refused_with_a_reason(body, word):
    with pytest.raises(MalformedPayloadError, match=word):
        fresh_feed("weather").parse(body, received_at=RECEIVED_AT, form=Form.CAP)


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_damaged_message_is_read_refused_or_ignored_and_never_raises(data):
    body = alert(info(), info(language="en"))
    start, end = sorted((data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))))
    piece = data.draw(st.sampled_from([b"", b"9" * 30, b"<", b"-", b"nan", "ờ".encode(), body[start:end] * 2]))
    parsed = fresh_feed("weather").parse_or_bury(
        body[:start] + piece + body[end:], received_at=RECEIVED_AT, form=Form.CAP
    )
    assert parsed.events or parsed.rejected or parsed.ignored_count
    assert all(rejected.reason for rejected in parsed.rejected)


async def test_warnings_are_pushed_as_cap_and_other_feeds_do_not_speak_it():
    log = FakeLog()
    feeds = {feed_id: fresh_feed(feed_id) for feed_id in ("weather", "air")}
    push = HttpPush(feeds, Intake(log), HastyClock())
    result = await push.receive("weather", alert(info()), "application/cap+xml; charset=utf-8")
    assert result.accepted_count == len(log.events) > 0
    with pytest.raises(MalformedPayloadError, match="DOCTYPE"):
        await push.receive("weather", BOMB, "application/cap+xml")
    assert [letter.raw for letter in log.letters] == [BOMB]
    with pytest.raises(UnsupportedContentError):
        await push.receive("air", alert(info()), "application/cap+xml")
