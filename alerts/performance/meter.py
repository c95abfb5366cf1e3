"""One pass over the journal: what is remembered of each open alert, and what is counted of the period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alerts.performance.annunciations import Stand, is_annunciation, stand_of
from alerts.performance.figures import Performance
from alerts.performance.summary import summarise
from alerts.performance.tally import Tally, to_us
from ioc.domain.alerts import Alert, AlertEvent, ChangeType, OperatorState

LEAD = timedelta(hours=1)
"""The journal is read from so long before the period, to know whether the period begins within a flood."""

FLEETING = timedelta(minutes=1)
"""An alert that ends within this and without anybody's doing comes and goes too fast to be acted on (EEMUA 191)."""

_ANSWERS = frozenset({ChangeType.ACKNOWLEDGED, ChangeType.RESOLVED})
_WAITING = frozenset({OperatorState.UNACKNOWLEDGED, OperatorState.RETURNED_UNACKNOWLEDGED})
_SUPPRESSED = frozenset({OperatorState.SUPPRESSED, OperatorState.OUT_OF_SERVICE})


@dataclass(slots=True)
class _Known:
    """What later entries of an open alert are judged by.

    ``asked_at`` is the first annunciation that nobody has answered yet, ``fired_at`` the one that it began with;
    ``is_unanswered`` says that the last annunciation was within the period and nobody has answered it.
    """

    revision: int
    stand: Stand | None
    is_ended: bool
    asked_at: datetime | None = None
    fired_at: datetime | None = None
    is_touched: bool = False
    is_unanswered: bool = False


class PerformanceMeter:
    """Takes the journal in pages and gives the figures of a period.

    Entries of one alert come in the order of its revisions; how those of different alerts lie between each other
    changes nothing. Memory: a record per open alert, one per rule and thing, and sixteen bytes per annunciation.
    """

    def __init__(
        self, standing: Iterable[Alert], *, start: datetime, end: datetime, unit_code: str | None = None
    ) -> None:
        """Begin a period from ``start`` up to ``end``, of one unit or of all.

        Args:
            standing: the alerts that were on the operators' list at ``start - LEAD``, as they stood then.
            start: beginning, inclusive.
            end: end, exclusive.
            unit_code: count only what lies in this unit.
        """
        self._start, self._end, self._unit_code = start, end, unit_code
        self._tally = Tally()
        self._known: dict[UUID, _Known] = {
            alert.alert_id: _Known(
                revision=alert.revision, stand=stand_of(alert), is_ended=alert.ended_at is not None,
                asked_at=alert.started_at if alert.operator in _WAITING else None,
            )
            for alert in standing
        }  # fmt: skip

    def take(self, entries: Iterable[AlertEvent]) -> None:
        """Take the next page of the journal in, from ``start - LEAD`` up to ``end``."""
        for entry in entries:
            known = self._known.get(entry.alert_id)
            if entry.at >= self._end or (known is not None and entry.revision <= known.revision):
                continue
            if known is None:
                # Where the beginning was not read, whether it had ended before this entry cannot be told.
                is_ended = entry.revision > 1 and entry.alert.ended_at is not None
                known = self._known[entry.alert_id] = _Known(revision=0, stand=None, is_ended=is_ended)
            self._take(entry, known)
            known.revision, known.stand = entry.revision, stand_of(entry.alert)
            if not entry.alert.is_open:
                self._close(self._known.pop(entry.alert_id))

    def finish(self, standing: Sequence[Alert]) -> Performance:
        """Give the figures; ``standing`` is what was on the operators' list at the end of the period."""
        for known in self._known.values():
            self._close(known)
        self._known.clear()
        mine = [alert for alert in standing if self._is_mine(alert)]
        return summarise(self._tally, mine, start=self._start, end=self._end, unit_code=self._unit_code)

    def _is_mine(self, alert: Alert) -> bool:
        return self._unit_code is None or alert.unit_code == self._unit_code

    def _take(self, entry: AlertEvent, known: _Known) -> None:
        is_mine = self._is_mine(entry.alert)
        counts = is_mine and self._start <= entry.at
        self._note_annunciation(entry, known, is_mine=is_mine, counts=counts)
        self._note_answer(entry, known, counts=counts)
        self._note_end(entry, known, counts=counts)
        if counts:
            self._note_quiet(entry, known)

    def _note_annunciation(self, entry: AlertEvent, known: _Known, *, is_mine: bool, counts: bool) -> None:
        # An alert that is not known had left the list: what a person had closed comes back as its severity rises.
        is_told = known.stand is not None or entry.revision == 1 or entry.type is ChangeType.SEVERITY
        if not (is_told and is_annunciation(entry.alert, known.stand)):
            return
        if known.stand is None or known.stand.operator is not OperatorState.UNACKNOWLEDGED:
            known.asked_at = entry.at
        if entry.type is ChangeType.FIRED:
            known.fired_at = entry.at
        known.is_unanswered = counts
        if is_mine:
            self._tally.instants_us.append(to_us(entry.at))
        if counts:
            self._tally.annunciate(entry)

    def _note_answer(self, entry: AlertEvent, known: _Known, *, counts: bool) -> None:
        if entry.actor is None:
            return
        known.is_touched = True
        if entry.type not in _ANSWERS:
            return
        if counts and known.asked_at is not None:
            # The engine's clock and the operators' are not one: an answer within their distance took no time.
            waited_us = max(0, to_us(entry.at) - to_us(known.asked_at))
            self._tally.waits_us[entry.alert.severity].append(waited_us)
        known.asked_at, known.is_unanswered = None, False

    def _note_end(self, entry: AlertEvent, known: _Known, *, counts: bool) -> None:
        alert = entry.alert
        if alert.ended_at is None or known.is_ended:
            return
        known.is_ended = True
        if not counts or alert.shadow:
            return
        lasted_us = max(0, to_us(alert.ended_at) - to_us(alert.started_at))
        self._tally.lasted_us[alert.severity].append(lasted_us)
        if known.fired_at is not None and not known.is_touched and alert.ended_at - known.fired_at <= FLEETING:
            self._tally.fleeting[alert.rule_id] += 1

    def _note_quiet(self, entry: AlertEvent, known: _Known) -> None:
        alert, tally = entry.alert, self._tally
        if entry.type is ChangeType.SHELVED:
            tally.shelved_count += 1
        was_suppressed = known.stand is not None and known.stand.operator in _SUPPRESSED
        if alert.operator in _SUPPRESSED and not was_suppressed:
            if alert.shadow:
                tally.shadow_count += 1
            else:
                tally.suppressed_count += 1
        if not alert.shadow and alert.flapping:
            source = tally.source(alert)
            source.is_flapping = True
            source.note_title(entry)

    def _close(self, known: _Known) -> None:
        if known.is_unanswered and known.stand is not None:
            self._tally.unanswered[known.stand.severity] += 1
