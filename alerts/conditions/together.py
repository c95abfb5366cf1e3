"""What alerts about several things that fell silent together share: their texts, beginnings and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.announcement import FACT_NAMES
from alerts.language.files import Table
from alerts.language.rule import Rule, Texts
from alerts.language.templates import check_template
from ioc.domain.events import Event

MOST_INPUTS = 100


def read_texts(table: Table, facts: frozenset[str]) -> Texts:
    """Read title and detail, which may name ``facts``; the steps are those of the rule."""
    words = {f"{key}_{language}": "" for key in ("title", "detail") for language in ("vi", "en")}
    for key in ("title", "detail"):
        if (part := table.table(key)) is None:
            continue
        for language in ("vi", "en"):
            words[f"{key}_{language}"] = text = part.text(language)
            check_template(part, f"{key}.{language}", text, FACT_NAMES | facts)
        part.finish()
    return Texts(**words)


def speak_of_all(rule: Rule, texts: Texts, unit: str) -> Rule:
    """Give the rule as it speaks of all together; ``unit`` is that of their number or share."""
    spoken = replace(texts, runbook_vi=rule.texts.runbook_vi, runbook_en=rule.texts.runbook_en)
    return replace(rule, texts=spoken, quantity_unit=unit)


def last_heard(silent: Iterable[Event], told: Event) -> list[Event]:
    """Give the last that was heard of those that fell silent last, newest last; of nobody what was ``told``."""
    ordered = sorted(silent, key=lambda event: (event.received_at, event.asset_id))
    return ordered[-MOST_INPUTS:] or [told]


def begin_after(before: datetime | None, at: datetime) -> datetime:
    """Say when an alert begins that is decided at an instant; ``before`` is when the last one of its place began.

    Not with the oldest silence: who was not heard in between would give both one beginning, and one id.
    """
    return at if before is None else max(at, before + timedelta(microseconds=1))
