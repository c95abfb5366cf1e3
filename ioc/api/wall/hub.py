"""The hub: follows the log and the alert journal, ticks once a second, hands the same bytes to every wall in step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from alerts import vn_aqi
from geo.zones import ZoneIndex
from ioc import telemetry
from ioc.api.views import ALERT_FIELDS, to_alert_event, to_alert_row
from ioc.api.wall import kpi, protocol
from ioc.api.wall.channels import LogChannel, StateChannel
from ioc.api.wall.picture import FIELDS, GONE_AFTER, LATEST_KINDS, Names, Picture
from ioc.api.wall.session import Session
from ioc.domain.alerts import Alert, AlertEvent
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading, Payload
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Batch, Clock, EventLog, Topic
from ioc.retry import Backoff
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.series import HistoryStore

_log = logger("wall.hub")

HEARTBEAT = timedelta(seconds=10)
TICK = timedelta(seconds=1)
SWEEP_TICKS = 2
LOOK_AGAIN = timedelta(seconds=15)
"""The store is read a second time: what was on its way through the worker at our start is there by then."""

FEED_FIELDS = (
    "id", "state", "last_at", "received_at", "rate_per_min", "expected_period_s", "assets", "dead_letters",
)  # fmt: skip

FeedStatuses = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


class WallHub:
    """All walls of this process.

    Args:
        log: events come from its end.
        history: the newest readings at start.
        alerts: the alert journal.
        feed_statuses: every feed's status, as on the wire.
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
        zones: ZoneIndex,
        stale_after: Mapping[type[Payload], timedelta],
        name_of: Names,
        clock: Clock,
        random: Random,
        tick: timedelta = TICK,
    ) -> None:
        self._log, self._history, self._alerts, self._feed_statuses = log, history, alerts, feed_statuses
        self._clock, self._random, self._tick = clock, random, tick
        epoch = self.now_ms()
        fields = {**FIELDS, "kpi:province": kpi.FIELDS, "feeds": FEED_FIELDS}
        self.states = {name: StateChannel(name, names, epoch=epoch) for name, names in fields.items()}
        self.alert_channel = LogChannel("alerts", ALERT_FIELDS)
        self._picture = Picture(
            {name: self.states[name] for name in FIELDS}, zones=zones, stale_after=stale_after, name_of=name_of
        )
        self._figures = kpi.KeyFigures(self._picture)
        self._open: dict[str, Alert] = {}
        self._sessions: set[Session] = set()
        self._feeds: Sequence[Mapping[str, Any]] = ()
        self._lag_ms = 0
        self.is_following = False

    def now_ms(self) -> int:
        """Give the clock in milliseconds since the epoch."""
        return round(self._clock.now().timestamp() * 1000)

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

    def follow(self, session: Session, name: str, resume: protocol.Resume | None, *, why: str | None = None) -> bool:
        """Start a wall on a channel; False when there is no such channel."""
        if name == self.alert_channel.name:
            session.follow_log(self.alert_channel, resume, why=why)
        elif (channel := self.states.get(name)) is not None:
            session.follow_state(channel, resume, why=why)
        else:
            return False
        return True

    async def run(self) -> None:
        """Live until cancelled. While log or store is away, walls keep what they have and its age shows."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self._follow_log), name="wall:log")
            group.create_task(self._keep(self._follow_alerts), name="wall:alerts")
            group.create_task(self._keep(self._look_again), name="wall:look-again")
            group.create_task(self._keep(self._watch_feeds), name="wall:feeds")
            group.create_task(self._beat(), name="wall:ticks")

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        waits = Backoff().waits(self._random)
        while True:
            try:
                await work()
                return
            except IocError as error:
                if not error.retryable:
                    raise
                _log.warning("hub.waits", work=work.__name__, reason=str(error))
            await self._clock.sleep(next(waits))

    async def _follow_log(self) -> None:
        is_filled = False
        async for batch in self._log.tail((Topic.EVENTS,)):
            if not is_filled:
                # Only now is it certain that the tail has begun: nothing can fall between it and the store.
                await self._fill()
                is_filled = self.is_following = True
            self._take(batch)

    async def _fill(self) -> None:
        now = self._clock.now()
        events = await self._history.latest_events(since=now - GONE_AFTER)
        self._picture.take(events, now)
        air = await self._history.events_since(AirReading.KIND, now - timedelta(hours=vn_aqi.HOURS))
        self._picture.learn_air(air, now)

    async def _look_again(self) -> None:
        await self._clock.sleep(LOOK_AGAIN)
        await self._fill()

    def _take(self, batch: Batch) -> None:
        now = self._clock.now()
        for part in batch.slices:
            events = [item for item in part.items if isinstance(item, Event) and isinstance(item.data, LATEST_KINDS)]
            if events:
                self._picture.take(events, now)
                self._lag_ms = max(self._lag_ms, _to_lag_ms(now, events[-1].received_at))

    async def _follow_alerts(self) -> None:
        last = await self._alerts.last_event_id()
        self._open = {str(alert.alert_id): alert for alert in await self._alerts.open_alerts() if not alert.shadow}
        self.alert_channel.begin(last, ((key, to_alert_row(alert)) for key, alert in self._open.items()))
        for session in self._sessions:
            if self.alert_channel.name in session.logs:
                session.follow_log(self.alert_channel, None, why="old")
        async for events in self._alerts.follow(last):
            for event in events:
                self._take_alert(event)

    def _take_alert(self, event: AlertEvent) -> None:
        if event.alert.shadow:
            return
        key = str(event.alert_id)
        known = self._open.get(key)
        if known is None or known.revision <= event.alert.revision:
            if event.alert.is_open:
                self._open[key] = event.alert
                self.alert_channel.rows[key] = to_alert_row(event.alert)
            else:
                self._open.pop(key, None)
                self.alert_channel.rows.pop(key, None)
        frame = self.alert_channel.append(event.event_id, to_alert_event(event), self.now_ms())
        if frame is not None:
            for session in self._sessions:
                if self.alert_channel.name in session.logs:
                    session.post(frame)
            telemetry.wall_frames.labels("ev").inc(len(self._sessions))

    async def _watch_feeds(self) -> None:
        while True:
            self._feeds = await self._feed_statuses()
            channel = self.states["feeds"]
            for status in self._feeds:
                channel.put(status["feed_id"], [status["feed_id"], *(status[name] for name in FEED_FIELDS[1:])])
            await self._clock.sleep(2 * TICK)

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
        for row in self._figures.rows(now, feeds=self._feeds, open_alert_count=len(self._open)):
            channel.put(row[0], row)

    def _send_deltas(self) -> None:
        at_ms = self.now_ms()
        for channel in self.states.values():
            frame = channel.tick(at_ms)
            if frame is not None:
                for session in self._sessions:
                    session.offer(channel, frame)
        telemetry.wall_frames.labels("d").inc(len(self._sessions))

    def _send_heartbeat(self) -> None:
        seqs = {name: channel.seq for name, channel in self.states.items()} | {"alerts": self.alert_channel.seq}
        frame = protocol.encode("hb", self.now_ms(), seqs=seqs, lag_ms=self._lag_ms)
        self._lag_ms = 0
        for session in self._sessions:
            session.post(frame)


def _to_lag_ms(now: datetime, received_at: datetime) -> int:
    return max(0, round((now - received_at).total_seconds() * 1000))
