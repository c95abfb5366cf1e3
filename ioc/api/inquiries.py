"""Why nobody was told: reads what came, has the inquiry run beside everything else, and adds what alerts there were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial

from alerts.inquiry.answers import answer_all
from alerts.inquiry.asking import MOST_BEFORE, Answer, Fact, Finding, Question, Reason
from alerts.inquiry.succession import Succession
from alerts.inquiry.tenures import Source, Tenure
from alerts.language.rule import Rule
from alerts.world import World
from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.errors import InvalidRequestError, OverloadedError
from ioc.ports import Clock
from ioc.storage.known_assets import KnownAssets
from ioc.storage.notifications import NotificationStore
from ioc.storage.rule_alerts import RuleAlerts
from ioc.storage.stored_events import StoredEvents

LONGEST = timedelta(days=31)
MOST_EVENTS = 200_000
_MOST_ALERTS = 20
_SLICE = 500
"""Events that are stepped over before others may run."""

OnProgress = Callable[[int, datetime], None]


class Inquirer:
    """Answers why a rule told nobody, one question at a time.

    Args:
        open_events: gives what came, in the order of its arrival, for one question.
        alerts: what the rule made.
        assets: which assets were ever heard of.
        notifications: who was told of it.
        rules: gives the rules in force now, to name those that are near a name that nobody knows.
        tenures: gives what was in force under a rule's name in a time.
        world: what rules know of the province.
        clock: nothing is asked of the future.
        most_events: a question that needs more is refused.
    """

    def __init__(
        self,
        *,
        open_events: Callable[[], StoredEvents],
        alerts: RuleAlerts,
        assets: KnownAssets,
        notifications: NotificationStore,
        rules: Callable[[], Sequence[Rule]],
        tenures: Callable[[str, datetime, datetime], Awaitable[Sequence[Tenure]]],
        world: World,
        clock: Clock,
        most_events: int = MOST_EVENTS,
    ) -> None:
        self._open_events, self._alerts, self._notifications = open_events, alerts, notifications
        self._assets = assets
        self._rules, self._world, self._clock, self._most_events = rules, world, clock, most_events
        self._tenures, self._turn = tenures, asyncio.Lock()

    async def ask(self, question: Question, on_progress: OnProgress = lambda count, reached_at: None) -> Answer:
        """Answer a question.

        Raises:
            InvalidRequestError: the period is none, or too long; the rule is about an asset and none is named; more
                events lie in the rule's scope than are looked at.
            OverloadedError: another question is being answered.
        """
        now = self._clock.now()
        if not timedelta(0) < question.end - question.start <= LONGEST or question.start >= now:
            raise InvalidRequestError(
                "bad_range", f"`from` lies before `to` and before now, by at most {LONGEST.days} days"
            )
        question = replace(question, end=min(question.end, now))
        tenures = await self._tenures(question.rule_id, question.start - MOST_BEFORE, question.end)
        if not tenures:
            return Answer(question=question, rule=None, findings=[await self._find_missing_rule(question.rule_id)])
        if question.asset_id is not None:
            question = replace(question, asset_kinds=await self._assets.kinds_of(question.asset_id))
        succession = Succession(tenures, question, self._world)
        if succession.is_about_an_asset and question.asset_id is None:
            raise InvalidRequestError("asset_missing", f"the rule {question.rule_id} is about one asset: name it")
        if self._turn.locked():
            raise OverloadedError(retry_after=timedelta(seconds=5), reason="another inquiry is being made")
        stored = self._open_events()
        async with self._turn:
            is_heard = await self._run(succession, question.asset_id, stored, now, on_progress)
        alerts = await self._alerts.in_period(
            question.rule_id, asset_id=question.asset_id, start=question.start, end=question.end, limit=_MOST_ALERTS
        )
        more = [*await self._find_alerts(alerts), *_find_changed_files(succession, alerts)]
        if question.asset_id is not None and not is_heard:
            more += await self._find_unknown_asset(question.asset_id, succession)
        found = answer_all(succession, question, more, partial(_stood, alerts))
        return replace(found, unreadable_files=sorted(stored.unreadable_files))

    async def _run(
        self,
        inquiry: Succession,
        asset_id: str | None,
        stored: StoredEvents,
        now: datetime,
        on_progress: OnProgress,
    ) -> bool:
        """Have the inquiry look at what came; give whether anything of the asset was among it."""
        start, end = inquiry.reads_from, min(inquiry.reads_until, now + timedelta(minutes=1))
        count, is_heard = 0, False
        for need in inquiry.needs:
            count += await stored.count(kinds=need.kinds, start=start, end=end, asset_ids=need.asset_ids)
        self._refuse_too_many(count)
        streams = [
            stored.read(kinds=need.kinds, start=start, end=end, asset_ids=need.asset_ids) for need in inquiry.needs
        ]
        async with aclosing(merge(streams)) as merged:
            async for events in merged:
                self._refuse_too_many(inquiry.events_count + len(events))
                is_heard = is_heard or any(event.asset_id == asset_id for event in events)
                for place in range(0, len(events), _SLICE):
                    # In a thread, slice by slice: requests and walls go on beside it.
                    await asyncio.to_thread(inquiry.take, events[place : place + _SLICE])
                on_progress(inquiry.events_count, events[-1].received_at)
        await asyncio.to_thread(inquiry.finish)
        return is_heard

    def _refuse_too_many(self, count: int) -> None:
        if count > self._most_events:
            raise InvalidRequestError(
                "too_many_events",
                f"the rule would have to look at {count:,} events for this, at most are {self._most_events:,}:"
                " ask for a shorter period",
            )

    async def _find_missing_rule(self, rule_id: str) -> Finding:
        last_at = await self._alerts.find_last(rule_id)
        if last_at is not None:
            return Finding(reason=Reason.RETIRED, is_decisive=True, facts={"last_alert_at": last_at})
        near = get_close_matches(rule_id, [rule.rule_id for rule in self._rules()], n=3)
        return Finding(reason=Reason.RULE_UNKNOWN, is_decisive=True, facts={"near": near})

    async def _find_unknown_asset(self, asset_id: str, succession: Succession) -> list[Finding]:
        """Say so where nobody knows the asset: neither the province's registers nor anything that is stored."""
        if asset_id in self._world.names or await self._assets.is_heard_of(asset_id):
            return []
        kinds = {kind for need in succession.needs for kind in need.kinds}
        known = {name for name in self._world.names if "." in name} | {*await self._assets.of_kinds(sorted(kinds))}
        # In a thread: a whole fleet of names is not compared at once.
        near = await asyncio.to_thread(get_close_matches, asset_id, sorted(known), n=3)
        shown: list[Fact] = []
        for name in near:
            name_vi, name_en = self._world.name_of(name)
            shown.append({"asset_id": name, "name_vi": name_vi, "name_en": name_en})
        return [Finding(reason=Reason.ASSET_UNKNOWN, is_decisive=True, facts={"near": shown})]

    async def _find_alerts(self, alerts: Sequence[Alert]) -> list[Finding]:
        if not alerts:
            return []
        shown: list[Fact] = [await self._describe(alert) for alert in alerts]
        return [Finding(reason=Reason.FIRED, is_decisive=True, facts={"alerts": shown})]

    async def _describe(self, alert: Alert) -> dict[str, Fact]:
        """Say who was told of an alert, and what held it where it was held."""
        told = await self._notifications.notifications(alert_id=alert.alert_id)
        groups = await self._notifications.groups_of(alert.alert_id)
        return {
            "alert_id": str(alert.alert_id),
            "severity": alert.severity.value,
            "started_at": alert.started_at,
            "ended_at": alert.ended_at,
            "shadow": alert.shadow,
            "version": alert.rule_version,
            "told": [{name: row[name] for name in ("department", "at", "reason", "receivers_count")} for row in told],
            "held": [{"why": row["held_why"], "by": row["held_by"]} for row in groups if row["held_why"] is not None],
        }


def _stood(alerts: Sequence[Alert], start: datetime, end: datetime) -> bool:
    return any(alert.started_at < end and (alert.ended_at is None or alert.ended_at > start) for alert in alerts)


def _find_changed_files(succession: Succession, alerts: Sequence[Alert]) -> Iterator[Finding]:
    """Say where alerts of a stretch show that the file said something else than it does now."""
    for place, turn in enumerate(succession.asked):
        rule = turn.tenure.rule
        began = [alert for alert in alerts if turn.start <= alert.started_at < turn.end]
        if turn.tenure.source is Source.FILE and rule is not None:
            others = sorted({alert.rule_version for alert in began} - {rule.version})
            if others:
                facts: dict[str, Fact] = {"versions": others, "version": rule.version}
                yield Finding(reason=Reason.CHANGED_FILE, is_decisive=False, facts=facts, stretch=place)


async def merge(streams: Sequence[AsyncIterator[list[Event]]]) -> AsyncGenerator[list[Event], None]:
    """Merge streams that are each in the order of arrival into one; closes them when it is closed."""
    try:
        async for events in _merge(streams):
            yield events
    finally:
        for stream in streams:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()


async def _merge(streams: Sequence[AsyncIterator[list[Event]]]) -> AsyncIterator[list[Event]]:
    waiting: list[list[Event]] = [[] for _ in streams]
    going = set(range(len(streams)))
    while going or any(waiting):
        for place in sorted(going):
            if not waiting[place]:
                waiting[place] = await anext(streams[place], [])
                if not waiting[place]:
                    going.discard(place)
        # Beyond the last event of a stream that goes on, another of it may still come first.
        edge = min((_order(waiting[place][-1]) for place in going), default=None)
        ready: list[Event] = []
        for place, events in enumerate(waiting):
            count = len(events) if edge is None else sum(_order(event) <= edge for event in events)
            ready += events[:count]
            waiting[place] = events[count:]
        if ready:
            yield sorted(ready, key=_order)


def _order(event: Event) -> tuple[datetime, bytes]:
    return event.received_at, event.event_id
