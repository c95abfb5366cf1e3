"""Every quantity of every feed has a bound of belief, and the tables do what they say."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from connectors.feed import Form
from connectors.quality import QualityTable, load_quality, read_quality
from connectors.registry import DEFINITIONS, find
from ioc.domain.kinds import KINDS, AirReading
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError
from tests.support.feeds import RECEIVED_AT, RECORDINGS, Recording, fresh_feed

AIR = ("env.station.status",)
SOUND = """\
kinds:
  env.station.status:
    battery_v: {suspect: [9, 16], stuck_after: 6 h, spike: 2.5, why: "a lead battery"}
    uptime_s: {suspect: [0, 100000000], stuck_after: null, spike: null, why: "three years"}
"""

every_quantity = pytest.mark.parametrize(
    ("feed_id", "kind", "name"),
    [
        (definition.feed_id, kind, name)
        for definition in DEFINITIONS.values()
        for kind in definition.kinds
        for name in KINDS[kind].quantities
    ],
)


@every_quantity
def test_every_quantity_of_every_feed_has_its_doubts_with_a_reason(feed_id: str, kind: str, name: str) -> None:
    doubts = load_quality(feed_id, find(feed_id).kinds).kinds[kind][name]
    quantity = KINDS[kind].quantities[name]
    assert quantity.low <= doubts.suspect_low < doubts.suspect_high <= quantity.high
    assert len(doubts.why) > 5


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.feed_id)
def test_an_event_is_good_only_if_all_its_values_are_believed(recording: Recording) -> None:
    table = load_quality(recording.feed_id, find(recording.feed_id).kinds)
    for event in (
        fresh_feed(recording.feed_id).parse(recording.read(), received_at=RECEIVED_AT, form=recording.form).events
    ):
        for name, doubts in table.kinds[event.kind].items():
            value = getattr(event.data, name)
            if value is not None and not doubts.suspect_low <= value <= doubts.suspect_high:
                assert event.quality >= Quality.UNCERTAIN, (event, name)


def test_a_value_beyond_its_bounds_stays_and_makes_its_event_uncertain() -> None:
    body = (
        b'{"station":"air.hong-gai","time":"2026-11-23T09:00:00+07:00","pm25":700,"temp":20}\n'
        b'{"station":"air.hong-gai","time":"2026-11-23T09:01:00+07:00","pm25":500,"temp":null}\n'
        b'{"station":"air.hong-gai","time":"2026-11-23T09:02:00+07:00","pm25":null}'
    )
    doubted, believed, empty = fresh_feed("air").parse(body, received_at=RECEIVED_AT, form=Form.NDJSON).events
    assert isinstance(doubted.data, AirReading)
    assert (doubted.quality, doubted.data.pm25_ug_m3) == (Quality.UNCERTAIN, 700)
    assert believed.quality == Quality.GOOD
    assert empty.quality == Quality.BAD


def test_what_is_bad_is_not_made_better() -> None:
    body = b'[{"station":"air.hong-gai","time":"2026-11-23T09:00:00+07:00","pm25":700}]'
    events = fresh_feed("air").parse(body, received_at=RECEIVED_AT).events
    stale = [msgspec.structs.replace(events[0], quality=Quality.STALE)]
    load_quality("air", find("air").kinds).judge(stale)
    assert stale[0].quality == Quality.STALE


def test_a_sound_table_gives_bounds_and_spans() -> None:
    doubts = read_quality(SOUND, "mine/quality.yaml", AIR).kinds["env.station.status"]["battery_v"]
    assert (doubts.suspect_low, doubts.suspect_high, doubts.spike) == (9.0, 16.0, 2.5)
    assert doubts.stuck_after == timedelta(hours=6)


def test_a_feed_without_quantities_needs_no_table() -> None:
    assert read_quality("", "mine/quality.yaml", ("met.warning",)) == QualityTable({"met.warning": {}})


@pytest.mark.parametrize(
    ("sound", "broken", "fault"),
    [
        (SOUND, "", "mine/quality.yaml:1: env.station.status: needs battery_v, uptime_s"),
        (SOUND, "kinds: [", "mine/quality.yaml:2: "),
        (SOUND, "kinds: []", "mine/quality.yaml:1: kinds: must be a mapping"),
        ("kinds:\n", "quality:\n", "mine/quality.yaml:1: the file: unknown 'quality'"),
        ("  env.station.status:", "  env.station:", "mine/quality.yaml:2: kinds: unknown 'env.station'"),
        ("    uptime_s", "    uptime_h", "mine/quality.yaml:4: env.station.status: unknown 'uptime_h'"),
        ("    uptime_s", "    battery_v", "mine/quality.yaml:4: env.station.status: 'battery_v' is there twice"),
        ("    uptime_s", "    uptime_h", "mine/quality.yaml:3: env.station.status: needs uptime_s"),
        ("spike: 2.5, ", "", "mine/quality.yaml:3: env.station.status battery_v: needs spike"),
        ("spike: 2.5", "spikes: 2.5", "mine/quality.yaml:3: env.station.status battery_v: unknown 'spikes'"),
        ("spike: 2.5", "spike: -1", "mine/quality.yaml:3: env.station.status battery_v: spike must be"),
        ("spike: 2.5", "spike: .nan", "mine/quality.yaml:3: env.station.status battery_v: spike must be"),
        ("[9, 16]", "[9]", "mine/quality.yaml:3: env.station.status battery_v: suspect must be two numbers"),
        ("[9, 16]", "[16, 9]", "mine/quality.yaml:3: env.station.status battery_v: suspect must rise"),
        ("[9, 16]", "[9, 160]", "mine/quality.yaml:3: env.station.status battery_v: suspect must rise"),
        ("[9, 16]", "[true, 16]", "mine/quality.yaml:3: env.station.status battery_v: suspect must be two numbers"),
        ("6 h", "six hours", "mine/quality.yaml:3: env.station.status battery_v: stuck_after must be"),
        ('"a lead battery"', '""', "mine/quality.yaml:3: env.station.status battery_v: why must be a text"),
    ],
)
def test_faults_of_a_table_are_named_with_their_line(sound: str, broken: str, fault: str) -> None:
    text = SOUND.replace(sound, broken, 1)
    assert text != SOUND
    with pytest.raises(ConfigurationError) as refused:
        read_quality(text, "mine/quality.yaml", AIR)
    assert any(found.startswith(fault) for found in refused.value.faults), refused.value.faults
