"""Alarm performance: each figure against one that was worked out by hand, and order that changes nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.performance.annunciations import is_annunciation, stand_of
from alerts.performance.meter import PerformanceMeter
from alerts.performance.targets import Verdict, check
from ioc.domain import alert_machines
from ioc.domain.alerts import ChangeType, OperatorState, Severity
from tests.support.alerts import at, decide
from tests.support.journals import HandMadeJournal

CRITICAL, MAJOR, MINOR, INFO = Severity
MINUTE = timedelta(minutes=1)


def measure(journal, start=0.0, end=60.0, *, unit_code=None, cuts=1_000):
    """As the store's reader does it: from an hour before, in pages."""
    meter = PerformanceMeter(journal.standing(start - 60), start=at(start), end=at(end), unit_code=unit_code)
    entries = [entry for entry in journal.entries if at(start - 60) <= entry.at < at(end)]
    for first in range(0, len(entries), cuts):
        meter.take(entries[first : first + cuts])
    return meter.finish(journal.standing(end))


def fire(journal, asset, minute, **others):
    return journal.say(decide(asset_id=asset, minute=minute, began=minute, **others))


def end(journal, asset, minute, began, **others):
    journal.say(decide(ChangeType.RESOLVED, minute, began=began, asset_id=asset, **others))


@pytest.fixture
def hour():
    """An hour of five alerts.

    a: major 0, taken note of 3, critical 5, taken note of 7, major again 8, over 45.
    b: critical 1, closed by hand 40.   c: minor 12, over 12.5.   d: info 20, shelved 21, off the shelf 31.
    e: on trial 25.
    """
    journal = HandMadeJournal()
    a = fire(journal, "a", 0)
    b = fire(journal, "b", 1, severity=CRITICAL)
    journal.do(a, ChangeType.ACKNOWLEDGED, 3)
    journal.say(decide(ChangeType.SEVERITY, 5, asset_id="a", severity=CRITICAL))
    journal.do(a, ChangeType.ACKNOWLEDGED, 7)
    journal.say(decide(ChangeType.SEVERITY, 8, asset_id="a", severity=MAJOR))
    fire(journal, "c", 12, severity=MINOR)
    end(journal, "c", 12.5, 12, severity=MINOR)
    d = fire(journal, "d", 20, severity=INFO)
    journal.do(d, ChangeType.SHELVED, 21, until=at(31), reason="đang sửa")
    fire(journal, "e", 25, shadow=True)
    journal.end_shelf(d, 31)
    journal.do(b, ChangeType.RESOLVED, 40, reason="đã xử lý")
    end(journal, "a", 45, 0)
    return journal


def test_what_asks_for_an_operator_is_counted_and_nothing_else(hour):
    """a at 0 and, raised, at 5; b at 1; c at 12; d at 20 and, off the shelf, at 31. Not e, which is on trial."""
    made = measure(hour)
    assert made.annunciations == {CRITICAL: 2, MAJOR: 1, MINOR: 1, INFO: 2}
    assert made.annunciation_count == 6
    assert made.priorities == {CRITICAL: 2 / 6, MAJOR: 1 / 6, MINOR: 1 / 6, INFO: 2 / 6}
    assert (made.shelved_count, made.suppressed_count, made.shadow_count) == (1, 0, 1)


def test_the_rate_is_given_per_ten_minutes_with_its_peak(hour):
    rate = measure(hour).rate
    assert list(rate.intervals) == [3, 1, 1, 1, 0, 0]
    assert (rate.mean, rate.peak_count, rate.peak_at) == (1.0, 3, at(0))
    assert (rate.above_busy_ratio, rate.above_overloaded_ratio) == (0.0, 0.0)


def test_times_to_acknowledge_and_to_the_end_are_given_with_median_and_ninetieth_percentile(hour):
    """Waits: a 3 min as major and 2 as critical, b 39. Ends: c after 0.5 min, b after 39, a after 45."""
    made = measure(hour)
    waits, ends = made.acknowledging, made.ending
    assert (waits[MAJOR].count, waits[MAJOR].mean) == (1, 3 * MINUTE)
    assert (waits[CRITICAL].mean, waits[CRITICAL].median, waits[CRITICAL].p90) == (
        20.5 * MINUTE, 20.5 * MINUTE, 39 * MINUTE
    )  # fmt: skip
    assert (waits[None].count, waits[None].mean, waits[None].median, waits[None].p90) == (
        3, 44 / 3 * MINUTE, 3 * MINUTE, 39 * MINUTE
    )  # fmt: skip
    assert waits[MINOR].mean is None
    assert (ends[None].count, ends[None].median, ends[None].p90) == (3, 39 * MINUTE, 45 * MINUTE)
    assert ends[MINOR].mean == 0.5 * MINUTE
    assert made.unanswered == {CRITICAL: 0, MAJOR: 0, MINOR: 1, INFO: 1}


def test_what_comes_most_often_is_named_with_its_share(hour):
    made = measure(hour)
    assert (made.rules.items, made.rules.ratio) == ([("air-pm25", 6)], 1.0)
    assert made.assets.items == [("a", 2), ("d", 2), ("b", 1), ("c", 1)]
    assert [(source.thing, source.count) for source in made.sources] == [("a", 2), ("d", 2), ("b", 1), ("c", 1)]
    assert (made.fleeting_count, made.fleeting_rules) == (1, [("air-pm25", 1)])
    assert made.standing == {OperatorState.RETURNED_UNACKNOWLEDGED: 1, OperatorState.UNACKNOWLEDGED: 1}


def test_the_ten_most_frequent_are_ten():
    """Twelve sources: one with 3, one with 2, ten with 1: fifteen, of which the first ten have thirteen."""
    journal = HandMadeJournal()
    for number in range(12):
        for time in range(max(1, 3 - number)):
            fire(journal, f"s{number:02}", number + 12 * time)
            end(journal, f"s{number:02}", number + 12 * time + 5, number + 12 * time)
    made = measure(journal)
    assert [count for _, count in made.assets.items] == [3, 2, *[1] * 8]
    assert made.assets.ratio == made.sources_ratio == 13 / 15


def test_a_flood_begins_with_the_eleventh_and_ends_when_fewer_than_five_are_left():
    """Eleven, a half minute apart from 0: the eleventh comes at 5, the seventh (at 3) leaves four behind at 13."""
    journal = HandMadeJournal()
    for number in range(11):
        fire(journal, f"s{number}", number / 2)
    made = measure(journal)
    [flood] = made.floods
    assert (flood.began_at, flood.ended_at, flood.peak_count) == (at(5), at(13), 11)
    assert made.flood_ratio == 8 / 60
    assert made.rate.above_overloaded_ratio == made.rate.above_busy_ratio == 1 / 6


def test_a_period_that_begins_within_a_flood_knows_it():
    journal = HandMadeJournal()
    for number in range(11):
        fire(journal, f"s{number}", number / 2)
    made = measure(journal, start=8, end=28)
    assert (made.annunciation_count, made.rate.peak_at) == (0, None)
    assert [flood.began_at for flood in made.floods] == [at(5)]
    assert made.flood_ratio == 5 / 20
    assert measure(journal, start=13, end=33).floods == []


def test_three_within_a_minute_chatter_and_two_do_not():
    """The minute's end counts as within it."""
    journal = HandMadeJournal()
    for asset, minutes in (("bad", (0, 0.4, 1)), ("good", (0, 0.5, 1.1)), ("pair", (3, 3.1))):
        for minute in minutes:
            fire(journal, asset, minute)
            end(journal, asset, minute + 0.05, minute)
    made = measure(journal)
    assert [(source.thing, source.burst_count) for source in made.chattering] == [("bad", 3)]
    assert made.fleeting_count == 8


def test_what_the_engine_calls_flapping_chatters():
    journal = HandMadeJournal()
    fire(journal, "f", 0)
    journal.say(decide(ChangeType.FLAPPING, 20, asset_id="f", flapping=True))
    assert [(source.thing, source.is_flapping) for source in measure(journal, 10).chattering] == [("f", True)]


def test_what_somebody_looked_at_was_not_fleeting():
    journal = HandMadeJournal()
    quick = fire(journal, "q", 0)
    journal.do(quick, ChangeType.ACKNOWLEDGED, 0.2)
    end(journal, "q", 0.5, 0)
    fire(journal, "s", 1)
    end(journal, "s", 2.01, 1)
    assert measure(journal).fleeting_count == 0


def test_what_stands_unattended_for_more_than_a_day_is_stale_with_its_age():
    day = 24 * 60
    journal = HandMadeJournal()
    fire(journal, "old", 0)
    seen = fire(journal, "seen", 0)
    journal.do(seen, ChangeType.ACKNOWLEDGED, 1)
    fire(journal, "day", 60)
    shelved = fire(journal, "shelved", 0)
    journal.do(shelved, ChangeType.SHELVED, day + 50, until=at(day + 70), reason="đang sửa")
    made = measure(journal, day, day + 60)
    assert [(item.rule_id, item.age) for item in made.stale] == [("air-pm25", timedelta(days=1, hours=1))]
    assert made.long_acknowledged_count == 1


def test_an_alert_of_before_is_answered_from_its_own_beginning():
    journal = HandMadeJournal()
    alert = fire(journal, "a", 0)
    journal.do(alert, ChangeType.ACKNOWLEDGED, 130)
    made = measure(journal, 120, 180)
    assert made.acknowledging[MAJOR].mean == 130 * MINUTE
    assert made.unanswered[MAJOR] == 0
    assert measure(journal, 0, 120).unanswered[MAJOR] == 1


def test_time_that_takes_an_alert_off_the_list_is_nobodys_answer():
    journal = HandMadeJournal()
    alert = fire(journal, "a", 0, severity=MINOR)
    end(journal, "a", 5, 0, severity=MINOR)
    gone = alert_machines.acknowledge_returned(journal.alerts[alert], at=at(20))
    journal.entries.append(
        replace(
            journal.entries[-1], event_id=99, revision=gone.revision, type=ChangeType.ACKNOWLEDGED, at=at(20),
            reason="returned", alert=gone,
        )
    )  # fmt: skip
    made = measure(journal)
    assert made.acknowledging[None].count == 0
    assert made.unanswered[MINOR] == 1


@pytest.mark.parametrize("start", [0, 60, 300])
def test_what_a_person_closed_and_gets_worse_asks_anew(start):
    """Whether the journal of the period has its beginning, its closing, or neither."""
    journal = HandMadeJournal()
    alert = fire(journal, "a", 30, severity=MINOR)
    journal.do(alert, ChangeType.RESOLVED, 40, reason="trạm đang bảo trì")
    journal.do(alert, ChangeType.COMMENTED, 50, reason="đã xem")
    journal.say(decide(ChangeType.SEVERITY, 310, asset_id="a", began=30, severity=CRITICAL))
    assert measure(journal, start, 320).annunciations[CRITICAL] == 1
    assert measure(journal, start, 320).unanswered[CRITICAL] == 1
    journal.do(alert, ChangeType.ACKNOWLEDGED, 315)
    made = measure(journal, start, 320)
    assert (made.acknowledging[CRITICAL].mean, made.unanswered[CRITICAL]) == (5 * MINUTE, 0)


def test_a_unit_has_its_own_figures():
    journal = HandMadeJournal()
    fire(journal, "a", 0)
    fire(journal, "b", 0, unit_code="06811")
    assert measure(journal, unit_code="06811").assets.items == [("b", 1)]
    assert measure(journal).annunciation_count == 2


def test_an_empty_period_has_no_shares_and_meets_its_targets():
    made = measure(HandMadeJournal())
    assert (made.priorities, made.rate.mean, made.rate.peak_at, made.flood_ratio) == (None, 0.0, None, 0.0)
    verdicts = {item.name: item.verdict for item in check(made)}
    assert verdicts["mean_rate"] is Verdict.GOOD
    assert verdicts["critical_share"] is None


def test_figures_are_held_against_the_targets_of_the_standards(hour):
    """One in ten minutes is the most that is good. Of six, a third that is critical says nothing yet."""
    verdicts = {item.name: (item.figure, item.verdict) for item in check(measure(hour))}
    assert verdicts["mean_rate"] == (1.0, Verdict.GOOD)
    assert verdicts["critical_share"] == (2 / 6, None)
    assert verdicts["fleeting"] == (1, Verdict.BEYOND)
    assert verdicts["stale"] == (0, Verdict.GOOD)
    assert {item.name: item for item in check(measure(hour, 0, 40))}["mean_rate"].verdict is Verdict.MANAGEABLE


@pytest.mark.parametrize(
    ("critical", "others", "verdict"), [(1, 18, None), (1, 19, Verdict.GOOD), (2, 18, Verdict.BEYOND)]
)
def test_shares_are_judged_from_twenty_annunciations_on(critical, others, verdict):
    journal = HandMadeJournal()
    for number in range(critical + others):
        fire(journal, f"s{number}", number, severity=CRITICAL if number < critical else MINOR)
    assert {item.name: item.verdict for item in check(measure(journal))}["critical_share"] is verdict


def test_repeats_falls_and_remarks_are_no_annunciations(hour):
    counted = []
    before = {}
    for entry in hour.entries:
        if is_annunciation(entry.alert, stand_of(before.get(entry.alert_id))):
            counted.append((str(entry.type), entry.alert.asset_id, (entry.at - at(0)) / MINUTE))
        before[entry.alert_id] = entry.alert
    assert counted == [
        ("fired", "a", 0), ("fired", "b", 1), ("severity", "a", 5), ("fired", "c", 12), ("fired", "d", 20),
        ("unshelved", "d", 31),
    ]  # fmt: skip


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 40),
        st.sampled_from(["fire", "raise", "lower", "end", "ack", "shelve", "close"]),
    ),
    max_size=60,
)


@given(STEPS, st.randoms(use_true_random=False), st.integers(1, 9), st.sampled_from([10, 75]))
def test_figures_depend_neither_on_the_order_between_alerts_nor_on_the_pages(steps, chance, cuts, start):
    """Also where the period begins with alerts that stand (75 − 60 minutes lie in the middle of the steps)."""
    journal = make_journal(steps)
    expected = measure(journal, start, start + 20)
    queues: dict[object, deque] = {}
    for entry in journal.entries:
        queues.setdefault(entry.alert_id, deque()).append(entry)
    shuffled = []
    while queues:
        chosen = chance.choice(sorted(queues, key=str))
        shuffled.append(queues[chosen].popleft())
        if not queues[chosen]:
            del queues[chosen]
    journal.entries = shuffled
    made = measure(journal, start, start + 20, cuts=cuts)
    assert made == expected
    assert sum(made.rate.intervals) == made.annunciation_count
    assert 0 <= made.flood_ratio <= 1


def make_journal(steps):
    """Whatever six assets and their operators may do, at whole minutes."""
    journal, open_ids, began = HandMadeJournal(), {}, {}
    for asset, minute, deed in sorted(steps, key=lambda step: step[1]):
        name, alert_id = f"s{asset}", open_ids.get(asset)
        alert = journal.alerts.get(alert_id)
        if deed == "fire" and (alert is None or alert.ended_at is not None) and began.get(asset) != minute:
            began[asset] = minute
            open_ids[asset] = fire(journal, name, minute, severity=MINOR)
        elif alert is None or not alert.is_open:
            continue
        elif deed in ("raise", "lower", "end") and alert.ended_at is None:
            kind = ChangeType.RESOLVED if deed == "end" else ChangeType.SEVERITY
            severity = {"raise": CRITICAL, "lower": INFO}.get(deed, alert.severity)
            journal.say(decide(kind, minute, began=began[asset], asset_id=name, severity=severity))
        elif deed == "ack" and alert.operator in (OperatorState.UNACKNOWLEDGED, OperatorState.RETURNED_UNACKNOWLEDGED):
            journal.do(alert_id, ChangeType.ACKNOWLEDGED, minute)
        elif deed == "shelve" and alert.operator is OperatorState.SHELVED:
            journal.end_shelf(alert_id, minute)
        elif deed == "shelve":
            journal.do(alert_id, ChangeType.SHELVED, minute, until=at(minute + 5), reason="đang sửa")
        elif deed == "close":
            journal.do(alert_id, ChangeType.RESOLVED, minute, reason="xong")
    return journal
