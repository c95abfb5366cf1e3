"""GTFS-realtime: positions in our units, no plate past the parser, and dead letters that can be mended."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from google.transit import gtfs_realtime_pb2

from connectors.feed import Form
from connectors.intake import make_letters
from connectors.registry import reparse
from ioc.domain.events import Event
from ioc.errors import MalformedPayloadError
from tests.support.feeds import RECEIVED_AT, RECORDINGS, fresh_feed

BODY = next(recording for recording in RECORDINGS if recording.feed_id == "transit").read()
PLATES = (b"14B-123.45", b"14B-999.99", b"14B-555.55", b"Nguyen Van A")


def parse(body: bytes = BODY):
    return fresh_feed("transit").parse(body, received_at=RECEIVED_AT, form=Form.GTFS_RT)


def changed(**header: object) -> bytes:
    feed = gtfs_realtime_pb2.FeedMessage.FromString(BODY)
    for name, value in header.items():
        setattr(feed.header, name, value)
    return feed.SerializeToString()


def test_positions_come_in_our_units_with_the_vehicles_time_or_the_messages():
    first, _, parked, shuttle = parse().events
    assert (first.asset_id, first.data.speed_km_h, first.data.bearing_deg) == ("vehicle.bus-1", 34.2, 80)
    assert (first.lon_deg, first.lat_deg) == pytest.approx((107.05, 20.955), abs=1e-5)
    assert (first.data.occupancy_pct, first.data.status, first.data.route) == (40, "in_transit_to", "bus-01")
    assert (parked.data.speed_km_h, parked.data.occupancy_pct, parked.data.status) == (0, 0, "stopped_at")
    assert (shuttle.data.speed_km_h, shuttle.data.occupancy_pct) == (None, None)
    assert shuttle.observed_at - parked.observed_at == timedelta(seconds=40)


def test_no_plate_and_no_name_is_in_events_or_dead_letters():
    parsed = parse()
    kept = b"".join(letter.raw for letter in make_letters(parsed, feed_id="transit", received_at=RECEIVED_AT))
    kept += b"".join(msgspec.json.encode(event) for event in parsed.events)
    buried = fresh_feed("transit").parse_or_bury(changed(incrementality=1), received_at=RECEIVED_AT, form=Form.GTFS_RT)
    cut = fresh_feed("transit").parse_or_bury(BODY[:-3], received_at=RECEIVED_AT, form=Form.GTFS_RT)
    kept += b"".join(rejected.raw for rejected in (*buried.rejected, *cut.rejected))
    assert all(plate in BODY for plate in PLATES)
    assert len(parsed.rejected) == 4
    assert not [plate for plate in PLATES if plate in kept]


def test_a_vehicle_whose_id_is_its_plate_gets_a_pseudonym():
    feed = gtfs_realtime_pb2.FeedMessage.FromString(BODY)
    del feed.entity[1:]
    feed.entity[0].vehicle.vehicle.id = "14B-123.45"
    (event,) = parse(feed.SerializeToString()).events
    assert event.asset_id.startswith("vehicle.")
    assert "14B" not in event.asset_id


def test_a_dead_letter_becomes_an_event_once_it_is_mended():
    early = fresh_feed("transit").parse(BODY, received_at=RECEIVED_AT, form=Form.GTFS_RT)
    (tomorrow,) = [rejected for rejected in early.rejected if "timestamp" in rejected.reason]
    again = reparse(fresh_feed("transit"), tomorrow.raw, RECEIVED_AT + timedelta(days=1))
    assert [event.asset_id for event in again.events] == ["vehicle.bus-5"]
    assert isinstance(again.events[0], Event)


@pytest.mark.parametrize("body", [b"", b"<html>", changed(incrementality=1), changed(gtfs_realtime_version="")])
def test_what_is_no_full_message_is_malformed(body):
    with pytest.raises(MalformedPayloadError):
        parse(body)
