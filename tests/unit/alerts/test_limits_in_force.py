"""Limits that law puts in force on a day: every kind of rule judges a reading by its own day in the province."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.backtest.trial import Run
from alerts.inquiry.asking import Inquiry, Question, Reason
from alerts.inquiry.findings import answer
from alerts.lifecycle import rule_tests
from alerts.rulebook.book import Rulebook
from alerts.rulebook.listing import list_rules
from ioc.domain.alerts import ChangeType, ResolveReason
from ioc.domain.kinds import AirReading, Crowd, Rain, WaterLevel
from tests.support.engine_runs import make_event, run
from tests.support.inquiries import WORLD, facts_of, leading

NEW_YEAR = datetime(2025, 12, 31, 17, tzinfo=UTC)
"""Midnight in the province: 2026 begins."""
TEXTS = """
title: {vi: "a {limit}", en: "a {limit}"}
detail: {vi: "b {limit}", en: "b {limit}"}
runbook: {vi: c, en: c}
"""

THRESHOLD = """
rule: test.limit
condition: threshold
on: env.air.reading
levels:
  - severity: minor
    when: so2_ug_m3 > 100
    effective_from: 2026-01-01
    effective_until: 2026-03-01
"""
TESTS = {
    "threshold": THRESHOLD
    + """
tests:
  - name: the last minute of 2025 is before it, midnight of the province is not
    begin: 2025-12-31T23:58:00+07:00
    given: [{asset: air.a, at: 0m, every: 1m, until: 3m, so2_ug_m3: 120}]
    expect: [{type: fired, at: 2m, severity: minor}]
  - name: on the day that it ends, it has ended, and what was open with it
    begin: 2026-02-28T23:58:00+07:00
    given: [{asset: air.a, at: 0m, every: 1m, until: 3m, so2_ug_m3: 120}]
    expect: [{type: fired, at: 0m}, {type: resolved, at: 2m, reason: condition}]
""",
    "window": """
rule: test.limit
condition: window
on: env.rain
windows: {rain_1h: {of: rain_mm, sum: 1h}}
levels:
  - {severity: minor, when: rain_1h >= 50}
  - severity: major
    when: {quantity: rain_1h, operator: ">=", limits: {2026-01-01: 100, 2026-06-01: 80, 2027-01-01: null}}
    clear: {quantity: rain_1h, operator: "<", limits: {2026-06-01: 60}}
no_data: {policy: keep_last, after: 3h}
tests:
  - name: ninety in an hour is minor under the first limit, major under the second, minor when it is repealed
    begin: 2026-05-31T12:00:00+07:00
    given: [{asset: rain.a, at: 0m, rain_mm: 90, period_min: 10}]
    expect: [{type: fired, severity: minor}]
  - name: under the second
    begin: 2026-06-01T12:00:00+07:00
    given: [{asset: rain.a, at: 0m, rain_mm: 90, period_min: 10}]
    expect: [{type: fired, severity: major}]
  - name: a sum of two days is of the day on which it is reached
    begin: 2026-05-31T23:50:00+07:00
    given:
      - {asset: rain.a, at: 0m, rain_mm: 45, period_min: 10}
      - {asset: rain.a, at: 20m, rain_mm: 45, period_min: 10}
    expect: [{type: fired, at: 20m, severity: major}]
  - name: repealed
    begin: 2027-01-01T00:00:00+07:00
    given: [{asset: rain.a, at: 0m, rain_mm: 900, period_min: 10}]
    expect: [{type: fired, severity: minor}]
  - name: a clearance that was not in force asked nothing
    begin: 2026-05-01T12:00:00+07:00
    given:
      - {asset: rain.a, at: 0m, rain_mm: 110, period_min: 10}
      - {asset: rain.a, at: 70m, rain_mm: 70, period_min: 10}
    expect: [{type: fired, severity: major}, {type: severity, severity: minor}]
""",
    "index": """
rule: test.limit
condition: index
levels:
  - severity: minor
    when: {quantity: vn_aqi, operator: ">", limits: {2020-01-01: 200, 2026-01-01: 150}}
  - {severity: major, when: vn_aqi > 150, effective_from: 2027-01-01}
lateness: 90m
no_data: {policy: keep_last, after: 3h}
tests:
  - name: an index of 180 was lawful
    begin: 2025-06-01T00:00:00+07:00
    given: [{asset: air.a, at: 0h, every: 1h, until: 5h, pm25_ug_m3: 120, pm10_ug_m3: 60}]
  - name: and is not
    begin: 2026-06-01T00:00:00+07:00
    given: [{asset: air.a, at: 0h, every: 1h, until: 5h, pm25_ug_m3: 120, pm10_ug_m3: 60}]
    expect: [{type: fired, severity: minor}]
  - name: and will be worse
    begin: 2027-06-01T00:00:00+07:00
    given: [{asset: air.a, at: 0h, every: 1h, until: 5h, pm25_ug_m3: 120, pm10_ug_m3: 60}]
    expect: [{type: fired, severity: major}]
""",
    "asset_limits": """
rule: test.limit
condition: asset_limits
on: env.water.level
quantity: level_m
limits:
  water.a: {minor: 3.0, major: {2026-01-01: 4.0, 2027-01-01: 3.5, 2028-01-01: null}}
  water.b: {minor: 9.0}
back: 0.1
tests:
  - name: before there is an alarm level II, I stands alone
    begin: 2025-06-01T00:00:00+07:00
    given: [{asset: water.a, at: 0m, level_m: 4.2}]
    expect: [{type: fired, severity: minor}]
  - name: in 2026 it is four metres
    begin: 2026-06-01T00:00:00+07:00
    given: [{asset: water.a, at: 0m, level_m: 3.8}, {asset: water.a, at: 10m, level_m: 4.0}]
    expect: [{type: fired, at: 0m, severity: minor}, {type: severity, at: 10m, severity: major}]
  - name: from 2027 on three and a half; what was minor at midnight is major
    begin: 2026-12-31T23:55:00+07:00
    given: [{asset: water.a, at: 0m, level_m: 3.8}, {asset: water.a, at: 5m, level_m: 3.8}]
    expect: [{type: fired, at: 0m, severity: minor}, {type: severity, at: 5m, severity: major}]
  - name: and none from 2028 on
    begin: 2028-01-01T00:00:00+07:00
    given: [{asset: water.a, at: 0m, level_m: 8}]
    expect: [{type: fired, severity: minor}]
""",
    "expression": """
rule: test.limit
condition: expression
on: tourism.crowd
shows: density_p_m2
levels:
  - {severity: minor, when: density_p_m2 > 2 && people_count > 100, effective_from: 2026-01-01}
  - severity: major
    when: density_p_m2 > 4 && people_count > 100
    clear: density_p_m2 < 1
    effective_from: 2026-01-01
    effective_until: 2026-07-01
tests:
  - name: nothing before
    begin: 2025-12-31T23:58:00+07:00
    given: [{asset: site.x, at: 0m, every: 1m, until: 3m, density_p_m2: 5, people_count: 200}]
    expect: [{type: fired, at: 2m, severity: major}]
  - name: an alert of a level that ends falls to what is left, whatever would have cleared it
    begin: 2026-06-30T23:58:00+07:00
    given: [{asset: site.x, at: 0m, every: 1m, until: 3m, density_p_m2: 5, people_count: 200}]
    expect: [{type: fired, at: 0m, severity: major}, {type: severity, at: 2m, severity: minor}]
""",
    "share": """
rule: test.limit
condition: share
on: energy.outage
part: customers_off_count
whole: customers_count
least: 1
good_for: 2h
levels:
  - {severity: critical, when: share_pct >= 40, effective_from: 2026-01-01}
tests:
  - name: half of them in 2025
    begin: 2025-12-31T12:00:00+07:00
    given: [{asset: unit.1, at: 0m, customers_off_count: 50, customers_count: 100}]
  - name: half of them in 2026
    begin: 2026-01-01T12:00:00+07:00
    given: [{asset: unit.1, at: 0m, customers_off_count: 50, customers_count: 100}]
    expect: [{type: fired, severity: critical}]
""",
    "cluster": """
rule: test.limit
condition: cluster
on: env.air.reading
when: {quantity: pm10_ug_m3, operator: ">", limits: {2025-01-01: 300, 2026-01-01: 250, 2027-01-01: 100}}
stations: 2
near_km: 10
wind_below_m_s: 2
wind_near_km: 40
severity: major
tests:
  - name: the limit that is told is that of the day, not the newest that is known
    begin: 2026-06-01T12:00:00+07:00
    given:
      - {asset: met.b, kind: met.obs, lon: 107.04, lat: 20.955, at: 0m, wind_m_s: 1}
      - {asset: air.a, lon: 107.078, lat: 20.954, at: 1m, pm10_ug_m3: 280}
      - {asset: air.b, lon: 107.032, lat: 20.962, at: 2m, pm10_ug_m3: 280}
    expect: [{type: fired, title: "a 250"}]
  - name: a year before it was lawful
    begin: 2025-06-01T12:00:00+07:00
    given:
      - {asset: met.b, kind: met.obs, lon: 107.04, lat: 20.955, at: 0m, wind_m_s: 1}
      - {asset: air.a, lon: 107.078, lat: 20.954, at: 1m, pm10_ug_m3: 280}
      - {asset: air.b, lon: 107.032, lat: 20.962, at: 2m, pm10_ug_m3: 280}
""",
}


def write(folder: Path, text: str) -> Path:
    path, (rule, mark, tests) = folder / "rule.yaml", text.partition("tests:\n")
    path.write_text(rule.strip() + TEXTS + mark + tests, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", TESTS.values(), ids=TESTS)
def test_every_kind_of_rule_judges_a_reading_by_the_limit_of_its_day(tmp_path, text):
    path = write(tmp_path, text)
    assert rule_tests.check([path]) == []
    results = rule_tests.run_tests([path], WORLD)
    assert results
    assert [(result.name, result.difference) for result in results if not result.passed] == []


def test_the_day_is_that_of_the_reading_and_not_of_its_coming(tmp_path):
    rules = Rulebook.load([write(tmp_path, THRESHOLD + "lateness: 400d\n")])
    late = make_event("air.a", AirReading(so2_ug_m3=120.0), NEW_YEAR - timedelta(minutes=1), delay_s=3_600)
    assert run(rules, WORLD, [late]).changes == []
    in_force = make_event("air.b", AirReading(so2_ug_m3=120.0), NEW_YEAR, delay_s=86_400 * 90)
    assert [change.type for change in run(rules, WORLD, [in_force]).changes] == [ChangeType.FIRED]


def test_a_restart_at_the_midnight_at_which_a_limit_ends_changes_nothing(tmp_path):
    rules = Rulebook.load([write(tmp_path, THRESHOLD)])
    end = datetime(2026, 2, 28, 17, tzinfo=UTC)
    events = [
        make_event("air.a", AirReading(so2_ug_m3=120.0), end + timedelta(minutes=minute)) for minute in range(-2, 3)
    ]
    lives = run(rules, WORLD, events, cuts=frozenset({1, 2, 3}))
    assert lives.changes == run(rules, WORLD, events).changes
    assert [(change.type, change.reason) for change in lives.changes] == [
        (ChangeType.FIRED, None), (ChangeType.RESOLVED, ResolveReason.CONDITION),
    ]  # fmt: skip


def test_a_backtest_over_the_year_before_finds_what_was_lawful_then(tmp_path):
    draft = Run(Rulebook.load([write(tmp_path, THRESHOLD)]), WORLD)
    for day in (-2, -1, 1, 2):
        over = make_event("air.a", AirReading(so2_ug_m3=120.0), NEW_YEAR + timedelta(days=day))
        draft.take([over])
    assert [found.started_at for found in draft.finish()] == [NEW_YEAR + timedelta(days=1)]


def ask(folder, text, events, asset_id, start):
    [rule] = Rulebook.load([write(folder, text.partition("tests:\n")[0])]).rules
    inquiry = Inquiry(
        rule, Question(rule_id=rule.rule_id, asset_id=asset_id, start=start, end=start + timedelta(hours=1)), WORLD
    )
    inquiry.take(events)
    inquiry.finish()
    return answer(inquiry)


def test_why_not_says_of_a_formula_that_it_was_not_in_force(tmp_path):
    start = NEW_YEAR - timedelta(hours=1)
    dense = [
        make_event("site.x", Crowd(density_p_m2=5.0, people_count=200), start + timedelta(minutes=minute))
        for minute in range(59)
    ]
    found = ask(tmp_path, TESTS["expression"], dense, "site.x", start)
    assert leading(found) == (Reason.LIMIT_NOT_EFFECTIVE, True)
    first, second = facts_of(found, Reason.LIMIT_NOT_EFFECTIVE)["limits"]
    assert (first["in_force_from"], first["in_force_until"]) == (["2026-01-01"], None)
    assert (second["formula"], second["in_force_until"]) == ("density_p_m2 > 4 && people_count > 100", "2026-07-01")


def test_why_not_says_of_a_gauge_that_its_limit_was_not_in_force(tmp_path):
    text = TESTS["asset_limits"].replace("minor: 3.0, major", "major")
    start = datetime(2025, 6, 1, 2, tzinfo=UTC)
    high = [make_event("water.a", WaterLevel(level_m=5.0), start + timedelta(minutes=minute)) for minute in range(9)]
    found = ask(tmp_path, text, high, "water.a", start)
    assert leading(found) == (Reason.LIMIT_NOT_EFFECTIVE, True)
    [limit] = facts_of(found, Reason.LIMIT_NOT_EFFECTIVE)["limits"]
    assert (limit["in_force_from"], limit["values"]) == (["2026-01-01", "2027-01-01", "2028-01-01"], [4.0, 3.5, None])


def test_why_not_takes_the_limit_of_the_day_as_the_one_that_was_not_reached(tmp_path):
    start = datetime(2026, 6, 1, 2, tzinfo=UTC)
    some = [make_event("rain.a", Rain(rain_mm=40.0, period_min=10), start + timedelta(minutes=5))]
    text = TESTS["window"].replace("  - {severity: minor, when: rain_1h >= 50}\n", "")
    [level] = facts_of(ask(tmp_path, text, some, "rain.a", start), Reason.LEVEL_NOT_REACHED)["levels"]
    assert (level["limit"], level["distance"]) == (80.0, 40.0)


DATED = '{quantity: so2_ug_m3, operator: ">", limits: LIMITS}'


@pytest.mark.parametrize(
    ("effective_from", "line", "says"),
    [
        ("soon", 7, "effective_from: a day, such as 2026-01-01"),
        ("2026-01-01T00:00:00Z", 7, "effective_from: a day"),
        ("2026-13-01", 7, "effective_from: cannot be read"),
        ("2026-03-01", 8, "effective_until: after 2026-03-01, where it begins"),
    ],
)
def test_a_level_that_takes_force_on_no_day_is_named_with_its_line(tmp_path, effective_from, line, says):
    found = rule_tests.check([write(tmp_path, THRESHOLD.replace("2026-01-01", effective_from))])
    assert any(fault.line == line and says in fault.what for fault in found), found


@pytest.mark.parametrize(
    ("limits", "line", "says"),
    [
        ("{2020-01-01: 9}", 7, "the limits say their days themselves"),
        ("{2026-05-01: 9}", 8, "effective_until: after the day of the first limit"),
        ("\n      {soon: 9}", 7, "takes force on a day"),
        ("{2020-01-01: 9,\n      2020-01-01: 8}", 7, "2020-01-01 stands twice"),
        ("{2020-01-01: 9,\n      2021-01-01: x}", 7, "from 2021-01-01 on must be a number"),
        ("{2020-01-01: null}", 6, "a number on one day"),
        ("9", 6, "a mapping from the first day"),
        ("{}", 6, "a mapping from the first day"),
    ],
)
def test_what_is_wrong_with_limits_by_day_is_named_with_its_line(tmp_path, limits, line, says):
    text = THRESHOLD.replace("so2_ug_m3 > 100", DATED.replace("LIMITS", limits))
    found = rule_tests.check([write(tmp_path, text)])
    assert any(fault.line == line and says in fault.what for fault in found), found


def test_what_is_wrong_with_a_day_of_a_formula_or_of_an_asset_is_named_too(tmp_path):
    formula = TESTS["expression"].partition("tests:")[0].replace("effective_from: 2026-01-01}", "effective_from: 2026}")
    [fault] = rule_tests.check([write(tmp_path, formula)])
    assert (fault.line, fault.what) == (6, "effective_from: a day, such as 2026-01-01")
    gauge = TESTS["asset_limits"].partition("tests:")[0].replace("2026-01-01: 4.0", "2026: 4.0")
    [fault] = rule_tests.check([write(tmp_path, gauge)])
    assert (fault.line, fault.what) == (6, "major: a limit takes force on a day, such as 2026-01-01")


def test_an_index_has_no_level_on_another_quantity(tmp_path):
    text = TESTS["index"].partition("tests:")[0].replace("when: vn_aqi > 150", "when: pm25_ug_m3 > 150")
    [fault] = rule_tests.check([write(tmp_path, text)])
    assert "on vn_aqi alone, not pm25_ug_m3" in fault.what


def test_days_are_part_of_what_a_rule_means_and_limits_without_them_mean_what_they_did(tmp_path):
    def version(text):
        return Rulebook.load([write(tmp_path, text)]).rules[0].version

    assert version(THRESHOLD) != version(THRESHOLD.replace("2026-03-01", "2026-04-01"))
    formula = TESTS["expression"].partition("tests:")[0]
    assert version(formula) != version(formula.replace("2026-07-01", "2026-08-01"))


def test_the_list_of_rules_names_the_days(tmp_path):
    listed = {
        name: list_rules(Rulebook.load([write(tmp_path, text.partition("tests:\n")[0])]).rules)
        for name, text in TESTS.items()
    }
    assert "so2_ug_m3 > 100 from 2026-01-01, none from 2026-03-01" in listed["threshold"]
    assert "from 2026-01-01 until 2026-07-01" in listed["expression"]
