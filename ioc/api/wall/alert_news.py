"""The channel of alerts, kept up with the journal: what is open, and every change in its order."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta

from ioc import telemetry
from ioc.api.views import ALERT_FIELDS, now_ms, to_alert_event, to_alert_row
from ioc.api.wall.channels import LogChannel
from ioc.api.wall.session import Session
from ioc.domain.alerts import Alert, AlertEvent
from ioc.indicators.board import Board
from ioc.ports import Clock
from ioc.storage.alerts import PostgresAlertStore

PRELUDE = 1_000
"""Journal entries that are kept at start for walls that resume from another process."""
_TOUCHED = timedelta(hours=24)


class AlertNews:
    """Follows the journal for all walls of this process.

    Args:
        alerts: the alert journal.
        board: hears of every alert, for its indicators.
        sessions: the walls that are connected.
        clock: time of frames.
    """

    def __init__(self, alerts: PostgresAlertStore, board: Board, sessions: AbstractSet[Session], clock: Clock) -> None:
        self._alerts, self._board, self._sessions, self._clock = alerts, board, sessions, clock
        self.channel = LogChannel("alerts", ALERT_FIELDS)
        self._open: dict[str, Alert] = {}
        self._journal_at: int | None = None

    async def follow_alerts(self) -> None:
        """Live until cancelled.

        Raises:
            StoreUnavailableError: the store went away; follow again, nothing is skipped.
        """
        last = await self._alerts.last_event_id()
        if self._journal_at is None or last < self._journal_at:
            await self._read_journal(last)
            self._journal_at = last
        async for events in self._alerts.follow(self._journal_at):
            for event in events:
                self._take_alert(event)
            self._journal_at = events[-1].event_id
            for session in self._sessions:
                session.notice(self.channel)

    async def _read_journal(self, last: int) -> None:
        """Begin with what is open, and the newest entries for walls that come from another process."""
        channel, floor = self.channel, max(0, last - PRELUDE)
        entries = await self._alerts.events_after(floor, limit=PRELUDE)
        for alert in await self._alerts.alerts_touched_since(self._clock.now() - _TOUCHED):
            self._board.take_alert(alert)
        self._open = {str(alert.alert_id): alert for alert in await self._alerts.open_alerts() if not alert.shadow}
        for alert in self._open.values():
            self._board.take_alert(alert)
        channel.begin(last, ((key, to_alert_row(alert)) for key, alert in self._open.items()), floor=floor)
        for entry in entries:
            if entry.event_id <= last and not entry.alert.shadow:
                channel.append(entry.event_id, to_alert_event(entry), now_ms(self._clock))
        for session in self._sessions:
            if channel.name in session.channels:
                session.restart(channel)

    def _take_alert(self, event: AlertEvent) -> None:
        self._board.take_alert(event.alert)
        key = str(event.alert_id)
        known = self._open.get(key)
        # What goes on trial while walls show it is followed to its end: else they would show it for ever.
        if event.alert.shadow and known is None:
            return
        if known is None or known.revision <= event.alert.revision:
            if event.alert.is_open:
                self._open[key] = event.alert
                self.channel.rows[key] = to_alert_row(event.alert)
            else:
                self._open.pop(key, None)
                self.channel.rows.pop(key, None)
        if self.channel.append(event.event_id, to_alert_event(event), now_ms(self._clock)):
            telemetry.wall_frames.labels("ev").inc(len(self._sessions))
