"""Alerts in several groups at once, through random lives: what each department has read, and how often.

The groups are looked at as the notifier does it, all that are due together; the model is what a department knows that
reads its notifications and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.notification.covering import Covering, Elsewhere
from alerts.notification.grouping import GroupLog
from alerts.notification.inhibition import Inhibitors
from alerts.notification.labels import labels_of
from alerts.notification.policy import Policy
from alerts.notification.policy_files import read_policy
from alerts.notification.suppression import Holds
from alerts.notification.telling import Member, Plan, plan
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.domain.ids import alert_id
from tests.support.alerts import START, decide

QUIET = timedelta(seconds=75)
"""After so long without a change everything is told: an interval, and a look at what was awaited."""
NO_HOLDS = Holds(silences=(), windows=(), inhibitors=Inhibitors((), ()))
POLICIES = {
    "the same people": """
route:
  {id: root, departments: [a], group_by: [rule], routes: [
    {id: critical, match: severity>=critical, departments: [a], group_by: [rule], continue: true},
    {id: north, match: unit=north, departments: [b], group_by: [rule]}]}
""",
    "more people with each severity": """
route:
  {id: root, departments: [a], group_by: [unit], routes: [
    {id: critical, match: severity>=critical, departments: [a, b, c], group_by: [rule], continue: true},
    {id: major, match: severity>=major, departments: [b, a], group_by: [rule, unit], continue: true},
    {id: north, match: unit=north, departments: [a], group_by: [rule]}]}
""",
    "fewer people with each severity": """
route:
  {id: root, departments: [a, b, c], group_by: [rule], routes: [
    {id: critical, match: severity>=critical, departments: [a], group_by: [rule]},
    {id: major, match: severity>=major, departments: [a, b], group_by: [rule, unit]}]}
""",
}
happenings = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([*Severity, None]), st.sampled_from([0, 0, 5, 10, 30, 60, 80])),
    min_size=1,
    max_size=25,
)
"""Of which alert, what becomes of it (None: it ends), and after how many seconds the next thing happens."""


def _read(text: str) -> Policy:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(text, encoding="utf-8")
        policy, faults = read_policy(path)
    assert policy is not None, faults
    return policy


@dataclass
class _Group:
    route_id: str
    departments: frozenset[str]
    look_at: datetime
    log: GroupLog | None = None
    members: dict[UUID, Member] = field(default_factory=dict)


@dataclass
class _Office:
    """Groups in memory, and what the departments have read."""

    policy: Policy
    now: datetime = START
    groups: dict[UUID, _Group] = field(default_factory=dict)
    known: set[tuple[str, UUID]] = field(default_factory=set)
    news: Counter[tuple[str, UUID]] = field(default_factory=Counter)
    ends: Counter[tuple[str, UUID]] = field(default_factory=Counter)

    def take(self, alert: Alert) -> None:
        """Sort what has become of an alert."""
        known = {group.route_id for group in self.groups.values() if alert.alert_id in group.members}
        for routed in self.policy.route(labels_of(alert)) if alert.ended_at is None else ():
            if routed.route.route_id not in known:
                group = self.groups.setdefault(
                    routed.group_id, _Group(routed.route.route_id, frozenset(routed.route.departments), self.now)
                )
                member = Member(alert=alert, joined_at=self.now, was_held=False, told_severity=None)
                group.members[alert.alert_id] = member
        for group in self.groups.values():
            if (member := group.members.get(alert.alert_id)) is not None:
                group.members[alert.alert_id] = replace(member, alert=alert)
                group.look_at = min(group.look_at, self.now)
        self.look()

    def wait(self, until: datetime) -> None:
        """Look at groups when they ask for it, up to an instant."""
        while self.groups and (due := min(group.look_at for group in self.groups.values())) <= until:
            self.now = max(self.now, due)
            self.look()
        self.now = until

    def look(self) -> None:
        """Look at all that are due together."""
        due = {key: group for key, group in self.groups.items() if group.look_at <= self.now}
        plans = {key: self._plan(key, group) for key, group in due.items()}
        for key, group in due.items():
            self._tell(group, plans[key])
            self._save(key, group, plans[key])

    def _plan(self, key: UUID, group: _Group) -> Plan:
        elsewhere = {
            alert: [
                Elsewhere(
                    route_id=other.route_id, departments=other.departments,
                    has_told=other.log is not None and alert in other.log.firing,
                )
                for number, other in self.groups.items() if number != key and alert in other.members
            ]
            for alert in group.members
        }  # fmt: skip
        told = () if group.log is None else group.log.firing
        covers = Covering(self.policy).find(group.route_id, group.departments, elsewhere, told)
        timing = self.policy.timing_of(group.route_id)
        return plan(group.log, list(group.members.values()), NO_HOLDS, timing, self.now, covers)

    def _tell(self, group: _Group, made: Plan) -> None:
        if not made.verdict.notify:
            return
        for name in group.departments:
            self.known |= {(name, alert.alert_id) for alert in made.firing}
            self.known -= {(name, alert.alert_id) for alert in made.resolved}
            self.news.update((name, alert.alert_id) for alert in made.news)
            self.ends.update((name, alert.alert_id) for alert in made.resolved)

    def _save(self, key: UUID, group: _Group, made: Plan) -> None:
        if made.closes:
            del self.groups[key]
            return
        for alert in made.firing if made.verdict.notify else ():
            group.members[alert.alert_id] = replace(group.members[alert.alert_id], told_severity=alert.severity)
        for alert in made.leaving:
            group.members.pop(alert, None)
        group.log, group.look_at = made.log, made.look_at


@pytest.mark.parametrize("name", POLICIES)
@settings(deadline=None, max_examples=300)
@given(life=happenings)
def test_each_department_knows_what_holds_and_was_told_of_each_thing_once(name, life):
    office = _Office(_read(POLICIES[name]))
    standing: dict[int, Alert] = {}
    changes: Counter[UUID] = Counter()
    for revision, (number, severity, seconds) in enumerate(life):
        alert = standing.get(number)
        if alert is None and severity is not None:
            fingerprint = sha256(f"{number}/{revision}".encode()).digest()
            given_id = alert_id(fingerprint, START)
            unit = ("north", "south")[number % 2]
            change = decide(fingerprint=fingerprint, alert_id=given_id, severity=severity, unit_code=unit)
            [alert] = alert_machines.decide_condition(None, change)
        elif alert is not None:
            kind = ChangeType.RESOLVED if severity is None else ChangeType.SEVERITY
            # A fall is news for those of a wider route who did not know of it, and read by those who did.
            is_wider = name == "fewer people with each severity"
            step = 0 if severity is None else severity.rank - alert.severity.rank
            changes[alert.alert_id] += step > 0 or (step < 0 and is_wider)
            change = decide(
                kind, fingerprint=alert.fingerprint, alert_id=alert.alert_id, severity=severity or alert.severity,
                unit_code=alert.unit_code, decided_at=office.now, value=float(revision),
            )  # fmt: skip
            moved = alert_machines.decide_condition(alert, change)
            alert = moved[-1] if moved else alert
        if alert is not None:
            standing[number] = alert
            office.take(alert)
            if alert.ended_at is not None:
                del standing[number]
        office.wait(office.now + timedelta(seconds=seconds))
    office.wait(office.now + QUIET)
    for alert in standing.values():
        told = {name for routed in office.policy.route(labels_of(alert)) for name in routed.route.departments}
        assert {(name, alert.alert_id) for name in told} <= office.known
    assert {alert for _, alert in office.known} <= {alert.alert_id for alert in standing.values()}
    for (name, alert_key), count in office.news.items():
        assert count <= 1 + changes[alert_key]
        assert office.ends[name, alert_key] == ((name, alert_key) not in office.known)
