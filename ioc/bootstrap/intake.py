"""The ingest role put together: feeds, their connectors, the push endpoint, and what the walls hear of the feeds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from datetime import timedelta

from connectors.definition import Surroundings
from connectors.intake import Intake
from connectors.registry import make_board, make_connectors
from connectors.status import FeedBoard
from connectors.supervisor import Supervisor
from connectors.transports.http_push import HttpPush
from ioc.api.services import IngestServices
from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.knowledge import load_definitions, load_feed_configs, load_feeds
from ioc.bootstrap.processing import GROUP
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import TopicPartition
from ioc.processing.worker import READ_TOPICS
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.feed_status import FeedStatusStore
from ioc.storage.outbox import enqueue
from ioc.storage.source_keys import SourceKeyStore

_log = logger("ingest")
_LAG_EVERY = timedelta(seconds=1)
_REPORT_EVERY = timedelta(seconds=2)


class Ingest:
    """Everything that runs in an ingest process."""

    def __init__(
        self, base: Foundations, supervisor: Supervisor, board: FeedBoard, lag: LagGauge, push: HttpPush
    ) -> None:
        self._base, self._supervisor, self._board, self._lag = base, supervisor, board, lag
        self._statuses = FeedStatusStore(base.database, base.clock)
        self.services = IngestServices(push=push, keys=SourceKeyStore(base.database, base.clock))

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervisor.run(), name="connectors")
            group.create_task(self._lag.run(), name="lag")
            group.create_task(self._report(), name="feed-status")

    async def _report(self) -> None:
        """Tell the api processes how the feeds stand; while the store is away they see that the report is old.

        What was heard before our start comes first: a report without it would say that those feeds never spoke.
        """
        has_recalled = False
        while True:
            try:
                if not has_recalled:
                    self._board.recall(await self._statuses.heard())
                    has_recalled = True
                statuses = self._board.statuses(self._base.clock.now())
                await self._statuses.report([status.to_wire() for status in statuses])
            except IocError as error:
                _log.debug("feed_status.waits", reason=str(error))
            await self._base.clock.sleep(_REPORT_EVERY)


class LagGauge:
    """How far the processing group is behind, looked up once a second: above a bound, ingest sheds load."""

    def __init__(self, base: Foundations, store: PostgresBatchStore) -> None:
        self._base, self._store = base, store
        self.count = 0

    async def run(self) -> None:
        """Look until cancelled. While log or store is away the last figure stands."""
        while True:
            try:
                self.count = await self._base.log.lag(await self._positions())
            except IocError as error:
                _log.debug("lag.unknown", reason=str(error))
            await self._base.clock.sleep(_LAG_EVERY)

    async def _positions(self) -> Mapping[TopicPartition, int]:
        log = self._base.log
        partitions = frozenset(
            TopicPartition(topic, number) for topic in READ_TOPICS for number in range(log.partition_count(topic))
        )
        known = await self._store.positions(GROUP, partitions)
        return {partition: known.get(partition, 0) for partition in partitions}


def make_ingest(base: Foundations) -> Ingest:
    """Make the ingest role over the deployment's log and store.

    Raises:
        ConfigurationError: a feed's configuration has faults.
    """
    settings = base.settings
    configs = load_feed_configs(settings)
    feeds = load_feeds(settings, base.keys, base.geo_directory)
    board = make_board(feeds.values())
    lag = LagGauge(base, PostgresBatchStore(base.database, alerts=AlertWriter(enqueue)))
    intake = Intake(base.log, board=board, lag_count=lambda: lag.count, shed_lag=settings.http.shed_lag)
    around = Surroundings(
        clock=base.clock,
        mqtt_url=settings.feeds.mqtt_url,
        nmea_url=settings.feeds.nmea_url,
        client_id=f"qn-ioc-{socket.gethostname()[:40]}",
    )
    connectors = make_connectors(feeds, around, configs=configs, definitions=load_definitions(settings))
    supervisor = Supervisor(connectors, intake, board, base.clock, random=base.random)
    return Ingest(base, supervisor, board, lag, HttpPush(feeds, intake, base.clock))
