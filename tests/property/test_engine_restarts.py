"""However a stream is cut into batches, and wherever the process is restarted: the same changes come out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.events import Event, Signal
from ioc.domain.ids import event_id
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    CaseStep,
    Crowd,
    LaneStatus,
    Outage,
    Rain,
    VesselPosition,
    WeatherObservation,
    WeatherWarning,
)

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))])
WORLD = load_world()
EVENTS, SIGNALS = "events", "signals"


def _event(asset_id, data, second, delay, **place):
    observed_at = START + timedelta(seconds=second)
    return Event(
        event_id=event_id("test", asset_id, observed_at, data.KIND), feed_id="test", asset_id=asset_id,
        observed_at=observed_at, received_at=observed_at + timedelta(seconds=delay), data=data, **place,
    )  # fmt: skip


def _crowd(second, delay, density):
    return _event("site.bai-chay-beach", Crowd(density_p_m2=density), second, delay)


def _queue(second, delay, minutes):
    return _event("gate.bac-luan-2", BorderQueue(vehicles_count=40, perishable_oldest_min=minutes), second, delay)


def _wind(second, delay, wind):
    return _event("met.bai-chay", WeatherObservation(wind_m_s=wind), second, delay)


def _vessel(second, delay, speed):
    return _event("vessel.574000001", VesselPosition(sog_kn=speed), second, delay, lon_deg=107.12, lat_deg=20.86)


def _warning(second, delay, _):
    data = WeatherWarning(
        warning_key="W", hazard="squall", severity="severe", zone_id="ha-long-bay", status="actual",
        onset_at=START + timedelta(seconds=second), expires_at=START + timedelta(seconds=second + 900),
    )  # fmt: skip
    return _event("area.ha-long-bay", data, second, delay)


def _air(second, delay, value):
    return _event("air.hong-gai", AirReading(pm25_ug_m3=value * 40), second, delay, unit_code="06685")


def _rain(second, delay, value):
    return _event("rain.ba-che", Rain(rain_mm=value * 3), second, delay)


def _lane(second, delay, value):
    opens_at = START + timedelta(minutes=30)
    status = "closed" if value > 4 else "open"
    hours = {"opens_at": opens_at, "closes_at": opens_at + timedelta(hours=1)}
    return _event("lane.bac-luan-2.1", LaneStatus(gate="bac-luan-2", status=status, **hours), second, delay)


def _case(second, delay, value):
    status = "done" if value > 10 else "processing"
    data = CaseStep(procedure="1.1", status=status, filed_at=START, due_at=START + timedelta(hours=1))
    return _event("case.a", data, second, delay)


def _outage(second, delay, value):
    return _event("unit.06652", Outage(customers_off_count=int(value * 400), customers_count=10_000), second, delay)


MAKERS = (_crowd, _queue, _wind, _vessel, _warning, _air, _rain, _lane, _case, _outage)
readings = st.lists(
    st.tuples(
        st.sampled_from(MAKERS),
        st.integers(0, 7_200),
        st.sampled_from([0, 1, 40, 1_200]),
        st.sampled_from([0.0, 3.0, 5.0, 11.0]),
    ),
    min_size=1,
    max_size=60,
)


def _restart(engine, state, seen):
    """The process dies; another one takes over what was kept."""
    made = Engine(RULES, WORLD)
    made.restore(EVENTS, state[EVENTS], list(seen.values()))
    made.restore(SIGNALS, state[SIGNALS], [])
    return made


def _reload(engine, state, seen):
    """The process goes on with rules that were read anew."""
    made = Engine(RULES, WORLD)
    for partition in (EVENTS, SIGNALS):
        made.inherit(partition, state[partition], engine)
    return made


def _play(events, cuts, cut=_restart):
    """Run events through the engine, cut at some places."""
    engine, changes, state, seen = Engine(RULES, WORLD), [], {EVENTS: {}, SIGNALS: {}}, {}

    def keep(partition, step):
        changes.extend(step.changes)
        for key, value in step.state.items():
            if value is None:
                state[partition].pop(key, None)
            else:
                state[partition][key] = value

    for place, event in enumerate(events):
        if place in cuts:
            engine = cut(engine, state, seen)
        step = engine.step(EVENTS, [event])
        known = seen.get((type(event.data), event.asset_id))
        if known is None or known.observed_at < event.observed_at:
            seen[type(event.data), event.asset_id] = event
        keep(EVENTS, step)
        signals = sorted(step.signals, key=lambda signal: (signal.event.received_at, signal.scope))
        keep(SIGNALS, engine.step(SIGNALS, signals))
        keep(SIGNALS, engine.advance(SIGNALS, event.received_at))
    return changes


def _whole(events):
    return _play(events, frozenset())


@settings(max_examples=60, deadline=None)
@given(readings, st.data())
def test_cutting_a_stream_anywhere_changes_no_alert_about_one_asset(specs, data):
    events = sorted((make(*rest) for make, *rest in specs), key=lambda event: event.received_at)
    cuts = data.draw(st.frozensets(st.integers(1, max(1, len(events) - 1))))
    own = {
        "crowd.density",
        "gate.perishables",
        "gate.queue",
        "wind.suspension",
        "wind.island_routes",
        "air.vn_aqi_hour",
        "rain.sums",
        "border.lane_closed",
        "tthc.case_due",
        "power.outage",
    }
    whole = [change for change in _whole(events) if change.rule_id in own]
    cut = [change for change in _play(events, cuts) if change.rule_id in own]
    assert cut == whole


@settings(max_examples=60, deadline=None)
@given(readings, st.data())
def test_reading_the_rules_anew_anywhere_changes_no_alert_at_all(specs, data):
    events = sorted((make(*rest) for make, *rest in specs), key=lambda event: event.received_at)
    cuts = data.draw(st.frozensets(st.integers(1, max(1, len(events) - 1))))
    assert _play(events, cuts, _reload) == _whole(events)


@settings(max_examples=60, deadline=None)
@given(readings)
def test_batches_of_any_size_give_the_same_changes(specs):
    events = sorted((make(*rest) for make, *rest in specs), key=lambda event: event.received_at)
    one_by_one = Engine(RULES, WORLD)
    at_once = Engine(RULES, WORLD)
    single = [change for event in events for change in one_by_one.step(EVENTS, [event]).changes]
    assert at_once.step(EVENTS, events).changes == single


@settings(max_examples=60, deadline=None)
@given(readings)
def test_the_same_reading_again_changes_nothing(specs):
    events = sorted((make(*rest) for make, *rest in specs), key=lambda event: event.received_at)
    doubled = [event for event in events for _ in range(2)]
    assert _whole(doubled) == _whole(events)


@settings(max_examples=40, deadline=None)
@given(readings)
def test_no_two_alerts_of_one_condition_are_open_at_once(specs):
    events = sorted((make(*rest) for make, *rest in specs), key=lambda event: event.received_at)
    open_now: set[bytes] = set()
    for change in _whole(events):
        match change.type.value:
            case "fired":
                assert change.fingerprint not in open_now
                open_now.add(change.fingerprint)
            case "resolved":
                assert change.fingerprint in open_now
                open_now.discard(change.fingerprint)


def test_signals_meet_in_one_place():
    engine = Engine(RULES, WORLD)
    step = engine.step(EVENTS, [_vessel(0, 0, 8.0), _warning(1, 0, 0.0)])
    assert {signal.scope for signal in step.signals if isinstance(signal, Signal)} == {"zone:ha-long-bay"}


def test_the_timer_of_missing_data_says_nothing_of_what_stands():
    events = [_case(3_499, 40, 0.0), _crowd(5_190, 40, 0.0), _crowd(9_000, 0, 0.0)]
    of_case = [change.type for change in _whole(events) if change.rule_id == "tthc.case_due"]
    assert of_case == [ChangeType.FIRED, ChangeType.SEVERITY]
    assert [change.type for change in _play(events, frozenset({1, 2})) if change.rule_id == "tthc.case_due"] == of_case
