"""The answer to a question from what its inquiries found, stretch by stretch of the period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.inquiry.asking import Answer, Finding, Question, Reason, Stretch, arrange
from alerts.inquiry.findings import answer
from alerts.inquiry.succession import Succession, Turn

IsTold = Callable[[datetime, datetime], bool]
"""Whether an alert stood at some time of a stretch."""


def answer_all(
    succession: Succession, question: Question, more: Sequence[Finding] = (), is_told: IsTold = lambda start, end: False
) -> Answer:
    """Give the answer of a succession that has run to its end, with findings that others made beside."""
    answers = [
        None if turn.inquiry is None else answer(turn.inquiry, is_told=is_told(turn.start, turn.end))
        for turn in succession.asked
    ]
    found, stretches = list(more), []
    for place, (turn, own) in enumerate(zip(succession.asked, answers, strict=True)):
        mine = [_find_nothing_in_force(turn)] if own is None else [_name_source(item, turn) for item in own.findings]
        found += [replace(item, stretch=place) for item in mine]
        is_explained = any(item.is_decisive for item in mine) or is_told(turn.start, turn.end)
        stretches.append(Stretch(start=turn.start, end=turn.end, tenure=turn.tenure, is_explained=is_explained))
    findings = arrange(found)
    given = [own for own in answers if own is not None]
    first = next((item.stretch for item in findings if item.stretch is not None), None)
    shown = sorted(given, key=lambda own: own is not (None if first is None else answers[first]))
    quantity = next((own.quantity for own in shown if own.quantity is not None), None)
    return Answer(
        question=question,
        rule=given[-1].rule if given else None,
        findings=findings,
        stretches=stretches,
        events_count=succession.events_count,
        quantity=quantity,
        course=[point for own in given if own.quantity == quantity for point in own.course],
        spans=[span for own in given for span in own.spans],
    )


def _find_nothing_in_force(turn: Turn) -> Finding:
    tenure = turn.tenure
    facts = {
        "why": tenure.source.value, "since": tenure.since, "until": tenure.until, "number": tenure.number,
        "actor": tenure.actor, "reason": tenure.reason,
    }  # fmt: skip
    return Finding(reason=Reason.NOT_IN_FORCE, is_decisive=True, facts=facts)


def _name_source(found: Finding, turn: Turn) -> Finding:
    """Say of a rule that fires now whether it was saved: what files said then is not known."""
    if found.reason is not Reason.FIRES_NOW:
        return found
    return replace(found, facts={**found.facts, "source": turn.tenure.source.value})
