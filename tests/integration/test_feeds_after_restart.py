"""What is known of the feeds after a restart of ingest: each stands as it follows from when it delivered last."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from connectors.registry import make_board
from connectors.status import FeedState
from ioc.bootstrap.foundations import open_foundations
from ioc.bootstrap.intake import make_ingest
from ioc.bootstrap.knowledge import load_feeds
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import CitizenReport, Outage, Payload, UnitReport
from ioc.settings import Settings
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.feed_status import FeedStatusStore
from ioc.storage.outbox import enqueue
from tests.support.edge import SCHEMA, SECTION
from tests.support.feeds import RECEIVED_AT, SteppedClock, eventually

FEEDS = ("units", "energy", "citizens", "passengers")


def said(feed_id: str, asset_id: str, data: Payload, minute: float) -> Event:
    at = RECEIVED_AT + timedelta(minutes=minute)
    return Event(
        event_id=event_id(feed_id, asset_id, at, data.KIND), feed_id=feed_id, asset_id=asset_id, observed_at=at,
        received_at=at, data=data,
    )  # fmt: skip


async def test_each_feed_stands_as_follows_from_when_it_delivered_last(tmp_path: Path, address: str):
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "store": {"url": address, "schema_name": SCHEMA},
            "secrets": SECTION,
            "feeds": {"enabled": FEEDS},
        }
    )
    clock = SteppedClock(RECEIVED_AT)
    async with open_foundations(settings, clock=clock) as base:
        statuses = FeedStatusStore(base.database, clock)
        board = make_board(load_feeds(settings, base.keys, base.geo_directory).values())
        for event in (
            said(
                "units",
                "unit.06652",
                UnitReport(report_on=RECEIVED_AT.date(), status="submitted", due_at=RECEIVED_AT),
                -60,
            ),
            said("energy", "unit.06652", Outage(customers_off_count=4906), -10),
        ):
            monitor = board.monitor(event.feed_id)
            assert monitor is not None
            monitor.note([event], received_at=event.received_at)
        await statuses.report([status.to_wire() for status in board.statuses(clock.now())])
        # This one came after the last report before the kill.
        late = said("citizens", "report.1", CitizenReport(category="road", status="new"), 0.01)
        async with PostgresBatchStore(base.database, alerts=AlertWriter(enqueue)).begin("process") as transaction:
            await transaction.record([late])
        await clock.step(timedelta(seconds=3))

        running = asyncio.create_task(make_ingest(base).run())
        try:
            # It has reported, and waits for its next time.
            await eventually(lambda: timedelta(seconds=2) in clock.slept)
            found = await statuses.statuses()
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert {status["feed_id"]: (status["state"], status["received_at"]) for status in found} == {
        "units": (FeedState.LIVE, to_ms(-60)),
        "energy": (FeedState.LOST, to_ms(-10)),
        "citizens": (FeedState.LIVE, to_ms(0.01)),
        "passengers": (FeedState.NEVER, None),
    }
    assert all(status["last_at"] == status["received_at"] for status in found)


def to_ms(minute: float) -> int:
    return round((RECEIVED_AT + timedelta(minutes=minute)).timestamp() * 1000)
