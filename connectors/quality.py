"""How far a feed's values are believed: the table ``quality.yaml`` of each feed, and the judging of its events.

A value that no instrument can give is refused in ``parse``. One that an instrument can give and this province hardly
ever has stays, and its event becomes uncertain. How long a value may stand still and how far it may jump is kept here
for the rules about stuck and leaping sensors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib import resources
from operator import attrgetter
from typing import Any

import msgspec
import yaml

from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality, Quantity
from ioc.errors import ConfigurationError

# What libyaml reads, it reads ten times faster than Python.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DURATION = re.compile(r"([1-9]\d{0,5}) (s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_KEYS = ("suspect", "stuck_after", "spike", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """When a quantity's value is doubted.

    Outside ``suspect_low`` … ``suspect_high`` (inclusive, in the quantity's unit) an event is uncertain; a value that
    stands still for ``stuck_after``, or leaps by ``spike`` or more from one reading to the next, is for rules to judge.
    """

    suspect_low: float
    suspect_high: float
    stuck_after: timedelta | None
    spike: float | None
    why: str


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The bounds of a kind's quantities in one order, ready for judging."""

    values: Callable[[Payload], tuple[Any, ...]]
    bounds: tuple[tuple[float, float], ...]

    def holds(self, payload: Payload) -> bool:
        for value, (low, high) in zip(self.values(payload), self.bounds, strict=True):
            if value is not None and not low <= value <= high:
                return False
        return True


@dataclass(frozen=True, slots=True)
class QualityTable:
    """A feed's doubts by kind and quantity."""

    kinds: Mapping[str, Mapping[str, Doubts]] = field(default_factory=dict)
    _bounds: Mapping[type[Payload], _Bounds] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "_bounds",
            {
                KINDS[kind].payload: _Bounds(
                    _reader(tuple(doubts)), tuple((doubt.suspect_low, doubt.suspect_high) for doubt in doubts.values())
                )
                for kind, doubts in self.kinds.items()
                if doubts
            },
        )

    def judge(self, events: list[Event]) -> None:
        """Make those events of a batch uncertain whose values are hardly ever true; worse ones stay as they are."""
        found = self._bounds
        for place, event in enumerate(events):
            data = event.data
            bounds = found.get(data.__class__)
            if bounds is not None and not bounds.holds(data) and event.quality < Quality.UNCERTAIN:
                events[place] = msgspec.structs.replace(event, quality=Quality.UNCERTAIN)


@cache
def load_quality(feed_id: str, kinds: tuple[str, ...]) -> QualityTable:
    """Read the shipped table of a feed, which must have every quantity of its kinds.

    Raises:
        ConfigurationError: there is none and there are quantities, or it has faults, each with its line.
    """
    where = f"{feed_id}/quality.yaml"
    file = resources.files("connectors").joinpath("feeds", feed_id, "quality.yaml")
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{where}: cannot be read: {error}"]) from error
    return read_quality(text, where, kinds)


def read_quality(text: str, where: str, kinds: Iterable[str]) -> QualityTable:
    """Read a table's text; every quantity of ``kinds`` must have its entry.

    Raises:
        ConfigurationError: it has faults; each begins with ``where`` and its line.
    """
    return _Reader(where).read(text, tuple(kinds))


class _Reader:
    """Reads one file and gathers all its faults."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._faults: list[str] = []

    def read(self, text: str, kinds: tuple[str, ...]) -> QualityTable:
        try:
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = 1 if error.problem_mark is None else error.problem_mark.line + 1
            raise ConfigurationError([f"{self._where}:{line}: {error.problem}"]) from error
        except yaml.YAMLError as error:
            raise ConfigurationError([f"{self._where}:1: {error}"]) from error
        tables = self._read_mapping(root, "the file", ("kinds",)).get("kinds")
        found = {} if tables is None else self._read_mapping(tables, "kinds", kinds)
        read = {kind: self._read_kind(kind, found.get(kind)) for kind in kinds}
        if self._faults:
            raise ConfigurationError(self._faults)
        return QualityTable(read)

    def _read_kind(self, kind: str, node: yaml.Node | None) -> dict[str, Doubts]:
        quantities = KINDS[kind].quantities
        entries = {} if node is None else self._read_mapping(node, kind, tuple(quantities))
        missing = [name for name in quantities if name not in entries]
        if missing:
            self._fault(node, f"{kind}: needs {', '.join(missing)}")
        return {name: self._read_doubts(f"{kind} {name}", node, quantities[name]) for name, node in entries.items()}

    def _read_doubts(self, what: str, node: yaml.Node, quantity: Quantity) -> Doubts:
        entries = self._read_mapping(node, what, _KEYS)
        for key in _KEYS:
            if key not in entries:
                self._fault(node, f"{what}: needs {key}")
        low, high = self._read_bounds(what, entries.get("suspect"), quantity)
        return Doubts(
            suspect_low=low,
            suspect_high=high,
            stuck_after=self._read_duration(what, entries.get("stuck_after")),
            spike=self._read_spike(what, entries.get("spike")),
            why=self._read_why(what, entries.get("why")),
        )

    def _read_bounds(self, what: str, node: yaml.Node | None, quantity: Quantity) -> tuple[float, float]:
        value = self._value(node)
        if node is not None:
            if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
                self._fault(node, f"{what}: suspect must be two numbers")
            elif not quantity.low <= value[0] < value[1] <= quantity.high:
                span = f"{quantity.low:g}…{quantity.high:g} {quantity.unit}"
                self._fault(node, f"{what}: suspect must rise and lie within {span}, the instrument's range")
            else:
                return float(value[0]), float(value[1])
        return -math.inf, math.inf

    def _read_duration(self, what: str, node: yaml.Node | None) -> timedelta | None:
        value = self._value(node)
        if value is None:
            return None
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self._fault(node, f'{what}: stuck_after must be null or a time such as "6 h"')
            return None
        return timedelta(**{_UNITS[found[2]]: int(found[1])})

    def _read_spike(self, what: str, node: yaml.Node | None) -> float | None:
        value = self._value(node)
        if value is None:
            return None
        if not _is_number(value) or value <= 0:
            self._fault(node, f"{what}: spike must be null or a number above 0")
            return None
        return float(value)

    def _read_why(self, what: str, node: yaml.Node | None) -> str:
        value = self._value(node)
        if node is not None and (not isinstance(value, str) or not value.strip()):
            self._fault(node, f"{what}: why must be a text")
        return str(value)

    def _read_mapping(self, node: yaml.Node | None, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            # A feed without quantities needs no file and no table.
            if node is not None:
                self._fault(node, f"{what}: must be a mapping")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                self._fault(key, f"{what}: {name!r} is there twice")
            elif name not in known:
                self._fault(key, f"{what}: unknown {name!r}; it has {', '.join(known)}")
            else:
                found[name] = value
        return found

    def _value(self, node: yaml.Node | None) -> Any:
        if node is None:
            return None
        try:
            return yaml.SafeLoader("").construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self._fault(node, str(error))
            return None

    def _fault(self, node: yaml.Node | None, reason: str) -> None:
        line = 1 if node is None else node.start_mark.line + 1
        self._faults.append(f"{self._where}:{line}: {reason}")


def _reader(names: tuple[str, ...]) -> Callable[[Payload], tuple[Any, ...]]:
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda payload: (read(payload),)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
