"""One group and its ladder through random lives, tick by tick against a plain model of alerting.md, sections 2 and 5.

The group is looked at only when it asked to be, or when something happened to its alerts, as the notifier does; the
model is asked at every tick. So a look that comes too late fails as a wrong decision does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.notification.escalation import Ladder, Level, Rung, climb
from alerts.notification.grouping import GroupLog, Timing
from alerts.notification.holds import MaintenanceWindow, Silence
from alerts.notification.inhibition import Inhibition, Inhibitors
from alerts.notification.matchers import Matchers
from alerts.notification.suppression import Holds, why_suppressed
from alerts.notification.telling import SWEEP, Member, plan
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.domain.ids import alert_id
from tests.support.alerts import decide

# Monday 30 November, 21:50 in the province: the window below lies over midnight and over the end of the month.
START = datetime(2026, 11, 30, 14, 50, tzinfo=UTC)
TICK = timedelta(seconds=10)
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
RANK = {"info": 0, "minor": 1, "major": 2, "critical": 3}
WAIT_S = {"critical": 0, "major": 10, "minor": 10, "info": 10}
REPEAT_S = {"critical": 1_800, "major": 3_600, "minor": 3_600, "info": 3_600}
INTERVAL_S = 60
AFTER_S, ACK_S = (60, 180), 600
UNITS = ("06652", "06685")

TIMING = {
    severity: Timing(
        group_wait=timedelta(seconds=WAIT_S[severity]),
        group_interval=timedelta(seconds=INTERVAL_S),
        repeat_interval=timedelta(seconds=REPEAT_S[severity]),
    )
    for severity in Severity
}
WINDOW = MaintenanceWindow(
    window_id="upkeep", matchers=Matchers.parse("unit=06685"), zone=LOCAL, days=frozenset({0}),
    begins=time(22), ends=time(0, 30), text_vi="x", text_en="x",
)  # fmt: skip
OUTAGE = Inhibition(
    inhibition_id="outage", source=Matchers.parse("rule=power"), target=Matchers.parse("feed=air"), equal=("unit",)
)
LADDER = Ladder(
    ladder_id="up", levels=tuple(Level(timedelta(seconds=after), ("x",)) for after in AFTER_S),
    ack_timeout=timedelta(seconds=ACK_S),
)  # fmt: skip
severities = st.sampled_from(list(RANK))


class Told:
    """What the model believes of one alert: plain facts, in seconds since the start."""

    def __init__(self, unit: str, severity: str, now: int) -> None:
        self.unit, self.severity, self.joined_s = unit, severity, now
        self.letter, self.acked_s = "B", 0
        self.holds, self.flaps = True, False
        self.was_held = self.is_renewed = False
        self.known: tuple[str, bool] | None = None
        self.counts_from_s, self.level, self.was_answered, self.was_put_off = now, 0, False, False


class GroupLife(RuleBasedStateMachine):
    """One group of dust alerts of two units, with silences, shelves, a weekly window and outages around it."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s, self.number = 0, 0
        # The code's side: what the store keeps.
        self.log: GroupLog | None = None
        self.members: dict[UUID, Member] = {}
        self.look_at: datetime | None = None
        self.rungs: dict[UUID, tuple[Rung, datetime]] = {}
        self.silences: list[Silence] = []
        # The model's side.
        self.alerts: dict[UUID, Told] = {}
        self.told_s: int | None = None
        self.silenced: dict[str, list[tuple[int, int]]] = {unit: [] for unit in UNITS}
        self.dark: set[str] = set()

    # What may happen

    @initialize(minute=st.sampled_from([0, 110]))
    def it_begins_before_the_window_or_inside_it_shortly_before_midnight(self, minute: int) -> None:
        self.now_s = 60 * minute

    @precondition(lambda self: len(self.members) < 4)
    @rule(unit=st.sampled_from(UNITS), severity=severities)
    def an_alert_fires(self, unit: str, severity: str) -> None:
        self.number += 1
        fingerprint = sha256(str(self.number).encode()).digest()
        change = decide(
            asset_id=f"air.{self.number}", fingerprint=fingerprint, alert_id=alert_id(fingerprint, START),
            severity=Severity(severity), unit_code=unit,
        )  # fmt: skip
        [alert] = alert_machines.decide_condition(None, change)
        self.members[alert.alert_id] = Member(alert=alert, joined_at=self._now, was_held=False, told_severity=None)
        self.rungs[alert.alert_id] = Rung(unacked_at=self._now), self._now
        self.alerts[alert.alert_id] = Told(unit, severity, self.now_s)
        self._look(woken={alert.alert_id})

    @precondition(lambda self: self._standing())
    @rule(data=st.data(), severity=severities)
    def its_severity_changes(self, data, severity: str) -> None:
        key = self._pick(data)
        known = self.alerts[key]
        if known.letter == "C" and RANK[severity] > RANK[known.severity]:
            known.letter = "B"
        known.severity = severity
        self._change(key, ChangeType.SEVERITY)

    @precondition(lambda self: self._standing())
    @rule(data=st.data())
    def it_ends(self, data) -> None:
        key = self._pick(data)
        self.alerts[key].holds, self.alerts[key].flaps = False, False
        self._change(key, ChangeType.RESOLVED)

    @precondition(lambda self: self._standing())
    @rule(data=st.data())
    def it_begins_to_flap_or_comes_to_rest(self, data) -> None:
        key = self._pick(data)
        known = self.alerts[key]
        known.flaps = not known.flaps
        self._change(key, ChangeType.FLAPPING if known.flaps else ChangeType.STEADY)

    @precondition(lambda self: any(self.alerts[key].letter == "B" for key in self._standing()))
    @rule(data=st.data())
    def somebody_takes_note(self, data) -> None:
        key = data.draw(st.sampled_from([key for key in self._standing() if self.alerts[key].letter == "B"]))
        self.alerts[key].letter, self.alerts[key].acked_s = "C", self.now_s
        self._set(key, alert_machines.acknowledge(self.members[key].alert, "lan", self._now))

    @precondition(lambda self: self._standing())
    @rule(data=st.data())
    def it_is_shelved_or_taken_off(self, data) -> None:
        key = self._pick(data)
        known, alert = self.alerts[key], self.members[key].alert
        if known.letter == "E":
            known.letter = "B"
            self._set(key, alert_machines.unshelve(alert, "lan", self._now))
        else:
            known.letter = "E"
            until = self._now + timedelta(hours=8)
            self._set(key, alert_machines.shelve(alert, "lan", self._now, until=until, reason="r"))

    @rule(unit=st.sampled_from(UNITS), after=st.integers(0, 6), ticks=st.integers(1, 60))
    def somebody_silences_a_unit(self, unit: str, after: int, ticks: int) -> None:
        starts_s = self.now_s + 10 * after
        self.silenced[unit].append((starts_s, starts_s + 10 * ticks))
        self.silences.append(
            Silence(
                silence_id=UUID(int=len(self.silences)), matchers=Matchers.parse(f"unit={unit}"),
                starts_at=_at(starts_s), ends_at=_at(starts_s + 10 * ticks), author="lan", comment="c",
            )
        )  # fmt: skip
        self._look()

    @rule(unit=st.sampled_from(UNITS))
    def the_power_goes_or_comes(self, unit: str) -> None:
        self.dark ^= {unit}

    @rule(ticks=st.sampled_from([1, 1, 2, 5, 6, 7, 30, 61, 190, 400]))
    def time_passes(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now_s += 10
            if self.look_at is not None and self.look_at <= self._now:
                self._look(is_woken=False)
            else:
                assert self._expect() is None, "something is to be told, and nobody looks"
            for key in list(self.rungs):
                self._climb(key, is_woken=False)

    @invariant()
    def a_look_is_always_planned_while_something_holds(self) -> None:
        assert not self.members or self.look_at is not None

    # The code's side, as the notifier runs it

    @property
    def _now(self) -> datetime:
        return _at(self.now_s)

    def _standing(self) -> list[UUID]:
        return [key for key, member in self.members.items() if member.alert.ended_at is None]

    def _pick(self, data) -> UUID:
        return data.draw(st.sampled_from(self._standing()))

    def _change(self, key: UUID, kind: ChangeType) -> None:
        known, alert = self.alerts[key], self.members[key].alert
        change = decide(
            kind, asset_id=alert.asset_id or "", fingerprint=alert.fingerprint, alert_id=key, unit_code=known.unit,
            severity=Severity(known.severity), decided_at=self._now, flapping=known.flaps,
            value=float(alert.revision),
        )  # fmt: skip
        [moved] = alert_machines.decide_condition(alert, change)
        self._set(key, moved)

    def _set(self, key: UUID, alert: Alert) -> None:
        self.members[key] = replace(self.members[key], alert=alert)
        self._look(woken={key})

    def _holds(self) -> Holds:
        sources = [(UUID(int=place), {"rule": "power", "unit": unit}) for place, unit in enumerate(sorted(self.dark))]
        return Holds(silences=self.silences, windows=(WINDOW,), inhibitors=Inhibitors((OUTAGE,), sources))

    def _look(self, *, woken: frozenset[UUID] | set[UUID] = frozenset(), is_woken: bool = True) -> None:
        expected = self._expect()
        if self.members:
            made = plan(self.log, list(self.members.values()), self._holds(), TIMING, self._now)
            found = None
            if made.verdict.notify:
                sets = (made.firing, made.news, made.resolved)
                found = (made.verdict.reason.value, *({alert.alert_id for alert in alerts} for alerts in sets))
            assert found == expected
            assert made.look_at > self._now
            self._save(made)
        self._learn(expected)
        for key in woken:
            self._climb(key, is_woken=True)
        del is_woken

    def _save(self, made) -> None:
        if made.closes:
            self.members, self.log, self.look_at = {}, None, None
            return
        told = {alert.alert_id: alert for alert in made.firing} if made.verdict.notify else {}
        for key, member in list(self.members.items()):
            if key in told:
                member = replace(member, told_severity=told[key].severity, told_flapping=told[key].flapping)
            self.members[key] = replace(member, was_held=key in made.held)
        for key in made.leaving:
            del self.members[key]
        self.log, self.look_at = made.log, made.look_at

    # The model's side

    def _is_held(self, known: Told) -> bool:
        local = self._now.astimezone(LOCAL)
        in_window = (local.weekday() == 0 and local.hour >= 22) or (
            local.weekday() == 1 and (local.hour, local.minute) < (0, 30)
        )
        return (
            known.letter == "E"
            or (in_window and known.unit == "06685")
            or any(start <= self.now_s < end for start, end in self.silenced[known.unit])
            or known.unit in self.dark
        )

    def _expect(self) -> tuple[str, set[UUID], set[UUID], set[UUID]] | None:
        """What the specification says is to be told now: the reason, what holds, what of it is news, what has ended."""
        standing = {key: known for key, known in self.alerts.items() if known.holds}
        loud = {key: known for key, known in standing.items() if not self._is_held(known)}
        ended = {key for key, known in self.alerts.items() if not known.holds and known.known is not None}
        news = {key: known for key, known in loud.items() if _is_news(known)}
        top = max((known.severity for known in (news or loud).values()), key=RANK.__getitem__, default="info")
        first_s = min((known.joined_s for known in news.values()), default=0)
        since_s = self.now_s - (self.told_s if self.told_s is not None else self.now_s)
        turned = {known.flaps for known in loud.values() if known.known and known.known[1] is not known.flaps}
        if self.told_s is None:
            reason, is_due = "first", bool(loud) and self.now_s >= first_s + WAIT_S[top]
        elif news:
            is_urgent = top == "critical"
            reason = "new_firing"
            is_due = self.now_s >= first_s + WAIT_S[top] if is_urgent else since_s >= INTERVAL_S
        elif not loud:
            reason = "some_resolved" if standing else "all_resolved"
            is_due = bool(ended) and since_s >= INTERVAL_S
        elif turned:
            reason, is_due = "flapping" if True in turned else "steady", since_s >= INTERVAL_S
        elif ended:
            reason, is_due = "some_resolved", since_s >= INTERVAL_S
        else:
            reason, is_due = "repeat", since_s >= REPEAT_S[top]
        return (reason, set(loud), set(news), ended) if is_due else None

    def _learn(self, told: tuple[str, set[UUID], set[UUID], set[UUID]] | None) -> None:
        """Remember what was told. What a notification does not name is known no more, unless it is held."""
        for key, known in list(self.alerts.items()):
            is_held = known.holds and self._is_held(known)
            known.is_renewed = known.is_renewed or (known.holds and not is_held and known.was_held)
            known.was_held = is_held
            if told is not None:
                if not is_held:
                    known.known = (known.severity, known.flaps) if key in told[1] else None
                known.is_renewed = False
            if not known.holds and known.known is None:
                del self.alerts[key]
        if told is not None:
            self.told_s = self.now_s
        if not self.alerts:
            self.told_s = None

    # Ladders

    def _climb(self, key: UUID, *, is_woken: bool) -> None:
        if key not in self.rungs:
            return
        rung, look_at = self.rungs[key]
        if key not in self.members:  # it has ended and was told
            del self.rungs[key]
            return
        expected = self._expect_levels(key, is_woken=is_woken)
        found: tuple[int, ...] = ()
        if is_woken or look_at <= self._now:
            alert = self.members[key].alert
            is_held = why_suppressed(alert, self._holds(), self._now) is not None
            climbed = climb(alert, LADDER, rung, now=self._now, is_held=is_held)
            found = climbed.due
            self.rungs[key] = climbed.rung, climbed.look_at or self._now + SWEEP
            if climbed.is_over:
                del self.rungs[key]
        assert found == expected

    def _expect_levels(self, key: UUID, *, is_woken: bool) -> tuple[int, ...]:
        known = self.alerts.get(key)
        if known is None or not known.holds:
            return ()
        if known.letter == "E" or (known.letter == "C" and self.now_s < known.acked_s + ACK_S):
            known.was_answered = True
            return ()
        if known.letter == "C":
            known.was_answered = True
            if known.counts_from_s < known.acked_s + ACK_S:
                known.counts_from_s, known.level = known.acked_s + ACK_S, 0
        elif known.was_answered:
            known.was_answered, known.counts_from_s, known.level = False, self.now_s, 0
        left = [number for number in (1, 2) if number > known.level]
        is_due = bool(left) and known.counts_from_s + AFTER_S[left[0] - 1] <= self.now_s
        if self._is_held(known):
            # What would be told now, or is looked at now, is put off to the end of what holds it.
            if is_due or is_woken or known.was_put_off:
                known.counts_from_s, known.was_put_off = self.now_s, True
            return ()
        known.was_put_off = False
        due = tuple(number for number in left if known.counts_from_s + AFTER_S[number - 1] <= self.now_s)
        known.level = max([known.level, *due])
        return due


def _is_news(known: Told) -> bool:
    return known.known is None or known.is_renewed or _has_changed(known)


def _has_changed(known: Told) -> bool:
    return known.was_held or (known.known is not None and RANK[known.severity] > RANK[known.known[0]])


def _at(second: int) -> datetime:
    return START + timedelta(seconds=second)


GroupLife.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestGroupLife = GroupLife.TestCase
