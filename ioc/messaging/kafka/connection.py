"""What every conversation with the brokers shares: addresses, deadlines, and errors in the product's words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from ioc import cancellation
from ioc.errors import LogUnavailableError
from ioc.messaging.topics import partition_count, partitions_of, topic_name
from ioc.ports import Topic, TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the brokers are, what our topics are called there, and how long we wait for an answer."""

    bootstrap: str
    client_id: str
    prefix: str
    partitions: int
    deadline: timedelta

    @property
    def deadline_ms(self) -> int:
        """The deadline as Kafka's client takes it, a little shorter than ours, so that it gives up first."""
        return int(self.deadline.total_seconds() * 900)

    def name(self, topic: Topic) -> str:
        """Name a topic as the brokers know it."""
        return topic_name(self.prefix, topic)

    def topic_of(self, name: str) -> Topic:
        """Find the topic behind a broker's name."""
        return Topic(name.removeprefix(self.prefix))

    def count(self, topic: Topic) -> int:
        """Give the number of partitions of a topic."""
        return partition_count(topic, self.partitions)

    def all_of(self, topic: Topic) -> list[TopicPartition]:
        """List a topic's partitions."""
        return partitions_of(topic, self.partitions)

    def theirs(self, partition: TopicPartition) -> KafkaPartition:
        """Name a partition as Kafka's client does."""
        return KafkaPartition(self.name(partition.topic), partition.partition)

    def ours(self, partition: KafkaPartition) -> TopicPartition:
        """Name a partition as the port does."""
        return TopicPartition(self.topic_of(partition.topic), partition.partition)

    @asynccontextmanager
    async def asking(self, what: str) -> AsyncIterator[None]:
        """Put a deadline on a conversation and translate its errors.

        Raises:
            LogUnavailableError: the brokers did not answer, or refused.
        """
        try:
            async with cancellation.timeout(self.deadline.total_seconds()):
                yield
        except TimeoutError:
            seconds = self.deadline.total_seconds()
            raise LogUnavailableError(
                f"Kafka at {self.bootstrap} did not answer within {seconds:.0f} s ({what}); check that the brokers of "
                "log.kafka_bootstrap are up and reachable, and that `ioc topics apply` was run"
            ) from None
        except (KafkaError, OSError) as error:
            raise self.unavailable(what, error) from error

    async def dismiss(self, client: Any, network: Any) -> None:
        """Stop a client of the brokers, cleanly where they answer.

        ``network`` holds the client's connections. A client that is merely broken off leaves tasks and sockets behind;
        one whose connections are cut comes to its end by itself.
        """
        with contextlib.suppress(TimeoutError):
            async with cancellation.timeout(self.deadline.total_seconds() * 3), asyncio.TaskGroup() as tasks:
                cutting = tasks.create_task(self._cut(network), name="kafka-cut")
                await self._stop(client)
                cutting.cancel()
                await network.close()

    async def _stop(self, client: Any) -> None:
        try:
            await client.stop()
        except (KafkaError, OSError):
            pass
        except asyncio.CancelledError:
            # The client lets out the cancellation of a fetch of its own that was waiting to try again.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    async def _cut(self, network: Any) -> None:
        while True:
            await asyncio.sleep(self.deadline.total_seconds())
            await network.close()

    def unavailable(self, what: str, error: BaseException) -> LogUnavailableError:
        """Say what went wrong with the brokers and what to do."""
        said = str(error) or type(error).__name__
        return LogUnavailableError(
            f"Kafka at {self.bootstrap}: {what}: {said}; check that the brokers of log.kafka_bootstrap are up and "
            "reachable, and that `ioc topics apply` was run"
        )
