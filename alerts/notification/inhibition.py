"""Inhibition: one alert that explains another keeps it quiet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from alerts.notification.labels import Labels
from alerts.notification.matchers import Matchers


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """While ``source`` holds, ``target`` with the same values of ``equal`` is not told (missing equals empty).

    Alerts that match both sides do not keep each other quiet, nor themselves.
    """

    inhibition_id: str
    source: Matchers
    target: Matchers
    equal: tuple[str, ...]


class Inhibitors:
    """The alerts that hold now, looked up by what they may keep quiet.

    Args:
        inhibitions: as the policy has them.
        firing: every alert that holds, with its labels.
    """

    def __init__(self, inhibitions: Sequence[Inhibition], firing: Iterable[tuple[UUID, Labels]]) -> None:
        self._inhibitions = inhibitions
        self._sources: dict[tuple[int, tuple[str, ...], bool], UUID] = {}
        for alert_id, labels in firing:
            for place, inhibition in enumerate(inhibitions):
                if inhibition.source.matches(labels):
                    is_two_sided = inhibition.target.matches(labels)
                    self._sources.setdefault((place, _values(labels, inhibition.equal), is_two_sided), alert_id)

    def find(self, labels: Labels) -> tuple[Inhibition, UUID] | None:
        """Give what keeps an alert with these labels quiet, if anything does."""
        for place, inhibition in enumerate(self._inhibitions):
            if not inhibition.target.matches(labels):
                continue
            values = _values(labels, inhibition.equal)
            source = self._sources.get((place, values, False))
            if source is None and not inhibition.source.matches(labels):
                source = self._sources.get((place, values, True))
            if source is not None:
                return inhibition, source
        return None


def source_rules(inhibitions: Iterable[Inhibition]) -> list[str] | None:
    """Give the rules whose alerts may keep others quiet; None where an inhibition does not name its rule."""
    found: list[str] = []
    for inhibition in inhibitions:
        named = [item.value for item in inhibition.source.items if (item.name, item.operator) == ("rule", "=")]
        if not named:
            return None
        found += named
    return found


def _values(labels: Labels, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in names)
