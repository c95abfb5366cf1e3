"""What no table can hold is found before the database would refuse a whole batch for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from ioc.domain.events import Event
from ioc.domain.kinds import TruckStep, UnitReport, VesselPosition
from ioc.storage.rows import make_builders, sort_by_kind

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
VESSEL = VesselPosition(sog_kn=0.0, name="HẠ LONG 08", pax_count=0)
REPORT = UnitReport(report_on=date(2026, 11, 23), status="submitted", due_at=AT, items_count=None)


def _event(data=VESSEL, **changes) -> Event:
    sound = Event(
        event_id=bytes(16), feed_id="vessels", asset_id="vessel.574000123", observed_at=AT, received_at=AT, data=data
    )
    return msgspec.structs.replace(sound, **changes)


@pytest.mark.parametrize(
    "event",
    [
        _event(),
        _event(asset_id="tàu." + "ệ" * 150),
        _event(msgspec.structs.replace(VESSEL, name="x" * 100_000)),
        _event(msgspec.structs.replace(VESSEL, nav_status=2**63 - 1)),
        _event(REPORT, unit_code="06652"),
    ],
)
def test_a_sound_event_makes_a_sound_row_every_time(event):
    builder = make_builders()[event.kind]
    for _ in range(2):
        row = builder.build(event)
        assert builder.is_sound(row)
        assert len(row) == len(builder.types) == len(builder.table.columns)


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (_event(asset_id="a\x00b"), "asset_id: text holds a NUL"),
        (_event(feed_id="\ud800"), "feed_id: text is not Unicode"),
        (_event(unit_code="u" * 513), "unit_code: name of 513 bytes"),
        (_event(asset_id="ệ" * 171), "asset_id: name of 513 bytes"),
        (_event(event_id=b"short"), "event id"),
        (_event(observed_at=AT.replace(tzinfo=None)), "time zone"),
        (_event(received_at=AT.replace(tzinfo=None)), "time zone"),
        (_event(msgspec.structs.replace(VESSEL, name="a\x00")), "name: text holds a NUL"),
        (_event(msgspec.structs.replace(VESSEL, pax_count=2**63)), "pax_count: number"),
        (_event(msgspec.structs.replace(VESSEL, nav_status=-(2**63) - 1)), "nav_status: number"),
        (_event(msgspec.structs.replace(REPORT, due_at=AT.replace(tzinfo=None))), "due_at: instant"),
    ],
)
def test_what_no_column_can_hold_is_found_and_said(event, fault):
    builder = make_builders()[event.kind]
    for _ in range(2):
        try:
            row = builder.build(event)
        except TypeError:
            row = None
        assert row is None or not builder.is_sound(row)
        assert fault in builder.find_fault(event)


def test_a_text_that_is_sound_as_a_value_may_be_too_long_for_a_name():
    builder = make_builders()["vessel.position"]
    name = "ệ" * 171
    assert builder.is_sound(builder.build(_event(msgspec.structs.replace(VESSEL, name=name))))
    assert not builder.is_sound(builder.build(_event(asset_id=name)))


def test_the_newest_reading_is_kept_with_all_its_fields_as_json():
    builder = make_builders()["vessel.position"]
    *_, data = builder.build_latest(builder.build(_event()))
    assert data[:1] == b"\x01"
    assert msgspec.json.decode(data[1:]) == {
        "sog_kn": 0.0, "cog_deg": None, "heading_deg": None, "nav_status": None, "name": "HẠ LONG 08", "pax_count": 0
    }  # fmt: skip


def test_instants_are_microseconds_since_2000_to_the_last_one():
    builder = make_builders()["vessel.position"]
    at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=-1, microseconds=1)
    assert builder.build(_event(observed_at=at))[1] == -86_400_000_000 + 1


def test_a_batch_is_split_by_kind_and_each_kind_stays_in_order():
    truck = TruckStep(step="weigh", gate="bac-luan-2", direction="export")
    events = [_event(asset_id=f"v.{number}") if number % 3 else _event(truck) for number in range(9)]
    kinds = sort_by_kind(events)
    assert {kind: len(of_kind) for kind, of_kind in kinds.items()} == {"border.truck": 3, "vessel.position": 6}
    assert [event.asset_id for event in kinds["vessel.position"]] == [f"v.{number}" for number in (1, 2, 4, 5, 7, 8)]
