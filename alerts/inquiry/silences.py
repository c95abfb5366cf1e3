"""The grounds of an alert of silence: when a station was heard last, and after how long it counts as silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from alerts.approaches import compare
from alerts.conditions.absence import Absence
from alerts.inquiry.asking import Fact
from alerts.inquiry.grounds import FoundGrounds, Look
from alerts.memory.readings import MOST_READINGS
from ioc.domain.alerts import Alert, ResolveReason
from ioc.domain.events import Event

_MINUTE = timedelta(minutes=1)
_MARGIN = timedelta(hours=1)
"""By so much longer than its rule waits may the last reading of a station have been under way."""


class SilenceBasis:
    """Looks for the last reading before the silence of one station.

    Args:
        condition: the rule's condition.
        alert: the alert of a station after the decision. While it is silent, what was observed is its last reading.
    """

    def __init__(self, condition: Absence, alert: Alert) -> None:
        self._condition, self._alert = condition, alert
        self._is_back = alert.resolve_reason is ResolveReason.CONDITION

    def looks(self) -> Sequence[Look]:
        """Ask for what the station said last before the alert began."""
        alert, after = self._alert, self._alert.observed_at - timedelta(seconds=1)
        if self._is_back:
            after = alert.started_at - max(self._condition.after.values()) - self._condition.settle - _MARGIN
        return [
            Look(kind.KIND, alert.asset_id, after, alert.observed_at, MOST_READINGS) for kind in self._condition.kinds
        ]

    def find(self, events: Sequence[Event]) -> FoundGrounds:
        """Compare the time from the arrival of the last reading with the one that the rule allows its kind."""
        alert, condition = self._alert, self._condition
        heard = [event for event in events if event.received_at <= alert.started_at]
        last = max(heard, key=lambda event: event.observed_at, default=None)
        kind = alert.kind if last is None else last.kind
        silent_after = condition.after.get(kind)
        observed_at = None if self._is_back else alert.observed_at
        # The alert has the arrival of what came after the silence, and before that the instant at which it was noticed.
        facts: dict[str, Fact] = {
            "silent_after_s": None if silent_after is None else silent_after.total_seconds(),
            "settle_s": condition.settle.total_seconds(),
            "last_observed_at": observed_at if last is None else last.observed_at,
            "last_received_at": None if last is None else last.received_at,
            "heard_again_at" if self._is_back else "noticed_at": alert.received_at,
        }  # fmt: skip
        if last is None or silent_after is None:
            return FoundGrounds(parts=(), facts=facts, missing=("last_reading",))
        silent_min = (alert.received_at - last.received_at) / _MINUTE
        part = compare("silent_min", silent_min, ">=", silent_after / _MINUTE)
        return FoundGrounds(parts=(part,), facts=facts, events=[last])
