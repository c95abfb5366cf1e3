"""The hub: follows the log and the alert journal, ticks once a second, hands the same bytes to every wall in step."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from geo.zones import ZoneIndex
from ioc import telemetry
from ioc.api.views import now_ms, to_ms
from ioc.api.wall.alert_news import AlertNews
from ioc.api.wall.channels import LogChannel, StateChannel
from ioc.api.wall.feed_states import FEED_FIELDS, FeedStates, FeedStatuses
from ioc.api.wall.judging import Judging
from ioc.api.wall.picture import FIELDS, KEPT, LATEST_KINDS, Names, Picture
from ioc.api.wall.session import Session
from ioc.domain.events import Event
from ioc.domain.kinds import Payload, VesselPosition
from ioc.errors import IocError
from ioc.indicators.board import COURSE_MINUTES, Board, Shown, Surroundings, make_indicators
from ioc.logs import logger
from ioc.ports import Batch, Clock, EventLog, Topic
from ioc.retry import Backoff
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.indicators import IndicatorStore, Sample
from ioc.storage.series import HistoryStore

_log = logger("wall.hub")

HEARTBEAT = timedelta(seconds=10)
TICK = timedelta(seconds=1)
SWEEP_TICKS = 2
LOOK_AGAIN = timedelta(seconds=15)
"""The store is read a second time: what was on its way through the worker at our start is there by then."""

_GOOD_RUN = timedelta(minutes=1)

INDICATOR_FIELDS = ("id", "value", "unit", "limit", "at", "q", "spark")


class WallHub:
    """All walls of this process.

    Args:
        log: events come from its end.
        history: the newest readings at start.
        alerts: the alert journal.
        indicators: what the indicators were before our start, and where they are kept.
        feed_statuses: every feed's status, as on the wire.
        judging: whether alerts are judged.
        zones: for the zone that a vessel is in.
        stale_after: silence after which a kind's reading is stale.
        name_of: name of a fixed asset.
        clock: time of ticks and frames.
        random: jitter of retries.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        history: HistoryStore,
        alerts: PostgresAlertStore,
        feed_statuses: FeedStatuses,
        judging: Judging,
        zones: ZoneIndex,
        indicators: IndicatorStore,
        stale_after: Mapping[type[Payload], timedelta],
        name_of: Names,
        clock: Clock,
        random: Random,
        tick: timedelta = TICK,
    ) -> None:
        self._log, self._history = log, history
        self._clock, self._random, self._tick = clock, random, tick
        epoch = self.now_ms()
        fields = {**FIELDS, "kpi:province": INDICATOR_FIELDS, "feeds": FEED_FIELDS}
        self.states = {name: StateChannel(name, names, epoch=epoch) for name, names in fields.items()}
        self._feeds = FeedStates(feed_statuses, self.states["feeds"], clock)
        self._picture = Picture(
            {name: self.states[name] for name in FIELDS}, zones=zones, stale_after=stale_after, name_of=name_of
        )
        self._indicators = indicators
        around = Surroundings(
            feeds=lambda: self._feeds.newest,
            vessels=lambda doing: self._picture.tally.counts[doing],
            vessels_heard=lambda now: self._picture.heard(VesselPosition, now),
        )
        self.board = Board(make_indicators(around, stale_after))
        self.shown: Sequence[Shown] = ()
        self._sessions: set[Session] = set()
        self._news = AlertNews(alerts, self.board, self._sessions, clock)
        self._lag_ms = 0
        self._has_filled = asyncio.Event()
        self.is_following = False
        self.judging = judging

    def now_ms(self) -> int:
        """Give the clock in milliseconds since the epoch."""
        return now_ms(self._clock)

    @property
    def session_count(self) -> int:
        """Walls that are connected."""
        return len(self._sessions)

    def join(self, session: Session) -> None:
        """Let a wall take part."""
        self._sessions.add(session)
        telemetry.wall_sockets.set(len(self._sessions))

    def leave(self, session: Session) -> None:
        """A wall has gone."""
        self._sessions.discard(session)
        telemetry.wall_sockets.set(len(self._sessions))

    def find_channel(self, name: str) -> StateChannel | LogChannel | None:
        """Give a channel by its name."""
        news = self._news.channel
        return news if name == news.name else self.states.get(name)

    async def run(self) -> None:
        """Live until cancelled. While log or store is away, walls keep what they have and its age shows."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self._follow_log), name="wall:log")
            group.create_task(self._keep(self._news.follow_alerts), name="wall:alerts")
            group.create_task(self._keep(self._look_again), name="wall:look-again")
            group.create_task(self._keep(self._feeds.watch_feeds), name="wall:feeds")
            group.create_task(self.judging.watch(), name="wall:judging")
            group.create_task(self._keep(self._record_indicators), name="wall:indicators")
            group.create_task(self._beat(), name="wall:ticks")

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        waits = Backoff().waits(self._random)
        while True:
            began_at = self._clock.now()
            try:
                await work()
                return
            except IocError as error:
                if not error.retryable:
                    raise
                _log.warning("hub.waits", work=work.__name__, reason=str(error))
            if self._clock.now() - began_at > _GOOD_RUN:
                waits = Backoff().waits(self._random)
            await self._clock.sleep(next(waits))

    async def _follow_log(self) -> None:
        is_filled = False
        async for batch in self._log.tail((Topic.EVENTS,)):
            if not is_filled:
                # Only now is it certain that the tail has begun: nothing can fall between it and the store.
                await self._fill()
                is_filled = self.is_following = True
                self._has_filled.set()
            self._take(batch)

    async def _fill(self) -> None:
        now = self._clock.now()
        kept = [kind.KIND for kind in LATEST_KINDS]
        self._picture.take(await self._history.latest_events(kinds=kept, since=now - KEPT), now)
        # However old: a task that was done months ago is done.
        told_by_newest = [kind.KIND for kind in self.board.told_by_newest]
        self.board.take(await self._history.latest_events(kinds=told_by_newest))
        for kind, span in self.board.look_back.items():
            async for readings in self._history.events_since(kind.KIND, now - span):
                self.board.take(readings)
                self._picture.learn_air(readings)
        self._picture.show_air(now)

    async def _look_again(self) -> None:
        while True:
            await self._has_filled.wait()
            self._has_filled.clear()
            await self._clock.sleep(LOOK_AGAIN)
            await self._fill()

    def _take(self, batch: Batch) -> None:
        now = self._clock.now()
        for part in batch.slices:
            events = [item for item in part.items if isinstance(item, Event)]
            self.board.take(events)
            self._picture.take([event for event in events if _is_kept(event)], now)
            if events:
                self._lag_ms = max(self._lag_ms, _to_lag_ms(now, events[-1].received_at))

    async def _beat(self) -> None:
        ticks = 0
        beat_at = self._clock.now()
        while True:
            await self._clock.sleep(self._tick)
            ticks += 1
            now = self._clock.now()
            if ticks % SWEEP_TICKS == 0:
                self._picture.sweep(now)
            self._show_figures(now)
            self._send_deltas()
            if now - beat_at >= HEARTBEAT:
                beat_at = now
                self._send_heartbeat()

    def _show_figures(self, now: datetime) -> None:
        channel = self.states["kpi:province"]
        self.shown = self.board.show(now)
        for definition, figure, course in self.shown:
            name, limit = definition.indicator_id, definition.limit if figure.limit is None else figure.limit
            row = [name, figure.value, definition.unit, limit, to_ms(figure.at), int(figure.quality), course]
            channel.put(name, row)
            telemetry.indicator.labels(name).set(math.nan if figure.value is None else figure.value)

    async def _record_indicators(self) -> None:
        """Keep a sample a minute; before the first, take up the courses that are there."""
        minute = _to_minute(self._clock.now())
        self.board.recall(await self._indicators.courses(until=minute, minutes=COURSE_MINUTES), minute)
        while True:
            await self._clock.sleep(minute + timedelta(minutes=1) - self._clock.now())
            minute = _to_minute(self._clock.now())
            samples = [
                Sample(definition.indicator_id, figure.value, int(figure.quality), figure.at)
                for definition, figure, _ in self.shown
            ]
            if samples and self.is_following:
                await self._indicators.record(minute, samples)

    def _send_deltas(self) -> None:
        at_ms = self.now_ms()
        for channel in self.states.values():
            frame = channel.tick(at_ms)
            if frame is not None:
                for session in self._sessions:
                    session.offer(channel, frame)
                telemetry.wall_frames.labels("d").inc(len(self._sessions))

    def _send_heartbeat(self) -> None:
        unjudged_since = to_ms(self.judging.unjudged_since)
        for session in self._sessions:
            session.beat(self._lag_ms, unjudged_since)
        telemetry.wall_frames.labels("hb").inc(len(self._sessions))
        self._lag_ms = 0


def _to_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _is_kept(event: Event) -> bool:
    return isinstance(event.data, LATEST_KINDS)


def _to_lag_ms(now: datetime, received_at: datetime) -> int:
    return max(0, round((now - received_at).total_seconds() * 1000))
