"""Which rules a reading came too late for: it is stored, enters windows, and notifies nobody (false-alarm trap 4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from alerts.language.rule import Rule


class LatenessMarks:
    """The bounds of some rules by kind of event, those that are passed first in front."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        bounds: dict[str, list[tuple[timedelta, str]]] = {}
        for rule in rules:
            for kind in rule.condition.kinds:
                bounds.setdefault(kind.KIND, []).append((rule.lateness, rule.rule_id))
        self._bounds = {kind: sorted(found) for kind, found in bounds.items()}

    def late_for(self, kind: str, delay: timedelta) -> list[str]:
        """Give the rules about a kind that do not judge a reading any more which came with so much delay, by name."""
        late = []
        for bound, rule_id in self._bounds.get(kind, ()):
            if delay <= bound:
                break
            late.append(rule_id)
        return sorted(late)
