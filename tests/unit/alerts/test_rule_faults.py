"""Every fault of a rule file is named at once, with file and line."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from alerts.lifecycle import rule_tests
from alerts.rulebook.book import Rulebook, RulebookError

SOUND = """\
rule: test.rule
condition: threshold
on: tourism.crowd
levels:
  - severity: major
    when: density_p_m2 >= 2
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def _faults(tmp_path, text):
    path = tmp_path / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    return [(fault.line, fault.what) for fault in rule_tests.check([path])]


def test_a_sound_rule_has_no_fault(tmp_path):
    assert _faults(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("condition: threshold", "condition: treshold"), 2, "no condition 'treshold'"),
        (("on: tourism.crowd", "on: tourism.crowds"), 3, "no kind 'tourism.crowds'"),
        (("density_p_m2 >= 2", "density >= 2"), 6, "no quantity 'density'"),
        (("density_p_m2 >= 2", "density_p_m2 is high"), 6, "must read like"),
        (("severity: major", "severity: huge"), 5, "one of critical, major, minor, info"),
        (("a {value}", "a {valeu}"), 7, "no {valeu}"),
        (("runbook: {vi: c, en: c}", "runbook: {vi: c}"), 9, "'en' is missing"),
        (("rule: test.rule", "rule: test.rule\nkeeep: 5m"), 2, "unknown key 'keeep'"),
        (("rule: test.rule", "rule: test.rule\nkeep: five"), 2, "must be a duration"),
        (("rule: test.rule", "rule: test.rule\nclear_if_quiet_for: 0s"), 2, "longer than nothing"),
        (("rule: test.rule", "no_data: {policy: alert}\nclear_if_quiet_for: 5m\nrule: test.rule"), 2, "no `no_data`"),
        (("rule: test.rule", "rule: test.rule\nrule: again"), 2, "stands twice"),
        (("levels:", "levels: ["), 5, "not YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, change, line, says):
    found = _faults(tmp_path, SOUND.replace(*change))
    assert any(at == line and says in what for at, what in found), found


def test_what_is_misspelt_is_named_with_the_nearest_word_and_alone(tmp_path):
    assert _faults(tmp_path, SOUND.replace("tourism.crowd", "tourism.crowds")) == [
        (3, "on: no kind 'tourism.crowds'; did you mean tourism.crowd?")
    ]
    ((line, what),) = _faults(tmp_path, SOUND + "latness: 5m\n")
    assert (line, what) == (10, "unknown key 'latness'; did you mean lateness?")
    assert _faults(tmp_path, SOUND + "qqq: 5m\n") == [(10, "unknown key 'qqq'")]


def test_all_faults_come_at_once(tmp_path):
    broken = SOUND.replace("severity: major", "severity: huge").replace("{vi: b, en: b}", "{vi: b}")
    assert len(_faults(tmp_path, broken)) == 2


def test_a_rulebook_with_faults_is_refused_with_all_of_them(tmp_path):
    (tmp_path / "a.yaml").write_text(SOUND.replace("major", "huge"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(SOUND, encoding="utf-8")
    (tmp_path / "c.yaml").write_text(SOUND, encoding="utf-8")
    with pytest.raises(RulebookError) as refused:
        Rulebook.load([tmp_path])
    assert len(refused.value.rule_faults) == 3
    assert "c.yaml:1: rule 'test.rule' stands twice" in str(refused.value)


def test_a_test_that_is_written_wrongly_is_a_fault_too(tmp_path):
    found = _faults(tmp_path, SOUND + "tests:\n  - name: x\n    given:\n      - {asset: site.x, at: 0m, densty: 3}\n")
    assert any("no field densty" in what for _, what in found), found


def test_an_empty_folder_says_so(tmp_path):
    assert "no rule files" in str(rule_tests.check([tmp_path])[0])


def test_files_of_either_ending_are_read_in_the_order_of_their_names(tmp_path):
    for name, rule_id in (("b.yaml", "test.b"), ("a.yml", "test.a"), ("c.yml", "test.a"), ("d.txt", "test.d")):
        (tmp_path / name).write_text(SOUND.replace("test.rule", rule_id), encoding="utf-8")
    count, (fault,) = rule_tests.count_and_check([tmp_path])
    assert (count, Path(fault.file).name, fault.what) == (3, "c.yml", "rule 'test.a' stands twice")


def test_editing_texts_keeps_the_version_and_editing_a_limit_does_not(tmp_path):
    def version(text):
        path = tmp_path / "rule.yaml"
        path.write_text(text, encoding="utf-8")
        return Rulebook.load([path]).rules[0].version

    first = version(SOUND)
    assert version(SOUND.replace("{vi: b, en: b}", "{vi: other, en: other}")) == first
    assert version(SOUND.replace(">= 2", ">= 3")) != first


def test_a_key_that_says_what_holds_without_it_keeps_the_version_and_another_value_does_not(tmp_path):
    def version(*change):
        path = tmp_path / "rule.yaml"
        text = (SHIPPED / "05-gases.yaml").read_text(encoding="utf-8").partition("\ntests:")[0]
        path.write_text(text.replace(*change), encoding="utf-8")
        return Rulebook.load([path]).rules[0].version

    first = version("mean: 1h", "mean: 1h")
    assert version("mean: 1h", "mean: 1h, tumbling: false") == first
    assert version("mean: 1h", "mean: 1h, tumbling: true") != first


SHIPPED = Path(str(resources.files("alerts").joinpath("rules")))


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (
            "06-dust-calm",
            ("when: pm10_ug_m3 > 250", "when: [pm10_ug_m3 > 250, pm25_ug_m3 > 9]"),
            "when: one comparison",
        ),
        ("06-dust-calm", ("when: pm10_ug_m3 > 250", "when: pm_ug_m3 > 250"), "no quantity 'pm_ug_m3'"),
        ("07-stuck", ("    pm25_ug_m3: {after: 6h}", "    pm_ug_m3: {after: 6h}"), "no quantity 'pm_ug_m3'"),
        ("07-stuck", ("    pm25_ug_m3: {after: 6h}", "    pm25_ug_m3: {after: 0m}"), "longer than nothing"),
        ("07-stuck", ("not_at: [0]", "not_at: calm"), "must be a list of numbers"),
        ("07-stuck", ("  met.obs:", "  met.obz:"), "no kind 'met.obz'"),
        ("08-spike", ("of: 30", "of: 9000"), "enough <= of <= 240"),
        ("08-spike", ("{least: 150}", "{leest: 150}"), "'least' is missing"),
        ("15-reservoir", ("{minor: 29.0, major: 29.5}", "{}"), "at least one of"),
        ("15-reservoir", ("{minor: 29.0, major: 29.5}", "{medium: 29}"), "unknown key 'medium'"),
        ("17-coincident", ("when: rise_1h >= 0.5", "when: rise_2h >= 0.5"), "no quantity 'rise_2h'"),
        ("18-wind-island-routes", ("serving: [route_area]", "serving: [route_areas]"), "did you mean route_area?"),
        ("20-squall", ("ahead: 30m", "ahead: soon"), "must be a duration"),
        ("22-unsheltered", ("hazards: [storm, typhoon]", "hazards: 3"), "must be a list of words"),
        ("25-mooring", ("wind_m_s: 17.2", "wind_m_s: strong"), "must be a number"),
        ("26-manifest", ("within: 5m\n", ""), "'within' is missing"),
        ("27-departure-unseen", ("severity: major", "severity: huge"), "one of critical"),
        ("30-truck-dwell", ("place: gate", "place: gaet"), "no field 'gaet'"),
        ("30-truck-dwell", ("quantile: 0.9", "quantile: 9"), "above 0 up to 1"),
        ("35-outage", ("part: customers_off_count", "part: customers"), "no quantity 'customers'"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_every_condition_names_its_faults_with_the_line_they_stand_on(tmp_path, name, change, says):
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    found = _faults(tmp_path, text.replace(*change, 1))
    assert any(says in what for _, what in found), found
    # The line, or for a key that is not there the mapping that lacks it.
    line = text[: text.index(change[0])].count("\n") + 1
    assert any(at <= line and says in what for at, what in found), found


WINDOW = """\
rule: test.rule
condition: window
on: env.rain
windows: {w: {of: rain_mm, sum: 1h}}
levels:
  - severity: major
    when: w >= 2
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""
FORMULA = WINDOW.replace("condition: window", "condition: expression")


@pytest.mark.parametrize("covers", ["0", "-0.5", "1.01", "70"])
@pytest.mark.parametrize("aggregate", ["sum", "count", "mean"])
def test_covers_is_a_share_above_0(tmp_path, aggregate, covers):
    (found,) = _faults(tmp_path, WINDOW.replace("sum: 1h", f"{aggregate}: 1h, covers: {covers}"))
    assert found == (4, "covers: a share of the window, above 0 up to 1")
    assert _faults(tmp_path, WINDOW.replace("sum: 1h", f"{aggregate}: 1h, covers: 1")) == []


DOWNWARDS = (
    (WINDOW, "w < 2"),
    (WINDOW, "[w >= 20, w <= 2]"),
    (WINDOW, '{quantity: w, operator: "<", limits: {2026-01-01: 2}}'),
    (FORMULA, "w < 2"),
    (FORMULA, "2 >= w"),
    (FORMULA, "rain_mm > 1 && (rain_mm < 7 || w <= 2)"),
    (FORMULA, "timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z') && w <= 2"),
)


@pytest.mark.parametrize("aggregate", ["sum", "count"])
@pytest.mark.parametrize(("rule", "when"), DOWNWARDS)
def test_what_is_small_while_a_window_fills_is_compared_downwards_with_covers_only(tmp_path, rule, when, aggregate):
    text = rule.replace("w >= 2", when).replace("sum: 1h", f"{aggregate}: 1h")
    ((line, what),) = _faults(tmp_path, text)
    assert (line, what) == (
        7, "w is small while its window fills; give the window `covers`, such as `covers: 0.9`"
    )  # fmt: skip
    assert _faults(tmp_path, text.replace(f"{aggregate}: 1h", f"{aggregate}: 1h, covers: 0.1")) == []
    (tmp_path / "rule.yaml").write_text(text, encoding="utf-8")
    assert len(Rulebook.load([tmp_path], on_doubt=lambda fault: None).rules) == 1


@pytest.mark.parametrize("aggregate", ["min", "max", "mean", "rise", "p90"])
def test_other_windows_are_compared_downwards_as_they_are(tmp_path, aggregate):
    assert _faults(tmp_path, WINDOW.replace("w >= 2", "w < 2").replace("sum", aggregate)) == []


def test_a_hazard_that_looks_for_little_rain_needs_covers_too(tmp_path):
    text = (SHIPPED / "17-coincident.yaml").read_text(encoding="utf-8")
    found = _faults(tmp_path, text.replace("- rain_1h >= 30", "- rain_1h < 30", 1))
    assert ["rain_1h is small" in what for _, what in found] == [True]


def test_a_count_that_its_covers_keep_above_the_limit_is_never_reached(tmp_path):
    text = WINDOW.replace("sum: 1h", "count: 1h, covers: 0.9")
    ((line, what),) = _faults(tmp_path, text.replace("w >= 2", "w < 9"))
    assert (line, what) == (7, "w is never so low, since `covers` asks for 9 readings at least")
    assert _faults(tmp_path, text.replace("w >= 2", "w < 10")) == []


COUNT = WINDOW.replace("sum: 1h", "count: 1h")
ZONE = """\
rule: test.zone
condition: zone
on: vehicle.position
when: count
zones: [gate.x]
edge_m: 5
good_for: 5m
levels:
  - severity: major
    when: inside_count >= 5
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


@pytest.mark.parametrize(
    ("rule", "change", "line", "says"),
    [
        (SOUND, ("density_p_m2 >= 2", "[]"), 6, "when: at least one comparison"),
        (SOUND, ("2\n", "2\n    clear: []\n"), 7, "clear: at least one comparison"),
        (SOUND, ("levels:", "lateness: 0s\nlevels:"), 4, "lateness: must be longer than nothing, such as 15m"),
        (SOUND, ("levels:", "gap: 0s\nlevels:"), 4, "gap: must be longer than nothing, such as 15m"),
        (FORMULA, ("w >= 2", "w > 1 || rain_mm > 1\n    clear: 'true'"), 8, "clear: names no value"),
        (FORMULA, ("w >= 2", "'true'"), 7, "when: names no value"),
        (FORMULA, ("w >= 2", "1 > 2"), 7, "when: names no value"),
        (FORMULA, ("w >= 2", "size('w') > int(2)"), 7, "when: names no value"),
        (COUNT, ("w >= 2", "w > 4096"), 7, "w is never so: a window keeps 4,096 readings"),
        (COUNT, ("w >= 2", "[w >= 3, w >= 4097]"), 7, "w is never so"),
        (COUNT.replace("1h", "1h, covers: 0.5"), ("w >= 2", "w < 5000"), 7, "w is always so"),
        (FORMULA.replace("sum", "count"), ("w >= 2", "rain_mm > 1 && 5000 <= w"), 7, "w is never so"),
        (WINDOW, ("1h}}", "1h, cover: 0.5}}"), 4, "unknown key 'cover'"),
        (WINDOW, ("1h}}", "1h}, v: {of: rain_mm, max: 1h}}"), 4, "window 'v': no level compares it"),
        (FORMULA, ("1h}}", "1h}, v: {of: rain_mm, max: 1h}}"), 4, "window 'v': no level compares it"),
        (ZONE, ("inside_count >= 5", "[inside_count >= 5, speed_km_h > 3]"), 9, "levels: on inside_count alone"),
        (ZONE, (">= 5", ">= 5\n    clear: speed_km_h < 3"), 9, "levels: on inside_count alone, not speed_km_h"),
        (ZONE, ("edge_m: 5", "edge_m: -5"), 6, "edge_m: 0 or more"),
        (ZONE, ("good_for: 5m", "good_for: 0s"), 7, "good_for: must be longer than nothing"),
    ],
)
def test_what_could_never_or_always_be_so_is_named_and_goes_on_where_it_is_in_force(tmp_path, rule, change, line, says):
    assert _faults(tmp_path, rule) == []
    ((at, what),) = _faults(tmp_path, rule.replace(*change))
    assert at == line
    assert says in what
    if "unknown key" not in says:
        assert len(Rulebook.load([tmp_path], on_doubt=lambda fault: None).rules) == 1


@pytest.mark.parametrize("rule", [WINDOW, FORMULA])
def test_a_window_that_only_a_text_shows_is_used(tmp_path, rule):
    text = rule.replace("1h}}", "1h}, v: {of: rain_mm, max: 1h}}")
    assert _faults(tmp_path, text.replace("detail: {vi: b, en: b}", 'detail: {vi: "{v}", en: b}')) == []
    assert _faults(tmp_path, text.replace("w >= 2", "w >= 2\n    clear: v < 1")) == []


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("17-coincident", ("- rain_1h >= ", "- rain_24h >= "), "window 'rain_1h': no level compares it"),
        ("30-truck-dwell", ("passage_h > 6", "[passage_h > 6, mass_t > 30]"), "levels: on passage_h alone, not mass_t"),
        ("35-outage", ("good_for: 6h", "good_for: 0s"), "good_for: must be longer than nothing"),
        ("35-outage", ("clear: share_pct < 35", "clear: customers_off_count < 9"), "levels: on share_pct alone"),
    ],
)
def test_conditions_past_one_asset_name_it_too(tmp_path, name, change, says):
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    ((_, what),) = _faults(tmp_path, text.replace(*change))
    assert says in what


def test_a_coincidence_of_one_hazard_is_none(tmp_path):
    text = (SHIPPED / "17-coincident.yaml").read_text(encoding="utf-8")
    alone = text[: text.index("  water:\n")] + text[text.index("keep: 60m") :]
    assert any("at least two" in what for _, what in _faults(tmp_path, alone))
