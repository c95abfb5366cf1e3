"""Scenarios: what happens when, as data. An effect grows in over ``ramp``, holds, and fades out again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ioc.errors import ConfigurationError
from simulators.effects import EFFECTS

_NEEDS_FIELD = ("spike", "drift", "null", "zero")
_TIMES = ("at", "lasts", "ramp")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Effect:
    """Something that happens: from ``at`` (since the beginning) on, for ``lasts``, growing and fading over ``ramp``."""

    name: str
    at: timedelta
    lasts: timedelta
    ramp: timedelta
    facts: Mapping[str, Any] = field(default_factory=dict)

    def strength(self, since: timedelta) -> float:
        """Give 0 where it does not act, 1 in full, between them while it grows or fades."""
        passed, left = since - self.at, self.at + self.lasts - since
        if passed < timedelta(0) or left <= timedelta(0):
            return 0.0
        if not self.ramp:
            return 1.0
        return min(1.0, passed / self.ramp, left / self.ramp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, and on what day: ``busy`` times the usual traffic, from an hour of its own or the clock's."""

    name: str
    title_vi: str
    title_en: str
    effects: Sequence[Effect] = ()
    busy: float = 1.0
    begins_at_h: float | None = None

    def acting(self, name: str, since: timedelta) -> list[tuple[Effect, float]]:
        """Give the effects of a name that act, with their strength."""
        found = [(effect, effect.strength(since)) for effect in self.effects if effect.name == name]
        return [(effect, strength) for effect, strength in found if strength > 0]


def list_scenarios() -> list[str]:
    """Name the scenarios that the product ships."""
    folder = resources.files("simulators").joinpath("scenarios")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_scenario(name: str) -> Scenario:
    """Read a shipped scenario by name, or a file of one's own by path.

    Raises:
        ConfigurationError: there is none, or it has faults; each is named with its line.
    """
    own = Path(name)
    shipped = resources.files("simulators").joinpath("scenarios", f"{name}.yaml")
    try:
        if own.suffix == ".yaml":
            return read_scenario(own.read_text(encoding="utf-8"), name)
        if name in list_scenarios():
            return read_scenario(shipped.read_text(encoding="utf-8"), f"{name}.yaml")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{name}: cannot be read: {error}"]) from error
    raise ConfigurationError([f"no scenario {name!r}; there are {', '.join(list_scenarios())}, or give a .yaml file"])


def read_scenario(text: str, where: str) -> Scenario:
    """Read a scenario's text.

    Raises:
        ConfigurationError: it has faults; each begins with ``where`` and its line.
    """
    return _Reader(where).read(text)


class _Reader:
    """Reads one file and gathers all its faults."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._faults: list[str] = []

    def read(self, text: str) -> Scenario:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            found = None if root is None else loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            line = 1 if error.problem_mark is None else error.problem_mark.line + 1
            raise ConfigurationError([f"{self._where}:{line}: {error.problem}"]) from error
        except yaml.YAMLError as error:
            raise ConfigurationError([f"{self._where}:1: {error}"]) from error
        if not isinstance(root, yaml.MappingNode) or not isinstance(found, dict):
            raise ConfigurationError([f"{self._where}:1: must be a mapping with title and effects"])
        nodes = {key.value: (key.start_mark.line + 1, value) for key, value in root.value}
        for key in set(nodes) - {"title", "effects", "busy", "begins_at"}:
            self._fault(nodes[key][0], f"unknown key {key!r}; there are title, effects, busy and begins_at")
        title = found.get("title")
        if not isinstance(title, dict) or not {"vi", "en"} <= set(title):
            self._fault(nodes.get("title", (1, None))[0], "title needs vi and en")
            title = {}
        effects = self._read_effects(found.get("effects", []), nodes.get("effects"))
        busy = self._read_number(found.get("busy", 1.0), nodes.get("busy", (1, None))[0], "busy", low=0.0)
        begins_at_h = self._read_hour(found.get("begins_at"), nodes.get("begins_at", (1, None))[0])
        if self._faults:
            raise ConfigurationError(self._faults)
        return Scenario(
            name=Path(self._where).stem, title_vi=str(title["vi"]), title_en=str(title["en"]), effects=tuple(effects),
            busy=busy, begins_at_h=begins_at_h,
        )  # fmt: skip

    def _read_effects(self, items: Any, at: tuple[int, Any] | None) -> list[Effect]:
        if at is None or items is None:
            return []
        line, node = at
        if not isinstance(items, list) or not isinstance(node, yaml.SequenceNode):
            self._fault(line, "effects must be a list")
            return []
        read = [
            self._read_effect(item, child.start_mark.line + 1) for item, child in zip(items, node.value, strict=True)
        ]
        return [effect for effect in read if effect is not None]

    def _read_effect(self, item: Any, line: int) -> Effect | None:
        name = item.get("effect") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in EFFECTS:
            self._fault(line, f"effect must be one of {', '.join(EFFECTS)}")
            return None
        faults_count = len(self._faults)
        at, lasts, ramp = (
            timedelta(minutes=self._read_number(item.get(key, default), line, key, low=0.0))
            for key, default in zip(_TIMES, (0, 60, 0), strict=True)
        )
        facts = {key: value for key, value in item.items() if key not in ("effect", *_TIMES)}
        known = EFFECTS[name]
        for key in facts:
            if key not in known:
                self._fault(line, f"{name}: unknown {key!r}; it takes {', '.join(known)}")
            elif reason := known[key].refuse(facts[key]):
                self._fault(line, f"{name}: {key}: {reason}")
        for key, fact in known.items():
            if fact.is_needed and key not in facts:
                self._fault(line, f"{name}: needs {key}")
        if name == "wire.fault":
            self._check_fault(facts, line)
        if name == "vessels.silent" and "vessels" not in facts and not {"area", "count"} <= set(facts):
            self._fault(line, "vessels.silent: needs vessels, or area and count")
        if name == "network.down" and not {"units", "share"} & set(facts):
            self._fault(line, "network.down: needs units or share")
        if len(self._faults) > faults_count:
            return None
        return Effect(name=name, at=at, lasts=lasts, ramp=ramp, facts=facts)

    def _check_fault(self, facts: Mapping[str, Any], line: int) -> None:
        kind = facts.get("kind")
        if kind in _NEEDS_FIELD and facts.get("feed") == "vessels":
            self._fault(line, f"wire.fault: {kind} has no field to act on in AIS sentences")
        elif kind in _NEEDS_FIELD and "field" not in facts:
            self._fault(line, f"wire.fault: {kind} needs field")
        if kind in ("clock_skew", "spike", "drift") and "by" not in facts:
            self._fault(line, f"wire.fault: {kind} needs by (seconds, times, or units an hour)")

    def _read_number(self, value: Any, line: int, key: str, *, low: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < low:
            self._fault(line, f"{key} must be a number, {low:g} or more" + (" (minutes)" if key in _TIMES else ""))
            return 0.0
        return float(value)

    def _read_hour(self, value: Any, line: int) -> float | None:
        if value is None:
            return None
        hours, _, minutes = str(value).partition(":")
        if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
            self._fault(line, 'begins_at must be a time of day such as "09:00"')
            return None
        return int(hours) + int(minutes) / 60

    def _fault(self, line: int, reason: str) -> None:
        self._faults.append(f"{self._where}:{line}: {reason}")
