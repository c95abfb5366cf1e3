"""Asking why one rule, written out or shipped, told nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from alerts.inquiry.asking import Answer, Inquiry, Question, Reason
from alerts.inquiry.findings import answer
from alerts.language.rule import Rule
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
SHIPPED = {rule.rule_id: rule for rule in Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))]).rules}
_TEXTS = """
title: {vi: "a {asset}", en: "a {asset}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def read_rule(folder: Path, text: str) -> Rule:
    path = folder / "rule.yaml"
    path.write_text(text.strip() + _TEXTS, encoding="utf-8")
    [rule] = Rulebook.load([path]).rules
    return rule


class Asker:
    """Asks why one rule told nobody in an hour."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(
        self,
        rule: str,
        events: Iterable[Event],
        *,
        asset_id: str | None,
        until: float = 60.0,
        sends: Iterable[str] = (),
    ) -> Answer:
        found = SHIPPED.get(rule) or read_rule(self._folder, rule)
        question = Question(
            rule_id=found.rule_id, asset_id=asset_id, start=START, end=at(until), asset_kinds=frozenset(sends)
        )  # fmt: skip
        inquiry = Inquiry(found, question, WORLD)
        inquiry.take(sorted(events, key=lambda event: event.received_at))
        inquiry.finish()
        return answer(inquiry)


def leading(found: Answer) -> tuple[Reason, bool]:
    return found.findings[0].reason, found.findings[0].is_decisive


def facts_of(found: Answer, reason: Reason) -> Mapping[str, Any]:
    return next(item.facts for item in found.findings if item.reason is reason)
