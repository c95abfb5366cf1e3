"""Mapping files: an unknown source becomes a feed, what does not fit is kept with its reason, faults have lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.feed import Feed, Form
from connectors.inventory import load_inventory
from connectors.mapping.definition import load_mappings, make_definition
from connectors.mapping.file import parse_mapping
from connectors.registry import DEFINITIONS, configure, open_feed, reparse
from connectors.units import convert
from ioc.domain.events import Parsed
from ioc.domain.kinds import AirReading, Observation, WaterLevel
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError, MalformedPayloadError
from tests.support.feeds import PSEUDONYM_KEY, RECEIVED_AT

HARBOUR = """\
feed: harbour
name_vi: Trạm cảng
name_en: Harbour stations
records: data.items
missing: [-1]
becomes:
  - kind: env.air.reading
    when: {type: [air, gas]}
    asset_id: "air.{station.name|slug}"
    observed_at: {from: [day, hour], format: "%d/%m/%Y %H:%M"}
    position: {lon: station.lng, lat: station.lat}
    quantities:
      pm25_ug_m3: {from: values.pm25, unit: mg/m3}
      temp_celsius: {from: values.t, unit: K}
      rh_pct: values.rh
  - kind: env.water.level
    when: {type: water}
    asset_id: "water.{station.name|slug}"
    observed_at: {from: at, format: epoch_s}
    quantities: {level_m: {from: values.h, unit_from: values.unit}}
    fields:
      datum: {from: $.datum, words: {1: VN2000, 2: "hải đồ"}}
  - kind: observation
    when: {type: noise}
    asset_id: "noise.{station.name|slug}"
    observed_at: at
    quantities: {noise_db: values.db, noise_peak_db: values.peak}
"""
AIR = {
    "type": "air",
    "day": "23/11/2026",
    "hour": "08:30",
    "station": {"name": "Cảng Cái Lân", "lng": 107.05, "lat": 20.97},
    "values": {"pm25": 0.0352, "t": 297.65, "rh": 0},
}
WATER = {
    "type": "water", "at": 1795399200, "station": {"name": "Bến 1"}, "values": {"h": 215, "unit": "cm"},
}  # fmt: skip
NOISE = {
    "type": "noise", "at": "2026-11-23T08:00:00", "station": {"name": "n-1"}, "values": {"db": 61.5, "peak": "80"},
}  # fmt: skip


@cache
def open_mapped(text: str = HARBOUR) -> Feed:
    definition = make_definition(parse_mapping(text, "harbour.mapping.yaml"))
    return open_feed(
        definition.feed_id,
        stations=load_inventory(),
        pseudonym_key=PSEUDONYM_KEY,
        definitions={definition.feed_id: definition},
    )


def body(*records: object, **more: object) -> bytes:
    return json.dumps({"datum": 1, **more, "data": {"items": records}}).encode()


def parse(payload: bytes, text: str = HARBOUR, form: Form = Form.JSON) -> Parsed:
    return open_mapped(text).parse(payload, received_at=RECEIVED_AT, form=form)


def find_faults(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_mapping(text, "m.yaml")
    return caught.value.faults


def test_a_record_becomes_an_event_in_our_units_and_our_time():
    (event,) = parse(body(AIR)).events
    assert event.asset_id == "air.cang-cai-lan"
    assert event.feed_id == "harbour"
    assert event.observed_at == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert isinstance(event.data, AirReading)
    assert event.data.pm25_ug_m3 == pytest.approx(35.2)
    assert event.data.temp_celsius == pytest.approx(24.5)
    assert event.data.rh_pct == 0
    assert (event.lon_deg, event.lat_deg) == (107.05, 20.97)


def test_values_of_the_body_around_and_words_of_the_source_are_found():
    (event,) = parse(body(WATER, datum=2)).events
    assert event.data == WaterLevel(level_m=2.15, datum="hải đồ")
    assert event.quality == Quality.UNCERTAIN, "nobody knows where this gauge stands"


def test_what_has_no_kind_of_its_own_becomes_observations_one_for_each_number():
    first, second = parse(body(NOISE)).events
    assert first.data == Observation(quantity="noise_db", value=61.5)
    assert second.data == Observation(quantity="noise_peak_db", value=80)
    assert first.event_id != second.event_id
    assert first.observed_at == datetime(2026, 11, 23, 1, tzinfo=UTC), "without an offset it is Vietnam's time"


def test_a_record_that_no_rule_wants_is_counted_as_ignored():
    parsed = parse(body(AIR, {**AIR, "type": "door"}))
    assert (len(parsed.events), len(parsed.rejected), parsed.ignored_count) == (1, 0, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"day": "31/02/2026"}, "observed_at: not an instant"),
        ({"hour": None}, "observed_at: missing"),
        ({"day": "23/11/2031"}, "further ahead"),
        ({"station": {"lng": 107.0, "lat": 20.9}}, "asset_id: what it is made of is missing"),
        ({"station": {"name": "x", "lng": 107.0}}, "position: half"),
        ({"station": {"name": "x", "lng": 0, "lat": 0}}, "not a position"),
        ({"values": {"pm25": "many"}}, "pm25_ug_m3: not a number"),
        ({"values": {"pm25": True}}, "pm25_ug_m3: not a number"),
        ({"values": {"pm25": 9}}, "pm25_ug_m3: 9000"),
        ({"values": {"t": 12}}, "temp_celsius: -261"),
    ],
)
def test_what_cannot_be_true_is_a_dead_letter_that_says_why_and_says_so_again(change: dict[str, Any], reason: str):
    feed = open_mapped()
    parsed = feed.parse(body(AIR, {**AIR, **change}), received_at=RECEIVED_AT)
    assert len(parsed.events) == 1
    (rejected,) = parsed.rejected
    assert reason in rejected.reason
    assert rejected.index == 1
    again = reparse(feed, rejected.raw, RECEIVED_AT)
    assert [letter.reason for letter in again.rejected] == [rejected.reason]


def test_no_value_at_all_is_a_bad_reading_and_minus_one_is_none_where_the_file_says_so():
    (event,) = parse(body({**AIR, "values": {"pm25": -1, "t": "-", "rh": None}})).events
    assert event.quality == Quality.BAD
    assert event.data == AirReading()


def test_a_value_that_is_hardly_ever_true_is_doubted_as_in_the_feed_that_owns_the_kind():
    (event,) = parse(body({**AIR, "values": {"t": 273.15 - 20}})).events
    assert event.quality == Quality.UNCERTAIN


def test_columns_of_csv_are_paths():
    text = """\
feed: gauges
name_vi: Thước nước
name_en: Gauges
decimal_comma: true
becomes:
  - kind: env.water.level
    asset_id: "water.{Mã trạm}"
    observed_at: {from: Thời gian, format: "%d/%m/%Y %H:%M:%S"}
    quantities: {level_m: {from: H (cm), unit: cm}}
"""
    rows = 'Mã trạm,Thời gian,H (cm)\nT1,23/11/2026 09:00:00,"1.215,5"\nT1,23/11/2026 09:00\nT2,,3\n'.encode()
    parsed = parse(rows, text, Form.CSV)
    assert [event.data for event in parsed.events] == [WaterLevel(level_m=12.155)]
    assert [rejected.reason for rejected in parsed.rejected] == [
        "the row does not fit the header",
        "observed_at: missing",
    ]
    assert parsed.rejected[1].raw.splitlines() == ["Mã trạm,Thời gian,H (cm)".encode(), b"T2,,3"]


def test_lines_are_bodies_of_their_own():
    payload = body(AIR) + b"\n[\n" + body(WATER, NOISE)
    parsed = parse(payload, form=Form.NDJSON)
    assert len(parsed.events) == 4
    assert [(rejected.index, rejected.raw) for rejected in parsed.rejected] == [(1, b"[")]


def test_a_key_that_came_twice_is_nobodys_guess():
    payload = body(AIR).replace(b'"pm25": 0.0352', b'"pm25": 0.0352, "pm25": 0.5')
    assert [rejected.reason for rejected in parse(payload).rejected] == ["a key that the mapping reads came twice"]


@pytest.mark.parametrize("payload", [b"", b"nul", b"[1,2", b"null", b'"text"', b'{"data": 5}', b"[" * 100_000])
def test_a_body_without_records_is_unreadable(payload: bytes):
    with pytest.raises(MalformedPayloadError):
        parse(payload)


def test_every_fault_of_a_file_is_named_with_its_line():
    faults = find_faults(
        """\
feed: Harbour
name_vi: a
name_en: b
colour: red
becomes:
  - kind: env.air.reading
    asset_id: "air.{station"
    observed_at: {from: at, zone: Mars/Olympus}
    quantities:
      pm25_ug_m3: {from: a..b}
  - kind: no.such
    asset_id: "x.{a}"
    observed_at: at
"""
    )
    for number, part in ((1, "feed: 2 to 32"), (4, "colour"), (7, "{path}"), (8, "Mars"), (10, "a..b"), (11, "kind")):
        assert any(fault.startswith(f"m.yaml:{number}: ") and part in fault for fault in faults), (number, faults)


def test_what_a_kind_does_not_have_or_needs_is_named_with_its_line():
    faults = find_faults(
        """\
feed: harbour
name_vi: a
name_en: b
becomes:
  - kind: env.air.reading
    asset_id: "air.{a}"
    observed_at: at
    quantities:
      pm2_5: a
      pm25_ug_m3:
        from: a
        unit: ppb
  - kind: unit.report
    asset_id: "unit.{a}"
    observed_at: at
    fields:
      stat: a
"""
    )
    assert [fault.partition(": ")[0] for fault in faults] == ["m.yaml:9", "m.yaml:12", "m.yaml:17", "m.yaml:13"]
    assert "'ppb'" in faults[1]
    assert "status" in faults[3]


@pytest.mark.parametrize(
    "text", ["", "[1]", "a: [", "a: 1\na: 2", "&a [*a]", "? [a]\n: b", "\x00", "a: !!python/name:os.system x"]
)
def test_a_text_that_is_no_mapping_is_refused(text: str):
    assert find_faults(text)


def test_a_folder_gives_its_mappings_and_refuses_names_that_lie_or_are_taken(tmp_path):
    (tmp_path / "harbour.mapping.yaml").write_text(HARBOUR)
    found = load_mappings(tmp_path, taken=DEFINITIONS)
    assert list(found) == ["harbour"]
    assert found["harbour"].kinds == ("env.air.reading", "env.water.level", "observation")
    assert configure("harbour", definitions=found).expected_period.total_seconds() == 900
    (tmp_path / "port.mapping.yaml").write_text(HARBOUR)
    (tmp_path / "air.mapping.yaml").write_text(HARBOUR.replace("feed: harbour", "feed: air"))
    with pytest.raises(ConfigurationError) as caught:
        load_mappings(tmp_path, taken=DEFINITIONS)
    assert len(caught.value.faults) == 2
    assert load_mappings(tmp_path / "nowhere", taken=DEFINITIONS) == {}


def test_a_poll_in_a_form_that_no_mapping_speaks_is_a_fault():
    definition = make_definition(parse_mapping(HARBOUR + "poll: {url: 'https://a.example.vn/', form: nmea}\n", "m"))
    with pytest.raises(ConfigurationError):
        configure("harbour", definitions={"harbour": definition})


PERSONAL = """\
feed: parking
name_vi: Bãi xe
name_en: Car parks
records: rows
personal: [plate, driver.id]
becomes:
  - kind: border.truck
    asset_id: "truck.{driver.id}"
    observed_at: at
    fields:
      goods: plate
      gate: {value: km3-4}
      direction: dir
      step: {from: step, words: {in: arrive_yard, out: exit}}
    quantities: {mass_t: {from: mass, unit: kg}}
"""
TRUCK = {
    "plate": "14C-PLANTED-1", "driver": {"id": "PLANTED-2", "name": "PLANTED-3"}, "at": "2026-11-23T08:00:00+07:00",
    "dir": "export", "step": "in", "mass": 18500, "note": "PLANTED-4",
}  # fmt: skip


def test_personal_data_is_hashed_in_events_and_does_not_stay_in_dead_letters():
    feed = open_mapped(PERSONAL)
    bad = [
        {**TRUCK, "step": "PLANTED-5"},
        {**TRUCK, "mass": "PLANTED-6"},
        {**TRUCK, "at": None},
        {**TRUCK, "at": "PLANTED-8"},
    ]
    payload = json.dumps({"owner": "PLANTED-7", "rows": [TRUCK, *bad]}).encode()
    parsed = feed.parse(payload, received_at=RECEIVED_AT)
    (event,) = parsed.events
    assert event.asset_id.startswith("truck.")
    assert len(parsed.rejected) == 4
    kept = b"".join(rejected.raw for rejected in parsed.rejected) + repr(event).encode()
    for number in range(1, 9):
        assert f"PLANTED-{number}".encode() not in kept
    for rejected in parsed.rejected:
        again = reparse(feed, rejected.raw, RECEIVED_AT)
        assert [letter.reason for letter in again.rejected] == [rejected.reason]
    for number in ("0912345678", "091.234.5678", "001099012345", "+84 912 345 678"):
        (letter,) = feed.parse(
            json.dumps({"rows": [{**TRUCK, "at": number}]}).encode(), received_at=RECEIVED_AT
        ).rejected
        assert number.encode() not in letter.raw
    mended = parsed.rejected[2].raw.replace(b'"rows": {', b'"rows": {"at": "2026-11-23T08:00:00+07:00", ')
    assert reparse(feed, mended, RECEIVED_AT).events == [event], "a retry finds the same truck"
    for broken in (payload[:-9], b"PLANTED-1,\xff", b'"PLANTED-1"'):
        (letter,) = feed.parse_or_bury(broken, received_at=RECEIVED_AT).rejected
        assert b"PLANTED" not in letter.raw


def test_a_personal_number_cannot_be_a_quantity():
    (fault,) = find_faults(PERSONAL.replace("personal: [plate,", "personal: [mass, plate,"))
    assert fault.startswith("m.yaml:15: ")


def test_symbols_are_read_as_people_write_them():
    assert convert(1, "mg/m³", "µg/m³") == 1000
    assert convert(25, "μg/m3", "µg/m³") == 25
    assert convert(3, "MW", "kW") == 3000
    assert convert(3, "mW", "kW") is None
    assert convert(12, "người", "người") == 12
    assert convert(1, "ppb", "µg/m³") is None
    assert convert(300.15, "K", "°C") == pytest.approx(27)
    assert convert(0.5, "1", "%") == 50


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80)
@given(
    data=st.data(), form=st.sampled_from([Form.JSON, Form.NDJSON, Form.CSV]), text=st.sampled_from([HARBOUR, PERSONAL])
)
def test_any_bytes_become_events_or_are_kept(data: st.DataObject, form: Form, text: str):
    whole = body(AIR, WATER, NOISE) if text is HARBOUR else json.dumps({"rows": [TRUCK]}).encode()
    start, end = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    payload = data.draw(st.binary(max_size=200) | st.just(whole[:start] + whole[end:]))
    feed = open_mapped(text)
    for rejected in feed.parse_or_bury(payload, received_at=RECEIVED_AT, form=form).rejected:
        assert rejected.reason
        assert reparse(feed, rejected.raw, RECEIVED_AT) is not None


@settings(deadline=None, max_examples=80)
@given(
    records=st.lists(
        st.builds(
            lambda sound, other: {**sound, **other},
            st.sampled_from([AIR, WATER, NOISE, TRUCK]),
            st.dictionaries(st.sampled_from(sorted({*AIR, *WATER, *TRUCK})), values, max_size=4),
        )
        | values,
        max_size=5,
    ),
    text=st.sampled_from([HARBOUR, PERSONAL]),
)
def test_records_of_any_shape_are_each_accounted_for(records: list[Any], text: str):
    payload = body(*records) if text is HARBOUR else json.dumps({"rows": records}).encode()
    feed = open_mapped(text)
    parsed = feed.parse_or_bury(payload, received_at=RECEIVED_AT)
    if parsed.rejected and parsed.rejected[0].reason.startswith("not JSON"):
        return
    assert len(parsed.events) + len(parsed.rejected) + parsed.ignored_count >= len(records)
    for rejected in parsed.rejected:
        again = reparse(feed, rejected.raw, RECEIVED_AT)
        assert not again.events
        assert again.rejected
