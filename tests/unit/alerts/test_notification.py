"""Who is told what and when: each decision alone, many of them against a plain model."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import alerts.notification
from alerts.notification.escalation import Ladder, Level, Rung, Waits, climb, why_it_waits
from alerts.notification.flood import FloodLimits, collapse, is_flood
from alerts.notification.grouping import GroupLog, Reason, Timing, decide, note_told
from alerts.notification.holds import MaintenanceWindow
from alerts.notification.inhibition import Inhibition, Inhibitors, source_rules
from alerts.notification.labels import labels_of
from alerts.notification.matchers import Matchers
from alerts.notification.policy_files import read_policy
from alerts.notification.suppression import Holds
from alerts.notification.telling import Member, plan
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain import alert_machines
from ioc.domain.alerts import ChangeType, Severity
from ioc.domain.kinds import Crowd
from tests.support.alerts import at
from tests.support.alerts import decide as change
from tests.support.engine_runs import make_event, run

TIMING = Timing(
    group_wait=timedelta(seconds=10), group_interval=timedelta(seconds=60), repeat_interval=timedelta(hours=4)
)
A, B, C = (UUID(int=number) for number in range(1, 4))


def ask(log=None, firing=(), resolved=(), *, minute, held=False, news=0.0, urgent=False, timing=TIMING):
    return decide(
        log, firing=frozenset(firing), resolved=frozenset(resolved), held=held, news_at=at(news), is_urgent=urgent,
        timing=timing, now=at(minute),
    )  # fmt: skip


def known(*firing, resolved=(), minute=0.0):
    return GroupLog(told_at=at(minute), firing=frozenset(firing), resolved=frozenset(resolved))


@pytest.mark.parametrize(
    ("log", "firing", "resolved", "minute", "notify", "reason"),
    [
        (None, {A}, (), 0, False, Reason.WAITING),
        (None, {A}, (), 1, True, Reason.FIRST),
        (None, (), {A}, 1, False, Reason.EMPTY),
        (known(A), {A, B}, (), 0.5, False, Reason.INTERVAL),
        (known(A), {A, B}, (), 1, True, Reason.NEW_FIRING),
        (known(A), (), {A}, 1, True, Reason.ALL_RESOLVED),
        (known(A, B), {A}, {B}, 1, True, Reason.SOME_RESOLVED),
        (known(A, B), {A}, {C}, 1, False, Reason.NOTHING_NEW),
        (known(A), {A}, (), 239, False, Reason.NOTHING_NEW),
        (known(A), {A}, (), 240, True, Reason.REPEAT),
    ],
)
def test_the_five_cases_and_what_lies_between(log, firing, resolved, minute, notify, reason):
    verdict = ask(log, firing, resolved, minute=minute)
    assert (verdict.notify, verdict.reason) == (notify, reason)


def test_with_a_member_that_is_held_nothing_is_all_over():
    assert ask(known(A), (), {A}, minute=5, held=True).reason is Reason.SOME_RESOLVED
    assert ask(known(A), (), {B}, minute=5, held=True).reason is Reason.HELD
    assert ask(None, (), (), minute=5, held=True).reason is Reason.HELD


def test_a_route_that_does_not_want_ends_is_not_told_of_them():
    quiet = Timing(**{**{name: getattr(TIMING, name) for name in TIMING.__slots__}, "send_resolved": False})
    assert not ask(known(A), (), {A}, minute=5, timing=quiet).notify


def test_a_route_may_want_no_ends_and_then_reads_of_none(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        "route: {id: a, departments: [x], routes: [{id: b, match: kind=x, departments: [y], resolved: false}]}",
        encoding="utf-8",
    )
    policy, faults = read_policy(path)
    assert policy is not None, faults
    [one] = alert_machines.decide_condition(None, change(asset_id="one"))
    [two] = alert_machines.decide_condition(None, change(asset_id="two"))
    [ended] = alert_machines.decide_condition(one, change(ChangeType.RESOLVED, 2, asset_id="one"))
    members = [
        Member(alert=alert, joined_at=at(minute), was_held=False, told_severity=None)
        for alert, minute in ((ended, 0), (two, 3))
    ]
    holds = Holds(silences=(), windows=(), inhibitors=Inhibitors((), ()))
    log = known(one.alert_id)
    for route_id, ends in (("a", [ended]), ("b", [])):
        made = plan(log, members, holds, policy.timing_of(route_id), at(5))
        assert (made.verdict.reason, made.resolved) == (Reason.NEW_FIRING, ends)
        over = plan(log, members[:1], holds, policy.timing_of(route_id), at(5))
        assert (over.verdict.notify, over.closes) == (bool(ends), True)


def test_routes_know_an_alert_by_the_kind_of_event_that_its_rule_looks_at():
    rules = Rulebook.load([SHIPPED.parent / "rules" / "28-crowd.yaml"])
    lives = run(rules, load_world(), [make_event("site.x", Crowd(density_p_m2=9.0), at(minute)) for minute in range(9)])
    [alert] = alert_machines.decide_condition(None, lives.changes[0])
    assert labels_of(alert)["kind"] == "tourism.crowd"


def test_a_critical_newcomer_does_not_wait_for_the_interval():
    urgent = Timing(group_wait=timedelta(0), group_interval=timedelta(seconds=60), repeat_interval=timedelta(hours=1))
    assert ask(known(A), {A, B}, minute=0.1, news=0.1, urgent=True, timing=urgent).notify


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(1, 40)), max_size=40))
def test_every_alert_that_holds_long_enough_is_told_and_every_end_of_a_told_one(steps):
    """Two alerts come and go; whoever is told reads the notifications and must know the truth a minute later."""
    ids, firing, told, log, now = {"a": A, "b": B}, set(), set(), None, 0.0
    resolved: set[UUID] = set()

    def look():
        nonlocal log
        verdict = ask(log, firing, resolved, minute=now, news=now - 1)
        if verdict.notify:
            told.clear()
            told.update(firing)
            log = note_told(log, firing=firing, resolved=resolved, now=at(now)) if firing else None

    for name, holds, seconds in steps:
        (firing.add if holds else firing.discard)(ids[name])
        (resolved.discard if holds else resolved.add)(ids[name])
        look()
        now += seconds / 60
        look()
    now += 1.01
    look()
    assert told == firing


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ("severity>=major", {"severity": "critical"}, True),
        ("severity>=major", {"severity": "minor"}, False),
        ("severity>=major", {}, False),
        ('unit="06652", rule!=x', {"unit": "06652", "rule": "y"}, True),
        ("zone=", {}, True),
        ("zone!=a", {}, True),
        ('rule=~"vessel[.].*"', {"rule": "vessel.squall"}, True),
        ('rule=~"vessel"', {"rule": "vessel.squall"}, False),
        ('rule!~"vessel.*"', {"rule": "air"}, True),
        (r'name="a \"b\" \\"', {"name": 'a "b" \\'}, True),
    ],
)
def test_matchers_hold_as_they_read(text, labels, holds):
    found = Matchers.parse(text)
    assert found.matches(labels) is holds
    assert (found.why_not(labels) is None) is holds
    assert Matchers.parse(found.to_text()) == found


@pytest.mark.parametrize(
    "text",
    ["feed", "feed=a b", "=a", "severity>=loud", "unit>=major", "severity=loud", "rule=~(a", "rule=~(a+)+",
     r"rule=~(a)\1", "rule=~a**", "rule=" + "x" * 201, " ".join(f"a{chr(97 + number)}=1" for number in range(21))],
)  # fmt: skip
def test_matchers_that_cannot_be_are_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        Matchers.parse(text)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_any_value_survives_writing_and_reading(values):
    text = " ".join(
        f'n{place}="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for place, value in zip("abc", values, strict=False)
    )
    found = Matchers.parse(text)
    assert [item.value for item in found.items] == values
    assert Matchers.parse(found.to_text()) == found


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(("begins", "ends"), [("22:00", "02:00"), ("01:30", "02:30"), ("00:00", "00:00")])
def test_a_window_is_open_when_a_clock_on_the_wall_says_so(zone, begins, ends):
    """Minute by minute over the week in which Europe changes its clocks."""
    window = MaintenanceWindow(
        window_id="w", matchers=Matchers(), zone=ZoneInfo(zone), days=frozenset({5, 6}),
        begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), text_vi="", text_en="",
    )  # fmt: skip
    start = datetime(2026, 3, 26, tzinfo=UTC)
    for minute in range(0, 5 * 24 * 60, 7):
        now = start + timedelta(minutes=minute)
        local = now.astimezone(window.zone)
        day = local.weekday()
        if window.begins < window.ends:
            is_open = day in window.days and window.begins <= local.time() < window.ends
        else:
            is_open = (day in window.days and local.time() >= window.begins) or (
                (day - 1) % 7 in window.days and local.time() < window.ends
            )
        until = window.until(now)
        # Hours that the change of clocks leaves out are nobody's; there the two ways of reading may differ.
        if local.date() != datetime(2026, 3, 29, tzinfo=UTC).date():
            assert (until is not None) is is_open, now
        assert until is None or until > now


@pytest.mark.parametrize(
    ("day", "begins", "ends", "opens", "closes"),
    [
        # 29 March: 02:00 is followed by 03:00, an hour earlier by UTC.
        ("2026-03-29", "02:30", "03:15", "01:30", "02:15"),
        ("2026-03-29", "02:00", "02:45", "01:00", "01:45"),
        ("2026-03-29", "02:30", "00:00", "01:30", "23:00"),
        ("2026-03-29", "01:30", "02:30", "00:30", "01:30"),
        ("2026-03-29", "01:30", "03:15", "00:30", "01:15"),
        # 25 October: 03:00 is followed by another 02:00.
        ("2026-10-25", "02:30", "03:15", "00:30", "02:15"),
        ("2026-10-25", "02:15", "02:45", "00:15", "00:45"),
        ("2026-10-25", "01:30", "02:30", "23:30", "00:30"),
    ],
)
def test_a_window_on_the_day_on_which_clocks_change(day, begins, ends, opens, closes):
    window = MaintenanceWindow(
        window_id="w", matchers=Matchers(), zone=ZoneInfo("Europe/Berlin"), days=frozenset({6}),
        begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), text_vi="", text_en="",
    )  # fmt: skip
    midnight = datetime.fromisoformat(f"{day}T00:00+00:00")
    minutes = [midnight + timedelta(minutes=minute) for minute in range(-120, 26 * 60)]
    is_open = [now for now in minutes if window.until(now) is not None]
    assert (f"{is_open[0]:%H:%M}", f"{is_open[-1] + timedelta(minutes=1):%H:%M}") == (opens, closes)
    assert {window.until(now) for now in is_open} == {is_open[-1] + timedelta(minutes=1)}


_labels = st.dictionaries(st.sampled_from(["rule", "unit", "asset"]), st.sampled_from(["p", "q", ""]), max_size=3)
_texts = st.sampled_from(["rule=p", "rule=q", "unit=p", "asset!=q", 'rule=~"p|q"'])


@given(
    st.lists(st.tuples(_texts, _texts, st.lists(st.sampled_from(["unit", "asset"]), unique=True)), max_size=3),
    st.lists(_labels, max_size=6),
    _labels,
)
def test_inhibition_is_what_its_definition_says(written, firing, target):
    inhibitions = [
        Inhibition(inhibition_id="i", source=Matchers.parse(source), target=Matchers.parse(aim), equal=tuple(equal))
        for source, aim, equal in written
    ]
    numbered = [(UUID(int=number), labels) for number, labels in enumerate(firing)]
    expected = any(
        item.source.matches(source) and item.target.matches(target)
        and not (item.source.matches(target) and item.target.matches(source))
        and all(source.get(name, "") == target.get(name, "") for name in item.equal)
        for item, source in itertools.product(inhibitions, firing)
    )  # fmt: skip
    assert (Inhibitors(inhibitions, numbered).find(target) is not None) is expected


def test_alerts_that_match_both_sides_do_not_keep_each_other_quiet_but_others_do():
    item = Inhibition(
        inhibition_id="i", source=Matchers.parse("severity>=major"), target=Matchers.parse("rule=air"), equal=("unit",)
    )
    both, other_both = {"rule": "air", "severity": "major"}, {"rule": "air", "severity": "critical"}
    source, target = {"rule": "power", "severity": "major"}, {"rule": "air", "severity": "minor"}

    def is_quiet(labels, *firing):
        return Inhibitors([item], [(UUID(int=number), found) for number, found in enumerate(firing)]).find(labels)

    assert not is_quiet(both, both)
    assert not is_quiet(both, both, other_both)
    assert is_quiet(both, source)
    assert is_quiet(target, both)
    assert not is_quiet({**target, "unit": "06652"}, both)
    assert is_quiet({**target, "unit": ""}, both)


def test_only_inhibitions_that_name_their_rule_narrow_the_search():
    def inhibition(source):
        return Inhibition(inhibition_id="i", source=Matchers.parse(source), target=Matchers.parse("rule=b"), equal=())

    assert source_rules([inhibition("rule=a"), inhibition("rule=c unit=1")]) == ["a", "c"]
    assert source_rules([inhibition("rule=a"), inhibition("unit=1")]) is None


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=30))
def test_a_flood_begins_above_ten_and_ends_below_five(told):
    """Against a model that looks every second at the sum of the last ten minutes."""
    told = sorted(told)
    flood, per_minute = False, {}
    for minute, count in told:
        per_minute[minute] = per_minute.get(minute, 0) + count
    for minute in range(61):
        arriving = [count for when, count in told if when == minute]
        # What leaves the window at this minute leaves before what arrives.
        total = sum(count for when, count in per_minute.items() if minute - 10 < when < minute)
        flood = flood and total >= 5
        for count in arriving:
            total += count
            flood = total > 10 or (flood and total >= 5)
    assert is_flood([(at(minute), count) for minute, count in told], FloodLimits(), at(60)) is flood


@given(st.lists(st.sampled_from(list(Severity)), max_size=20), st.booleans())
def test_a_flood_drops_nothing_and_keeps_critical_single(severities, flood):
    found = []
    for number, severity in enumerate(severities):
        [alert] = alert_machines.decide_condition(None, change(asset_id=f"a{number}", severity=severity))
        found.append(alert)
    digest = collapse(found, flood=flood)
    assert {alert.alert_id for alert in [*digest.single, *digest.collapsed]} == {alert.alert_id for alert in found}
    assert len(digest.single) + len(digest.collapsed) == len(found)
    assert sum(digest.counts.values()) == len(digest.collapsed)
    assert all(alert.severity is not Severity.CRITICAL for alert in digest.collapsed)


LADDER = Ladder(
    ladder_id="up", levels=(Level(timedelta(minutes=5), ("x",)), Level(timedelta(minutes=15), ("y",))),
    ack_timeout=timedelta(hours=1),
)  # fmt: skip


def test_a_ladder_is_climbed_level_by_level_until_somebody_takes_note():
    [alert] = alert_machines.decide_condition(None, change())

    def look(alert, reached, minute):
        found = climb(alert, LADDER, Rung(unacked_at=at(0), reached=reached), now=at(minute))
        return found.due, found.rung.reached, found.look_at

    assert look(alert, 0, 4.9) == ((), 0, at(5))
    assert look(alert, 0, 5) == ((1,), 1, at(15))
    assert look(alert, 1, 15) == ((2,), 2, None)
    assert look(alert, 0, 20) == ((1, 2), 2, None)  # the notifier was away
    acked = alert_machines.acknowledge(alert, "lan", at(6))
    assert look(acked, 1, 20) == ((), 1, at(66))
    assert look(acked, 1, 70) == ((), 0, at(71))  # the acknowledgement counts no longer
    shelved = alert_machines.shelve(alert, "lan", at(1), until=at(60), reason="r")
    assert look(shelved, 0, 20) == ((), 0, at(60))
    [ended] = alert_machines.decide_condition(alert, change(kind=alert_machines.ChangeType.RESOLVED, minute=3))
    assert look(ended, 0, 20) == ((), 0, None)


@pytest.mark.parametrize("minute", [3, 6, 20])
def test_a_ladder_is_climbed_again_from_its_first_level_when_an_acknowledgement_expires(minute):
    [alert] = alert_machines.decide_condition(None, change())
    rung, told = Rung(unacked_at=at(0)), []
    acked = alert_machines.acknowledge(alert, "lan", at(minute))
    again = alert_machines.acknowledge(alert, "lan", at(300))
    waits = []
    for now in range(400):
        alert = acked if minute <= now < 300 else again if now >= 300 else alert
        found = climb(alert, LADDER, rung, now=at(now))
        rung, told = found.rung, told + [(now, number) for number in found.due]
        waits.append(why_it_waits(alert, LADDER, rung, is_held=False))
    before = [(after, number) for number, after in ((1, 5), (2, 15)) if after < minute]
    assert told == [*before, (minute + 65, 1), (minute + 75, 2), (365, 1), (375, 2)]
    assert set(waits[minute : minute + 60]) == {Waits.ACKNOWLEDGED}
    assert (waits[minute + 60], waits[minute + 75]) == (Waits.NEXT_LEVEL, Waits.AT_TOP)


SHIPPED = Path(alerts.notification.__file__).parents[1] / "policy.yaml"


def test_the_shipped_policy_passes_its_own_tests():
    policy, faults = read_policy(SHIPPED)
    assert policy is not None, faults
    assert len(policy.tests) >= 5
    for test in policy.tests:
        assert sorted(item.route.route_id for item in policy.route(test.labels)) == sorted(test.routes), test.name


@given(
    st.dictionaries(st.sampled_from(["rule", "severity", "unit"]), st.sampled_from(["vessel.squall", "critical", "x"]))
)
def test_every_alert_is_told_to_somebody(labels):
    policy, _ = read_policy(SHIPPED)
    assert policy is not None
    routed = policy.route(labels)
    assert routed
    assert all(item.route.departments for item in routed)
    assert [item.route.route_id for item in routed] == list(dict.fromkeys(item.route.route_id for item in routed))


ROOT = "route: {id: a, departments: [x]}"
WINDOW = "\nmaintenance:\n  - {id: m, match: rule=b, to: '02:00', vi: x, en: x, "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route: {id: a}", "1: departments: at least one"),
        ("route: {id: a, departments: [x], match: rule=b}", "1: match: the root takes everything"),
        (
            "route:\n  id: a\n  departments: [x]\n  routes:\n    - {id: a, departments: [y], match: rule=b}",
            "5: id: there are two",
        ),
        ("route: {id: a, departments: [x], routes: [{id: b, departments: [x]}]}", "1: 'match' is missing"),
        ("route: {id: a, departments: [x], routes: [{id: b, departments: [x], match: 'rule=~('}]}", "match: rule=~("),
        ("route: {id: a, departments: [Sở]}", "lower-case letters"),
        ("route: {id: a, departments: [x], ladder: up}", "ladder: no ladder 'up'"),
        (ROOT + "\nflood: {begins_above: 3, ends_below: 4}", "2: flood: must end below"),
        (ROOT + "\nladders: [{id: l, levels: []}]", "2: levels: at least one"),
        (ROOT + WINDOW + "from: 22}", "3: from:"),
        (ROOT + WINDOW + "from: '22:00', zone: Mars/Base}", "no time zone"),
        (ROOT + "\ntests: [{name: t, given: {rule: b}, routes: [c]}]", "2: routes: no route 'c'"),
        (ROOT + "\ntiming: {critical: {repeat: 5s}}", "2: repeat: at least 1m"),
        (ROOT + "\ntests: [{name: t, given: {ruel: b}, routes: [a]}]", "2: given: no label 'ruel'; did you mean rule?"),
        (ROOT + "\ninhibitions: [{id: i, source: aset=b, target: rule=c}]", "2: source: no label 'aset'"),
        (ROOT + "\ninhibitions: [{id: i, source: rule=b, target: rule=c, equal: [site]}]", "2: equal: no label"),
        ("route: {id: a, departments: [x], group_by: [rules]}", "1: group_by: no label 'rules'"),
        (ROOT + "\nsilence: []", "unknown key 'silence'"),
        ("route: [", "not YAML"),
    ],
)  # fmt: skip
def test_each_fault_of_a_policy_is_named_with_its_line(tmp_path, text, said):
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    policy, faults = read_policy(path)
    assert policy is None
    assert any(said in str(fault) for fault in faults), [str(fault) for fault in faults]
