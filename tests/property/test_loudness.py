"""What is not looked into could have said nothing: windows, the index and leaps against looking always."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from alerts.conditions.leaps import Recent
from alerts.language.rule import Comparison, Level, Limit
from alerts.language.windows import Aggregate, Window
from alerts.memory.loudness import Loudness
from alerts.memory.windowing import Windows
from alerts.vn_aqi import HOURS_KEPT, HourlyWindow, Pollutant, combine, concentration_at, concentrations_of, sub_index
from ioc.domain.alerts import Severity
from ioc.domain.kinds import AirReading, Rain

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
BETWEEN = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.P90)

values = st.sampled_from([0.0, 0.1, 0.3, 9.9, 10.0, 10.1, 40.0, -3.0]) | st.floats(-50, 50, allow_nan=False)
readings = st.lists(st.tuples(st.integers(0, 300), st.none() | values), min_size=1, max_size=50)
windows = st.builds(
    lambda aggregate, minutes, tumbling: Window(
        name="w", quantity="rain_mm", aggregate=aggregate, span=timedelta(minutes=minutes), covers=0.0,
        tumbling=tumbling,
    ),
    st.sampled_from(BETWEEN), st.sampled_from([30, 60]), st.booleans(),
)  # fmt: skip
limits = st.builds(lambda limit: Limit(values=(limit,)), values) | st.builds(
    lambda one, two: Limit(values=(one, two), from_on=(date(2020, 1, 1), date(2026, 11, 24))), values, values
)


@given(
    readings=readings, window=windows, limit=limits, operator=st.sampled_from([">", ">=", "<", "<="]),
    restart=st.integers(0, 50),
)  # fmt: skip
def test_a_window_is_over_no_limit_while_it_is_not_loud(readings, window, limit, operator, restart):
    item = Comparison(quantity="w", operator=operator, limit=limit)
    held_windows = Windows([window])
    loudness = Loudness([window], [Level(severity=Severity.MINOR, when=(item,))], held_windows.quantities)
    assert loudness.is_known
    held, parts, newest = held_windows.begin(), {}, -1
    for number, (minute, value) in enumerate(readings):
        at = BEGIN + timedelta(minutes=minute)
        for part in held_windows.add(held, Rain(rain_mm=value), at):
            parts[part] = held.pack(part)
        held.loud_until = max(held.loud_until, loudness.until(at.timestamp(), [value]))
        if number == restart:
            held = held_windows.begin()
            for part, kept in parts.items():
                assert kept is None or held.unpack(part, kept)
            assert held.loud_until == math.inf, "nobody knows it after a restart"
            held.loud_until = loudness.until_now(held)
        newest = max(newest, minute)
        now = BEGIN + timedelta(minutes=newest)
        found = held_windows.measure(held, now).get("w")
        in_force = limit.on((now + timedelta(hours=7)).date())
        if found is not None and in_force is not None and item.is_over(found, in_force):
            # The plain quotient may lie a hair over a limit that no reading reaches: that is no alarm.
            assume(abs(found - in_force) > 1e-12 * max(1.0, abs(in_force)) or now.timestamp() <= held.loud_until)
            assert now.timestamp() <= held.loud_until


def test_sums_counts_and_rises_are_always_looked_into():
    level = Level(severity=Severity.MINOR, when=(Comparison(quantity="w", operator=">", limit=Limit(values=(1.0,))),))
    for aggregate in set(Aggregate) - set(BETWEEN):
        window = Window(name="w", quantity="rain_mm", aggregate=aggregate, span=timedelta(hours=1), covers=0.0)
        assert not Loudness([window], [level], ["rain_mm"]).is_known


concentrations = st.none() | st.floats(0, 1_500, allow_nan=False)
air = st.lists(
    st.tuples(st.integers(0, 30 * 6), st.builds(AirReading, pm25_ug_m3=concentrations, pm10_ug_m3=concentrations,
                                                o3_ug_m3=concentrations, so2_ug_m3=concentrations)),
    min_size=1, max_size=40,
)  # fmt: skip


@given(air=air, limit=st.integers(20, 499))
def test_the_index_passes_no_limit_that_no_reading_of_twelve_hours_comes_near(air, limit):
    window = HourlyWindow()
    scale = (
        (Pollutant.PM25, "pm25_ug_m3"), (Pollutant.PM10, "pm10_ug_m3"), (Pollutant.O3_1H, "o3_ug_m3"),
        (Pollutant.SO2, "so2_ug_m3"),
    )  # fmt: skip
    loud_at = -math.inf
    for step, reading in sorted(air, key=lambda item: item[0]):
        at = BEGIN + timedelta(minutes=10 * step)
        window.add(at, concentrations_of(reading))
        for pollutant, name in scale:
            value = getattr(reading, name)
            if value is not None and value >= concentration_at(pollutant, limit - 1):
                loud_at = at.timestamp() // 3_600
        found = combine(window.hourly_parts(at))
        if found is not None and found[0] > limit:
            assert at.timestamp() // 3_600 - loud_at < HOURS_KEPT


@given(pollutant=st.sampled_from([name for name in Pollutant if name is not Pollutant.O3_8H]), index=st.floats(0, 500))
def test_a_concentration_gives_the_sub_index_that_it_was_found_for(pollutant, index):
    found = sub_index(pollutant, concentration_at(pollutant, index))
    assert found is not None
    assert math.isclose(found, index, abs_tol=1e-6)


def test_beyond_the_scale_no_concentration_is_enough():
    assert concentration_at(Pollutant.PM25, 501) == math.inf


@given(
    rows=st.lists(st.tuples(st.integers(0, 500), st.none() | st.floats(-5, 5)), min_size=1, max_size=60),
    drawn=st.integers(0, 30),
)  # fmt: skip
def test_what_is_known_to_be_near_all_readings_is(rows, drawn):
    recent = Recent(["level_m"])
    for number, (minute, value) in enumerate(rows):
        held = recent.values(0, 0, len(recent.times))
        if value is not None and recent.are_near(0, value, 1.0):
            assert all(abs(value - other) <= 1.0 for other in held)
        if number == drawn and held:
            recent.bounds[0] = min(held), max(held)
        recent.add(60.0 * minute, [value])
        recent.forget(3_600.0, 30)
        recent.widen([value])
