"""Scenarios: what happens when, as data. An effect grows in over ``ramp``, holds, and fades out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ioc.errors import ConfigurationError

EFFECTS: Mapping[str, frozenset[str]] = {
    "air.episode": frozenset({"station", "add_ug_m3"}),
    "air.silent": frozenset({"station"}),
    "weather.wind": frozenset({"stations", "wind_m_s", "gust_m_s", "rain_mm"}),
    "weather.warning": frozenset({"id", "hazard", "severity", "areas", "lasts_minutes", "headline_vi", "headline_en"}),
    "vessels.silent": frozenset({"vessels"}),
    "vessels.seek_shelter": frozenset({"share"}),
    "tourism.crowd": frozenset({"site", "density_p_m2"}),
    "border.queue": frozenset({"gate", "vehicles", "perishable_min"}),
}
"""Every effect with what it needs to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """A beginning (or now) and its effects."""

    name: str
    title_vi: str
    title_en: str
    effects: Sequence[Effect] = ()
    busy: float = 1.0

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
        ConfigurationError: there is none, or it has faults; each is named.
    """
    own = Path(name)
    shipped = resources.files("simulators").joinpath("scenarios", f"{name}.yaml")
    try:
        if own.suffix == ".yaml":
            text = own.read_text(encoding="utf-8")
        elif name in list_scenarios():
            text = shipped.read_text(encoding="utf-8")
        else:
            raise ConfigurationError(
                [f"no scenario {name!r}; there are {', '.join(list_scenarios())}, or give a .yaml file"]
            )
        found = yaml.safe_load(text)
    except OSError as error:
        raise ConfigurationError([f"{name}: {error.strerror}"]) from error
    except yaml.YAMLError as error:
        raise ConfigurationError([f"{name}: {error}"]) from error
    return _read(name, found)


def _read(name: str, found: Any) -> Scenario:
    if not isinstance(found, dict):
        raise ConfigurationError([f"{name}: must be a mapping"])
    faults: list[str] = []
    effects = [effect for item in found.get("effects", []) if (effect := _read_effect(name, item, faults)) is not None]
    title = found.get("title", {})
    if not isinstance(title, dict) or not {"vi", "en"} <= set(title):
        faults.append(f"{name}: title needs vi and en")
        title = {"vi": "", "en": ""}
    if unknown := set(found) - {"title", "effects", "busy"}:
        faults.append(f"{name}: unknown keys {', '.join(sorted(unknown))}")
    if faults:
        raise ConfigurationError(faults)
    return Scenario(
        name=Path(name).stem, title_vi=title["vi"], title_en=title["en"], effects=tuple(effects),
        busy=float(found.get("busy", 1.0)),
    )  # fmt: skip


def _read_effect(name: str, item: Any, faults: list[str]) -> Effect | None:
    if not isinstance(item, dict) or item.get("effect") not in EFFECTS:
        faults.append(f"{name}: {item!r}: effect must be one of {', '.join(EFFECTS)}")
        return None
    kind = item["effect"]
    facts = {key: value for key, value in item.items() if key not in ("effect", "at", "lasts", "ramp")}
    if unknown := set(facts) - EFFECTS[kind]:
        faults.append(
            f"{name}: {kind}: unknown {', '.join(sorted(unknown))}; it takes {', '.join(sorted(EFFECTS[kind]))}"
        )
    try:
        return Effect(
            name=kind, at=_minutes(item.get("at", 0)), lasts=_minutes(item.get("lasts", 60)),
            ramp=_minutes(item.get("ramp", 0)), facts=facts,
        )  # fmt: skip
    except (TypeError, ValueError):
        faults.append(f"{name}: {kind}: at, lasts and ramp are minutes")
        return None


def _minutes(value: float) -> timedelta:
    return timedelta(minutes=float(value))
