"""The notifier: sorts what happened to alerts into groups, and tells the departments. Any number may run.

Who sorts holds the journal's position, who decides a group holds its row; what is told is written in the transaction
of the decision, so two replicas never tell the same, and one that dies in between has told nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from alerts.notification.covering import Covering
from alerts.notification.escalation import Ladder, climb
from alerts.notification.inhibition import Inhibitors, source_rules
from alerts.notification.labels import labels_of
from alerts.notification.policy import Policy, walk
from alerts.notification.suppression import Holds, why_suppressed
from alerts.notification.telling import Plan, plan
from ioc.domain.alerts import Alert, ChangeType
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.processing.tellings import FLOOD_MEMORY, tell_group, tell_level
from ioc.retry import Backoff
from ioc.storage.notification_groups import Group
from ioc.storage.notification_ladders import Climber
from ioc.storage.notification_work import NotificationWork, open_work
from ioc.storage.pool import Database

_log = logger("notifier")
POLL = timedelta(milliseconds=250)
TIDY = timedelta(hours=1)
KEPT = timedelta(days=90)
_JOURNAL, _GROUPS, _CLIMBERS = 2_000, 50, 100
_NO_NEWS = frozenset(
    {ChangeType.UPDATED, ChangeType.COMMENTED, ChangeType.ASSIGNED, ChangeType.NO_DATA, ChangeType.RECOVERING}
)
_MAY_COME = frozenset({ChangeType.UPDATED, ChangeType.NO_DATA, ChangeType.RECOVERING})
_MAY_JOIN = frozenset(
    {ChangeType.FIRED, ChangeType.SEVERITY, ChangeType.SEVERITY_SET, ChangeType.UNSHELVED, ChangeType.RETURNED}
)


class Notifier:
    """Tells departments what the policy says.

    Args:
        database: the store.
        policy: who is told what.
        clock: the time of decisions.
        random: jitter while the store is away.
    """

    def __init__(self, database: Database, policy: Policy, clock: Clock, random: Random) -> None:
        self._database, self._policy, self._clock, self._random = database, policy, clock, random
        self._covering = Covering(policy)

    async def run(self) -> None:
        """Live until cancelled. While the store is away, wait and try again; nothing is told twice or forgotten."""
        waits = Backoff().waits(self._random)
        tidy_at = self._clock.now()
        while True:
            try:
                if self._clock.now() >= tidy_at:
                    async with open_work(self._database) as work:
                        await work.log.forget(self._clock.now() - KEPT)
                    tidy_at = self._clock.now() + TIDY
                busy = await self.step()
            except IocError as error:
                if not error.retryable:
                    raise
                _log.error("notifier.waits", reason=str(error))
                await self._clock.sleep(next(waits))
                continue
            waits = Backoff().waits(self._random)
            if not busy:
                await self._clock.sleep(POLL)

    async def step(self) -> bool:
        """Do what is to be done now, once; whether there may be more."""
        sorted_count = await self._sort()
        told_count = await self._tell()
        climbed_count = await self._escalate()
        return sorted_count >= _JOURNAL or told_count >= _GROUPS or climbed_count >= _CLIMBERS

    async def _sort(self) -> int:
        now = self._clock.now()
        async with open_work(self._database) as work:
            happenings = await work.journal.take(limit=_JOURNAL)
            if not happenings:
                return 0
            news = [item for item in happenings if item.type not in _NO_NEWS]
            updated = {item.alert_id for item in happenings if item.type in _MAY_COME}
            come = await work.journal.come_to_list(sorted(updated)) if updated else []
            if news or come:
                # Ids in order: every writer that locks several rows takes them in one order.
                touched = sorted({item.alert_id for item in news}.union(come))
                joining = {item.alert_id for item in news if item.type in _MAY_JOIN}.union(come)
                await self._join(
                    work, [alert for alert in await work.journal.alerts(touched) if alert.alert_id in joining], now
                )
                await work.journal.wake(touched, now)
            await work.journal.move_position(happenings[-1].event_id)
        return len(happenings)

    async def _join(self, work: NotificationWork, alerts: list[Alert], now: datetime) -> None:
        alerts = [alert for alert in alerts if alert.ended_at is None and not alert.shadow]
        known = await work.journal.routes_of([alert.alert_id for alert in alerts])
        routed = [(item, alert) for alert in alerts for item in self._policy.route(labels_of(alert))]
        pairs = [(item, alert.alert_id) for item, alert in routed if (alert.alert_id, item.route.route_id) not in known]
        if pairs:
            await work.journal.join(pairs, now)
        # Whoever took note before we looked has only put the ladder off.
        # Of several ladders an alert climbs that of the first route that takes it.
        ladders = {alert.alert_id: ladder_id for item, alert in reversed(routed) if (ladder_id := item.route.ladder_id)}
        if ladders:
            await work.journal.watch(list(ladders.items()), now)

    async def _tell(self) -> int:
        now = self._clock.now()
        async with open_work(self._database) as work:
            groups = await work.groups.due(now, limit=_GROUPS)
            if not groups:
                return 0
            holds = await self._holds(work, now)
            plans = [self._plan(group, holds, now) for group in groups]
            told = [(group, made) for group, made in zip(groups, plans, strict=True) if made.verdict.notify]
            if told:
                departments = sorted({name for group, _ in told for name in group.departments})
                history = await work.log.told_since(departments, now - FLOOD_MEMORY)
                receivers = await work.log.receivers(departments)
                for group, made in told:
                    await work.log.tell(
                        tell_group(group, made, receivers=receivers, told=history, limits=self._policy.flood, now=now)
                    )
            for group, made in zip(groups, plans, strict=True):
                await work.groups.save(group, made, now)
        return len(groups)

    def _plan(self, group: Group, holds: Holds, now: datetime) -> Plan:
        told = () if group.log is None else group.log.firing
        covers = self._covering.find(group.route_id, group.departments, group.elsewhere, told)
        return plan(group.log, group.members, holds, self._policy.timing_of(group.route_id), now, covers)

    async def _holds(self, work: NotificationWork, now: datetime) -> Holds:
        inhibitions = self._policy.inhibitions
        sources = await work.firing(source_rules(inhibitions)) if inhibitions else []
        return Holds(
            silences=await work.silences(now),
            windows=self._policy.windows,
            inhibitors=Inhibitors(inhibitions, [(alert.alert_id, labels_of(alert)) for alert in sources]),
        )

    async def _escalate(self) -> int:
        now = self._clock.now()
        async with open_work(self._database) as work:
            climbers = await work.ladders.due(now, limit=_CLIMBERS)
            if not climbers:
                return 0
            holds = await self._holds(work, now)
            for climber in climbers:
                ladder = self._policy.find_ladder(climber.ladder_id)
                if ladder is None:
                    await work.ladders.end(climber.alert.alert_id)
                    continue
                is_off_route = not self._policy.is_on_ladder(labels_of(climber.alert), ladder.ladder_id)
                is_held = is_off_route or why_suppressed(climber.alert, holds, now) is not None
                climbed = climb(climber.alert, ladder, climber.rung, now=now, is_held=is_held)
                for number in climbed.due:
                    departments = ladder.levels[number - 1].departments
                    await self._tell_departments(work, climber, ladder, departments, number, now)
                if climbed.is_over and climber.alert.ended_at is not None:
                    await self._tell_ladder_end(work, climber, ladder, now)
                await work.ladders.keep(climber.alert.alert_id, climbed, now)
        return len(climbers)

    async def _tell_ladder_end(self, work: NotificationWork, climber: Climber, ladder: Ladder, now: datetime) -> None:
        """Tell those of the end who stand on no route of the alert: its ladder alone had told them."""
        routes = [route for route, _ in walk(self._policy.root) if route.ladder_id == ladder.ladder_id]
        if routes and not any(route.wants_ends for route in routes):
            return
        if departments := await work.log.told_on_ladder(climber.alert.alert_id):
            await self._tell_departments(work, climber, ladder, departments, None, now)

    async def _tell_departments(
        self, work: NotificationWork, climber: Climber, ladder: Ladder, departments: Sequence[str],
        number: int | None, now: datetime,
    ) -> None:  # fmt: skip
        receivers = await work.log.receivers(departments)
        await work.log.tell(
            tell_level(climber, ladder, departments, number, policy=self._policy, receivers=receivers, now=now)
        )
