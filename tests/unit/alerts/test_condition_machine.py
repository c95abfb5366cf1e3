"""The condition machine gives Prometheus' own vector; fingerprints give Prometheus' own numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from alerts.fingerprints import fnv1a_fingerprint, sha256_fingerprint
from alerts.language.rule import Level
from alerts.memory.series import Policy, Series, Verdict, evaluate
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ConditionState, ResolveReason, Severity
from ioc.domain.kinds import Observation
from tests.support.engine_runs import make_event, run

START = datetime(2026, 11, 23, tzinfo=UTC)
OBSERVED = """\
rule: mast.high
condition: expression
on: observation
levels:
  - {severity: major, when: value > 5}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def _run(values, *, limit=50.0, hold_m=1, keep_m=1, gap_m=15, step_m=1):
    levels = (Level(severity=Severity.MAJOR, hold_for=timedelta(minutes=hold_m)),)
    policy = Policy(levels, timedelta(minutes=keep_m), timedelta(minutes=gap_m))
    series, states = Series(shape="threshold"), []
    for minute, value in enumerate(values):
        at = START + timedelta(minutes=step_m * minute)
        verdict = Verdict(value > limit, value <= limit, value, limit)
        decision = evaluate(series, policy, [verdict], at)
        if decision is not None and decision.type is ChangeType.FIRED:
            # What the announcer keeps; the machine asks it for severity and limit only.
            series.last = SimpleNamespace(severity=decision.severity, limit=limit)
        if decision is not None and decision.type is ChangeType.RESOLVED:
            series.last = None
        states.append(series.condition)
    return states


def test_the_check_vector_of_the_specification():
    states = _run([75, 85, 70, 70, 10, 10])
    firing, recovering = ConditionState.FIRING, ConditionState.RECOVERING
    # Minute 4 is below the limit and still announced: it recovers, and is gone at minute 5.
    assert states == [ConditionState.PENDING, firing, firing, firing, recovering, ConditionState.INACTIVE]


def test_pending_that_falls_below_is_inactive_at_once():
    assert _run([75, 10, 75], hold_m=5)[1] is ConditionState.INACTIVE


def test_with_no_keep_it_resolves_at_once():
    assert _run([75, 75, 10], keep_m=0)[2] is ConditionState.INACTIVE


def test_the_boundary_of_for_is_inside():
    assert _run([75, 75, 75, 75, 75, 75], hold_m=5)[4:] == [ConditionState.PENDING, ConditionState.FIRING]


def test_a_gap_starts_the_waiting_anew():
    assert _run([75, 75], hold_m=20, step_m=30)[1] is ConditionState.PENDING


def test_fnv_fingerprints_are_prometheus_numbers():
    assert fnv1a_fingerprint([]) == 14695981039346656037
    labels = [("name", "garland, briggs"), ("fear", "love is not enough")]
    assert fnv1a_fingerprint(labels) == 5799056148416392346


def test_a_fingerprint_does_not_depend_on_the_order_of_labels():
    assert sha256_fingerprint([("a", "1"), ("b", "2")]) == sha256_fingerprint([("b", "2"), ("a", "1")])
    assert sha256_fingerprint([("a", "1b"), ("c", "")]) != sha256_fingerprint([("a", "1"), ("bc", "")])


def test_what_reports_only_while_it_is_amiss_is_over_when_it_has_been_quiet_for_long_enough(tmp_path):
    quiet = OBSERVED.replace("levels:", "clear_if_quiet_for: 10m\nlevels:")
    (tmp_path / "rule.yaml").write_text(quiet, encoding="utf-8")
    rules = Rulebook.load([tmp_path])
    readings = [
        make_event("mast.1", Observation(quantity="wind", value=6.0), START + timedelta(minutes=minute))
        for minute in (0, 5)
    ]
    lives = run(rules, load_world(), readings)
    for minute in range(6, 30):
        if minute == 6:
            lives.die()
        lives.wait(START + timedelta(minutes=minute))
    assert [(change.type, change.decided_at, change.reason) for change in lives.changes] == [
        (ChangeType.FIRED, START, None),
        (ChangeType.RESOLVED, START + timedelta(minutes=15), ResolveReason.CONDITION),
    ]
    (tmp_path / "rule.yaml").write_text(OBSERVED, encoding="utf-8")
    assert rules.rules[0].version != Rulebook.load([tmp_path]).rules[0].version


def test_two_quantities_that_one_asset_reports_are_two_alerts_and_neither_ends_the_other(tmp_path):
    (tmp_path / "rule.yaml").write_text(OBSERVED, encoding="utf-8")
    readings = [("wind", 6.0), ("rain", 7.0), ("rain", 1.0)]
    changes = run(
        Rulebook.load([tmp_path]),
        load_world(),
        [
            make_event("mast.1", Observation(quantity=name, value=value), START + timedelta(minutes=minute))
            for minute, (name, value) in enumerate(readings)
        ],
    ).changes
    assert [(change.type, dict(change.labels)["quantity"]) for change in changes] == [
        (ChangeType.FIRED, "wind"), (ChangeType.FIRED, "rain"), (ChangeType.RESOLVED, "rain"),
    ]  # fmt: skip
    wind, rain, over = (change.fingerprint for change in changes)
    assert wind != rain == over
