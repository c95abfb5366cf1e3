"""An answer to `why not` for the wire: facts as numbers, and a sentence of each in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.inquiry.asking import Answer, Finding, Stretch
from ioc.api.inquiry_texts import say
from ioc.api.views import to_ms


def to_answer(answer: Answer) -> dict[str, Any]:
    """Give an answer as the API has it: instants in ms, durations in seconds (``…_s``).

    ``version`` is the hash of the rule that was in force last; ``stretches`` has all that were.
    """
    question, rule = answer.question, answer.rule
    return {
        "rule_id": question.rule_id,
        "version": None if rule is None else rule.version,
        "asset_id": question.asset_id,
        "from": to_ms(question.start),
        "to": to_ms(question.end),
        "reason": answer.findings[0].reason.value if answer.findings else None,
        "is_explained": answer.is_explained,
        "stretches": [to_stretch(stretch) for stretch in answer.stretches],
        "findings": [to_finding(found) for found in answer.findings],
        "events_count": answer.events_count,
        "unreadable_files": list(answer.unreadable_files),
        "course": {
            "quantity": answer.quantity,
            "points": [[to_ms(point.at), point.value, point.limit] for point in answer.course],
            "spans": [
                {"severity": span.severity, "since": to_ms(span.since), "until": to_ms(span.until), "fired": span.fired}
                for span in answer.spans
            ],
        },
    }


def to_stretch(stretch: Stretch) -> dict[str, Any]:
    """Give a stretch with the version that was in force in it; ``number`` is None for the rule of the files."""
    tenure = stretch.tenure
    return {
        "from": to_ms(stretch.start),
        "to": to_ms(stretch.end),
        "source": tenure.source.value,
        "number": tenure.number,
        "version": None if tenure.rule is None else tenure.rule.version,
        "since": None if tenure.since is None else to_ms(tenure.since),
        "actor": tenure.actor,
        "reason": tenure.reason,
        "is_explained": stretch.is_explained,
    }


def to_finding(found: Finding) -> dict[str, Any]:
    """Give one reason with its facts and its sentences."""
    text_vi, text_en = say(found)
    return {
        "reason": found.reason.value, "is_decisive": found.is_decisive, "stretch": found.stretch,
        "facts": to_wire(found.facts),
        "text_vi": text_vi, "text_en": text_en,
    }  # fmt: skip


def to_wire(value: Any) -> Any:
    """Give facts as the API has them: instants in ms, durations in seconds (``…_s``)."""
    match value:
        case datetime():
            return to_ms(value)
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {f"{key}_s" if isinstance(item, timedelta) else key: to_wire(item) for key, item in value.items()}
        case list() | tuple():
            return [to_wire(item) for item in value]
        case _:
            return value
