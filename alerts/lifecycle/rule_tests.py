"""Tests that stand beside the rules: given readings at given times, expected changes, run through the real engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from alerts.conditions.zone import InZone
from alerts.engine.stepping import Engine, Step
from alerts.language.files import Fault, Table, parse_duration
from alerts.language.rule import Rule
from alerts.memory.partition import RuleFault
from alerts.rulebook.book import Rulebook, RulebookError, read_rules
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType
from ioc.domain.events import Event, Signal
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS, AnyPayload
from ioc.domain.quantities import Quality

BEGIN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""09:00 in the province, unless a test says otherwise."""

_STEP = timedelta(seconds=10)
_LONG, _LONG_STEP = timedelta(days=2), timedelta(seconds=60)
"""A test that takes weeks goes in longer steps; timers fire at their instant in either."""
MOST_EVENTS = 20_000
LONGEST_TEST = timedelta(days=60)
MOST_EVENTS_TOGETHER = 60_000
LONGEST_TOGETHER = timedelta(days=200)
"""What all tests beside one rule may play; five that look back over four weeks take 150 days."""

_EVENTS, _SIGNALS = "events", "signals"
_PLACED = ("lon", "lat", "unit", "feed", "quality")
_TIMED = ("at", "every", "until", "delay", "again", "times")
_ENVELOPE = frozenset({"asset", "kind", *_PLACED, *_TIMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How one test ended; ``difference`` says what was expected and what came."""

    __test__ = False

    passed: bool
    rule_id: str
    name: str
    difference: str = ""
    file: str = ""
    line: int = 0


def check(paths: Iterable[Path], world: World | None = None) -> list[Fault]:
    """Give every fault of rule files, those of their tests included, file by file from the top.

    What a test gives is checked against the kinds of its rule, so not while these are in doubt. With a world, its zones
    are those that a rule may name.
    """
    return count_and_check(paths, world)[1]


def count_and_check(paths: Iterable[Path], world: World | None = None) -> tuple[int, list[Fault]]:
    """Give how many rules were read, and every fault as ``check`` does."""
    rules, tests, faults = read_rules(paths)
    sound = [rule for rule in rules if not _has_fault(rule, rules, faults)]
    for rule in rules:
        for table in tests.get(rule.rule_id, ()):
            _read_test(rule, table, is_sound=rule in sound)
        if world is not None:
            faults += find_unknown_places(rule, world)
    return len(rules), sorted(dict.fromkeys(faults), key=lambda fault: (fault.file, fault.line))


def find_unknown_places(rule: Rule, world: World) -> list[Fault]:
    """Give a fault for each zone that a rule names and a world does not have, at the line where the rule begins."""
    if not isinstance(rule.condition, InZone):
        return []
    return [Fault(file=rule.file, line=rule.line, what=what) for what in rule.condition.find_unknown(world)]


def _has_fault(rule: Rule, rules: Sequence[Rule], faults: Sequence[Fault]) -> bool:
    end = min((other.line for other in rules if other.file == rule.file and other.line > rule.line), default=None)
    lines = [fault.line for fault in faults if fault.file == rule.file]
    return any(rule.line <= line and (end is None or line < end) for line in lines)


def run_tests(paths: Iterable[Path], world: World) -> list[TestResult]:
    """Run every test beside the rules.

    Raises:
        RulebookError: the files have faults.
    """
    tests = find_tests(paths)
    return [test.run(world) for test in tests]


def find_tests(paths: Iterable[Path]) -> list[RuleTest]:
    """Give every test beside the rules, read and ready to run.

    Raises:
        RulebookError: the files have faults.
    """
    rules, tests, faults = read_rules(paths)
    found = [_read_test(rule, table) for rule in rules for table in tests.get(rule.rule_id, ())]
    if faults:
        raise RulebookError(faults)
    return found


def run_tests_of(rule: Rule, tables: Sequence[Table], world: World) -> list[TestResult]:
    """Run the tests beside one rule; what is wrong with how they are written is noted in their tables.

    Together they play a bounded time and number of readings.
    """
    tests = [_read_test(rule, table) for table in tables]
    played = sum((test.end_at - test.begin_at for test in tests), timedelta(0))
    if played > LONGEST_TOGETHER or sum(len(test.events) for test in tests) > MOST_EVENTS_TOGETHER:
        tables[0].fault(f"tests: together at most {MOST_EVENTS_TOGETHER} readings in {LONGEST_TOGETHER.days} days")
    if any(table.faults for table in tables):
        return []
    return [test.run(world) for test in tests]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One test: a rule, what it is given, and what it should say."""

    rule: Rule
    name: str
    file: str
    line: int
    begin: datetime
    events: Sequence[Event]
    expected: Sequence[Mapping[str, Any]]
    begin_at: datetime
    end_at: datetime

    def run(self, world: World) -> TestResult:
        """Play what is given and compare. A rule that trips fails, whatever it said besides."""
        played = play(self.rule, self.events, self.end_at, world)
        came = [_describe(change) for change in played.changes]
        matches = len(came) == len(self.expected) and all(
            all(actual.get(key) == value for key, value in expected.items())
            for actual, expected in zip(came, self.expected, strict=True)
        )
        lines = [f"expected {_shorten(self.expected, self.begin)}", f"came     {_shorten(came, self.begin)}"]
        difference = ([] if matches else lines) + _tell_trips(played.faults, self.begin)
        return TestResult(
            passed=not difference,
            rule_id=self.rule.rule_id,
            name=self.name,
            difference="\n".join(difference),
            file=self.file,
            line=self.line,
        )


class Played(NamedTuple):
    """What a rule said of the events that were played to it, but for mere updates, and what it tripped on."""

    changes: Sequence[AlertChange]
    faults: Sequence[RuleFault]


def play(rule: Rule, events: Sequence[Event], end_at: datetime, world: World) -> Played:
    """Play events through an engine with one rule, with time passing between them as on a caught-up partition."""
    engine = Engine(Rulebook([rule]), world)
    changes: list[AlertChange] = []
    faults: list[RuleFault] = []

    def settle(step: Step, now: datetime) -> None:
        signals: Sequence[Signal] = sorted(step.signals, key=lambda signal: signal.event.received_at)
        for made in (step, engine.step(_SIGNALS, signals), engine.advance(_SIGNALS, now)):
            changes.extend(made.changes)
            faults.extend(made.rule_errors)

    in_order = sorted(events, key=lambda item: item.received_at)
    clock = in_order[0].received_at if in_order else BEGIN
    step = _STEP if end_at - clock <= _LONG else _LONG_STEP
    for event in in_order:
        while clock + step < event.received_at:
            clock += step
            settle(engine.advance(_EVENTS, clock), clock)
        clock = event.received_at
        settle(engine.step(_EVENTS, [event]), clock)
    while clock < end_at:
        clock += step
        settle(engine.advance(_EVENTS, clock), clock)
    return Played([change for change in changes if change.type is not ChangeType.UPDATED], faults)


def _read_test(rule: Rule, table: Table, *, is_sound: bool = True) -> RuleTest:
    name = table.text("name")
    begin = table.value("begin", BEGIN)
    if not isinstance(begin, datetime) or begin.tzinfo is None:
        table.fault("begin: must be an instant with an offset")
        begin = BEGIN
    given = table.tables("given")
    lines = (event for line in (given if is_sound else ()) for event in _read_events(rule, line, begin))
    events = list(islice(lines, MOST_EVENTS + 1))
    expected = [_read_expected(item, begin) for item in table.tables("expect", optional=True)]
    wait = table.duration("then_wait", timedelta(0))
    table.finish()
    first_at = min((begin, *(event.received_at for event in events)))
    end_at = max((event.received_at for event in events), default=begin) + wait
    if end_at - first_at > LONGEST_TEST or len(events) > MOST_EVENTS:
        table.fault(f"a test takes {LONGEST_TEST.days} days and {MOST_EVENTS} readings at most")
        events, end_at = [], first_at
    return RuleTest(
        rule=rule,
        name=name,
        file=table.file,
        line=table.line,
        begin=begin,
        events=events,
        expected=expected,
        begin_at=first_at,
        end_at=end_at,
    )


def _read_events(rule: Rule, table: Table, begin: datetime) -> Iterator[Event]:
    """Give the readings of one line: one, or one every so often until an instant, the whole line several times."""
    kind_name = table.text("kind", rule.condition.kinds[0].KIND)
    if kind_name not in KINDS:
        table.fault(f"no kind {kind_name!r}; there are {', '.join(KINDS)}")
        return
    at, every = table.duration("at", timedelta(0)), table.duration("every", timedelta(0))
    if table.has("every") and every <= timedelta(0):
        table.fault("every: longer than nothing", table.node_of("every"))
        return
    until, delay = table.duration("until", at), table.duration("delay", timedelta(0))
    again, times = table.duration("again", timedelta(0)), table.whole("times", 1, least=1, most=1_000)
    asset = table.text("asset")
    fields: dict[str, Any] = {}
    for key in table.names:
        if key not in _ENVELOPE:
            fields[key] = _to_field(table.value(key), begin)
    place = {f"{key}_deg": table.number(key) for key in ("lon", "lat") if table.has(key)}
    unit_code, feed_id = table.text("unit", ""), table.text("feed", "test")
    quality = table.whole("quality", 0, least=0, most=len(Quality) - 1)
    table.finish()
    try:
        payload = msgspec.convert([kind_name, *_in_order(kind_name, fields)], AnyPayload)
    except (msgspec.ValidationError, KeyError) as error:
        table.fault(f"not a {kind_name}: {error}")
        return
    a_line = 1 if every <= timedelta(0) else max(0, (until - at) // every + 1)
    if a_line * times > MOST_EVENTS:
        table.fault(f"a line gives {MOST_EVENTS} readings at most")
        return
    for number in range(a_line * times):
        observed_at = begin + at + number // a_line * again + number % a_line * every
        asset_id = asset.replace("{n}", str(number))
        yield Event(
            event_id=event_id("test", asset_id, observed_at, kind_name),
            feed_id=feed_id,
            asset_id=asset_id,
            observed_at=observed_at,
            received_at=observed_at + delay,
            data=payload,
            unit_code=unit_code or None,
            quality=quality,
            **place,
        )


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


def _shorten(items: Sequence[Mapping[str, Any]], begin: datetime) -> str:
    """Write changes in one line, with times from the beginning on, as the test has them."""

    def one(item: Mapping[str, Any]) -> str:
        at = item.get("at")
        when = f" at {_since(begin, at)}" if isinstance(at, datetime) else ""
        rest = " ".join(str(item[key]) for key in ("severity", "asset", "unit", "reason", "title") if item.get(key))
        return f"{item['type']}{when} {rest}".strip()

    return "; ".join(map(one, items)) or "nothing"


def _tell_trips(faults: Sequence[RuleFault], begin: datetime) -> list[str]:
    """Say what a rule tripped on first, and how often it tripped, in a line of its own; none where it never did."""
    if not faults:
        return []
    first = faults[0]
    times = "" if len(faults) == 1 else f" (and {len(faults) - 1} times more)"
    return [f"tripped  at {_since(begin, first.at)} on {first.asset_id}: {first.reason}{times}"]


def _since(begin: datetime, at: datetime) -> str:
    return f"{(at - begin) / timedelta(minutes=1):g}m"
