"""Tests that stand beside the rules: given readings at given times, expected changes, run through the real engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from alerts.engine import Engine, Step
from alerts.rule import Rule
from alerts.rule_files import Fault, Table, parse_duration
from alerts.rulebook import Rulebook, RulebookError, read_rules
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType
from ioc.domain.events import Event, Signal
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS, AnyPayload

BEGIN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""09:00 in the province, unless a test says otherwise."""

_STEP = timedelta(seconds=10)
MOST_EVENTS = 20_000
LONGEST_TEST = timedelta(days=14)
"""What one test may play: the longest that comes with the program plays 272 events in 46 hours."""

_EVENTS, _SIGNALS = "events", "signals"
_ENVELOPE = frozenset({"at", "asset", "kind", "lon", "lat", "unit", "feed", "quality", "delay", "every", "until"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How one test ended; ``difference`` says what was expected and what came."""

    __test__ = False

    passed: bool
    rule_id: str
    name: str
    difference: str = ""


def check(paths: Iterable[Path]) -> list[Fault]:
    """Give every fault of rule files, those of their tests included."""
    rules, tests, faults = read_rules(paths)
    if not faults:
        for rule in rules:
            for table in tests[rule.rule_id]:
                _read_test(rule, table)
    return faults


def run_tests(paths: Iterable[Path], world: World) -> list[TestResult]:
    """Run every test beside the rules.

    Raises:
        RulebookError: the files have faults.
    """
    rules, tests, faults = read_rules(paths)
    if faults:
        raise RulebookError(faults)
    results = [_run(rule, table, world) for rule in rules for table in tests[rule.rule_id]]
    if faults:
        raise RulebookError(faults)
    return results


def run_tests_of(rule: Rule, tables: Sequence[Table], world: World) -> list[TestResult]:
    """Run the tests beside one rule; what is wrong with how they are written is noted in their tables.

    Together they play no more than a single test may.
    """
    tests = [_read_test(rule, table) for table in tables]
    played = sum((test.end_at - test.begin_at for test in tests), timedelta(0))
    if played > LONGEST_TEST or sum(len(test.events) for test in tests) > MOST_EVENTS:
        tables[0].fault(f"tests: together at most {MOST_EVENTS:,} readings in {LONGEST_TEST.days} days")
    if any(table.faults for table in tables):
        return []
    return [_judge(rule, test, world) for test in tests]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    name: str
    events: Sequence[Event]
    expected: Sequence[Mapping[str, Any]]
    begin_at: datetime
    end_at: datetime


def _run(rule: Rule, table: Table, world: World) -> TestResult:
    return _judge(rule, _read_test(rule, table), world)


def _judge(rule: Rule, test: _Test, world: World) -> TestResult:
    came = [_describe(change) for change in play(rule, test.events, test.end_at, world)]
    wanted = [_to_expected(item) for item in test.expected]
    matches = len(came) == len(wanted) and all(
        all(actual.get(key) == value for key, value in expected.items())
        for actual, expected in zip(came, wanted, strict=True)
    )
    difference = "" if matches else f"expected {_shorten(wanted)}, came {_shorten(came)}"
    return TestResult(passed=matches, rule_id=rule.rule_id, name=test.name, difference=difference)


def play(rule: Rule, events: Sequence[Event], end_at: datetime, world: World) -> list[AlertChange]:
    """Play events through an engine with one rule, with time passing between them as on a caught-up partition."""
    engine = Engine(Rulebook([rule]), world)
    changes: list[AlertChange] = []

    def settle(step: Step, now: datetime) -> None:
        changes.extend(step.changes)
        signals: Sequence[Signal] = sorted(step.signals, key=lambda signal: signal.event.received_at)
        beyond = engine.step(_SIGNALS, signals)
        changes.extend(beyond.changes)
        changes.extend(engine.advance(_SIGNALS, now).changes)

    clock = events[0].received_at if events else BEGIN
    for event in sorted(events, key=lambda item: item.received_at):
        while clock + _STEP < event.received_at:
            clock += _STEP
            settle(engine.advance(_EVENTS, clock), clock)
        clock = event.received_at
        settle(engine.step(_EVENTS, [event]), clock)
    while clock < end_at:
        clock += _STEP
        settle(engine.advance(_EVENTS, clock), clock)
    return [change for change in changes if change.type is not ChangeType.UPDATED]


def _read_test(rule: Rule, table: Table) -> _Test:
    name = table.text("name")
    begin = table.value("begin", BEGIN)
    if not isinstance(begin, datetime) or begin.tzinfo is None:
        table.fault("begin: must be an instant with an offset")
        begin = BEGIN
    lines = (event for given in table.tables("given") for event in _read_events(rule, given, begin))
    events = list(islice(lines, MOST_EVENTS + 1))
    expected = [_read_expected(item, begin) for item in table.tables("expect", optional=True)]
    wait = table.duration("then_wait", timedelta(0))
    table.finish()
    first_at = min((event.received_at for event in events), default=begin)
    end_at = max((event.received_at for event in events), default=begin) + wait
    if len(events) > MOST_EVENTS or end_at - first_at > LONGEST_TEST:
        table.fault(f"a test plays at most {MOST_EVENTS:,} readings in {LONGEST_TEST.days} days")
        events, end_at = [], first_at
    return _Test(name=name, events=events, expected=expected, begin_at=first_at, end_at=end_at)


def _read_events(rule: Rule, table: Table, begin: datetime) -> Iterator[Event]:
    """Give the readings of one line: one, or one every so often until an instant."""
    kind_name = table.text("kind", rule.condition.kinds[0].KIND)
    if kind_name not in KINDS:
        table.fault(f"no kind {kind_name!r}; there are {', '.join(KINDS)}")
        return
    at, every = table.duration("at", timedelta(0)), table.duration("every", timedelta(0))
    until, delay = table.duration("until", at), table.duration("delay", timedelta(0))
    asset_id = table.text("asset")
    fields: dict[str, Any] = {}
    for key in table.names:
        if key not in _ENVELOPE:
            fields[key] = _to_field(table.value(key), begin)
    envelope = {key: table.value(key, None) for key in ("lon", "lat", "unit", "feed", "quality")}
    table.finish()
    try:
        payload = msgspec.convert([kind_name, *_in_order(kind_name, fields)], AnyPayload)
    except (msgspec.ValidationError, KeyError) as error:
        table.fault(f"not a {kind_name}: {error}")
        return
    while at <= until:
        observed_at = begin + at
        yield Event(
            event_id=event_id("test", asset_id, observed_at, kind_name),
            feed_id=envelope["feed"] or "test",
            asset_id=asset_id,
            observed_at=observed_at,
            received_at=observed_at + delay,
            data=payload,
            lon_deg=envelope["lon"],
            lat_deg=envelope["lat"],
            unit_code=envelope["unit"],
            quality=envelope["quality"] or 0,
        )
        if every <= timedelta(0):
            return
        at += every


def _in_order(kind_name: str, fields: Mapping[str, Any]) -> list[Any]:
    kind = KINDS[kind_name]
    if unknown := set(fields) - {item.name for item in kind.fields}:
        raise KeyError(
            f"no field {', '.join(sorted(unknown))}; there are {', '.join(item.name for item in kind.fields)}"
        )
    defaults = dict(zip(kind.payload.__struct_fields__[::-1], kind.payload.__struct_defaults__[::-1], strict=False))
    values = []
    for item in kind.fields:
        if item.name not in fields and item.name not in defaults:
            raise KeyError(f"{item.name} is missing")
        value = fields.get(item.name, defaults.get(item.name))
        values.append(float(value) if item.type is float and isinstance(value, int) else value)
    return values


def _to_field(value: Any, begin: datetime) -> Any:
    """Read ``+2h`` as an instant from the test's beginning; other values as they are."""
    if isinstance(value, str) and value.startswith("+") and (offset := parse_duration(value[1:])) is not None:
        return begin + offset
    return value


def _read_expected(table: Table, begin: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"type": table.text("type")}
    if found["type"] not in [kind.value for kind in ChangeType]:
        table.fault(f"type: one of {', '.join(ChangeType)}")
    if table.has("at"):
        found["at"] = begin + table.duration("at")
    for key in ("severity", "asset", "unit", "zone", "reason", "title", "shadow", "blackout"):
        if table.has(key):
            found[key] = table.value(key)
    table.finish()
    return found


def _to_expected(item: Mapping[str, Any]) -> dict[str, Any]:
    return dict(item)


def _describe(change: AlertChange) -> dict[str, Any]:
    return {
        "type": change.type.value,
        "at": change.decided_at,
        "severity": change.severity.value,
        "asset": change.asset_id,
        "unit": change.unit_code,
        "zone": change.zone_id,
        "reason": change.reason.value if change.reason else None,
        "title": change.title_vi,
        "shadow": change.shadow,
        "blackout": any(name == "blackout" for name, _ in change.labels),
    }


def _shorten(items: Sequence[Mapping[str, Any]]) -> str:
    def one(item: Mapping[str, Any]) -> str:
        at = item.get("at")
        when = f" at {at - BEGIN}" if isinstance(at, datetime) else ""
        rest = " ".join(str(item[key]) for key in ("severity", "asset", "unit", "reason") if item.get(key))
        return f"{item['type']}{when} {rest}".strip()

    return "; ".join(map(one, items)) or "nothing"
