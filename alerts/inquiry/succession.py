"""One question over the versions of a rule that were in force one after the other, each over its own stretch.

A version takes over from the one before as in a worker: what it looks back on, a ``for`` that runs and alerts that are
open go on where it means enough of the same. Stretches are told apart by the source's own time, and a reading is put to
the version that was in force when it arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.inquiry.asking import Inquiry, Need, Question
from alerts.inquiry.tenures import Tenure, within
from alerts.world import World
from ioc.domain.events import Event


@dataclass(frozen=True, slots=True)
class Turn:
    """A tenure's part of the time that is looked at; ``is_asked`` where it lies in the period, not before it."""

    tenure: Tenure
    start: datetime
    end: datetime
    inquiry: Inquiry | None
    is_asked: bool


class Succession:
    """The inquiries of one question, run one after the other.

    Args:
        tenures: what was in force from long enough before the period to its end, the oldest first.
        question: what is asked.
        world: what rules know of the province.
    """

    def __init__(self, tenures: Sequence[Tenure], question: Question, world: World) -> None:
        self._question, self._world = question, world
        asked = within(tenures, question.start, question.end)
        self.asked = [self._begin(tenure, question.start, question.end) for tenure in asked]
        inquiries = [turn.inquiry for turn in self.asked if turn.inquiry is not None]
        self.reads_from = min((item.reads_from for item in inquiries), default=question.start)
        self.reads_until = max((item.reads_until for item in inquiries), default=question.end)
        self.needs = _join([need for item in inquiries for need in item.needs])
        self.is_about_an_asset = any(item.is_about_an_asset for item in inquiries)
        self.has_rules = bool(inquiries)
        before = within(tenures, self.reads_from, question.start)
        leads = [self._begin(tenure, self.reads_from, question.start, is_asked=False) for tenure in before]
        # What is in force at the beginning of the period was so before it: it is one turn.
        self._turns = [turn for turn in leads if not self._goes_on(turn)] + self.asked
        self._place = 0
        self.events_count = 0

    def take(self, events: Sequence[Event]) -> None:
        """Put the next events, in the order of their arrival, to who was in force when they came."""
        self.events_count += len(events)
        first = 0
        for place, event in enumerate(events):
            while self._place + 1 < len(self._turns) and event.received_at >= self._turns[self._place].end:
                self._put(events[first:place])
                first = place
                self._hand_over()
        self._put(events[first:])

    def finish(self) -> None:
        """Let time pass to the end of the period."""
        while self._place + 1 < len(self._turns):
            self._hand_over()
        if (last := self._turns[-1].inquiry) is not None:
            last.finish()

    def _begin(self, tenure: Tenure, start: datetime, end: datetime, *, is_asked: bool = True) -> Turn:
        start, end = tenure.clip(start, end)
        own = replace(self._question, start=start, end=end)
        inquiry = None if tenure.rule is None else Inquiry(tenure.rule, own, self._world)
        return Turn(tenure, start, end, inquiry, is_asked)

    def _goes_on(self, turn: Turn) -> bool:
        return bool(self.asked) and self.asked[0].tenure is turn.tenure

    def _put(self, events: Sequence[Event]) -> None:
        turn = self._turns[self._place]
        if events and turn.inquiry is not None:
            turn.inquiry.take(events)
        late = [event for event in events if event.observed_at < turn.start]
        for before in self._turns[: self._place] if late else ():
            if before.is_asked and before.inquiry is not None:
                for event in late:
                    if before.start <= event.observed_at < before.end:
                        before.inquiry.witness(event)

    def _hand_over(self) -> None:
        """Let the time of one tenure pass to its end, and the next one go on from there. After a gap it begins anew."""
        now, self._place = self._turns[self._place], self._place + 1
        following = self._turns[self._place]
        if now.inquiry is not None:
            now.inquiry.finish()
            if following.inquiry is not None:
                following.inquiry.follow(now.inquiry)


def _join(needs: Sequence[Need]) -> list[Need]:
    """Give each kind once, of all assets where one of the needs is of all."""
    by_kind: dict[str, tuple[str, ...] | None] = {}
    for need in needs:
        for kind in need.kinds:
            known = by_kind.get(kind, ())
            is_all = known is None or need.asset_ids is None
            by_kind[kind] = None if is_all else tuple(dict.fromkeys((*(known or ()), *(need.asset_ids or ()))))
    of_same: dict[tuple[str, ...] | None, list[str]] = {}
    for kind, asset_ids in by_kind.items():
        of_same.setdefault(asset_ids, []).append(kind)
    return [Need(kinds=tuple(kinds), asset_ids=asset_ids) for asset_ids, kinds in of_same.items()]
