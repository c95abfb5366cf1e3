"""The register of suppressions: which conditions are off the operators' list, by whose word, why and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alerts.notification.labels import labels_of
from alerts.notification.matchers import Matcher, Matchers
from ioc.domain.alerts import Alert, OperatorState
from ioc.domain.supervision import Hold, come_back, put_under
from ioc.errors import RefusedActionError

LONGEST = timedelta(days=90)
"""Nothing is quiet without an end; what has to be quiet for longer is a fault of the rule or of the sensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEntry:
    """One decision of a supervisor. It runs until somebody ends it or its end has come."""

    suppression_id: UUID
    state: OperatorState
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    created_at: datetime

    @property
    def hold(self) -> Hold:
        """What it does to an alert."""
        return Hold(self.suppression_id, self.state, self.ends_at)

    def covers(self, alert: Alert) -> bool:
        """Whether it speaks of an alert as that stands now. What runs in shadow is on no list anyway."""
        return alert.ended_at is None and not alert.shadow and self.matchers.matches(labels_of(alert))

    def names_only(self, alert: Alert) -> bool:
        """Whether it speaks of the condition of this alert and of no other."""
        named = {(item.name, item.value) for item in self.matchers.items if item.operator == "="}
        return {(item.name, item.value) for item in name_condition(alert).items} <= named


def name_condition(alert: Alert) -> Matchers:
    """Give the matchers that only alerts of this condition meet: its rule and its identity.

    Raises:
        RefusedActionError: a label is too long, or not of the form that matchers can say.
    """
    labels = labels_of(alert)
    names = ["rule", *(name for name, _ in alert.labels if name != "rule")]
    exact = Matchers(tuple(Matcher(name, "=", labels[name]) for name in names))
    try:
        is_faithful = Matchers.parse(exact.to_text()) == exact
    except ValueError:
        is_faithful = False
    if not is_faithful:
        raise RefusedActionError(
            "cannot_name", "the alert's labels cannot be written as matchers; make an entry by hand"
        )
    return exact


def find_cover(entries: Iterable[RegisterEntry], alert: Alert) -> RegisterEntry | None:
    """Give the entry that decides on an alert: of those that cover it, the newest."""
    covering = [entry for entry in entries if entry.covers(alert)]
    return max(covering, key=lambda entry: (entry.created_at, entry.suppression_id), default=None)


def place(alert: Alert, previous: Alert | None, entries: Iterable[RegisterEntry]) -> Alert:
    """Put an alert where the register wants it, at the revision that it has.

    An alert that opens, comes off the shelf or out of the shadow goes under the entry that covers it. One that has
    left its entry, because it became more severe or is elsewhere than that says, goes under another or back to the
    operators.
    """
    if alert.ended_at is not None or alert.shadow or alert.operator is OperatorState.SHELVED:
        return alert
    is_new = previous is None or previous.shadow or previous.operator is OperatorState.SHELVED
    is_moved = alert.suppression_id is not None and labels_of(alert) != labels_of(previous or alert)
    if not is_new and not is_moved:
        return alert
    cover = find_cover(entries, alert)
    if cover is None:
        return alert if alert.suppression_id is None else come_back(alert)
    return alert if cover.suppression_id == alert.suppression_id else put_under(alert, cover.hold)
