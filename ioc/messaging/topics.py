"""The log's topics: their names, how many parts they have, and what a broker should know about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ioc.ports import Topic, TopicPartition

MAX_RECORD_BYTES = 8 * 1024 * 1024
"""Largest record: a dead letter holds a whole HTTP body (4 MiB) and its reason."""

DEAD_LETTER_KEEP_FACTOR = 4
"""Dead letters are few and wait for people, so they outlive readings on the log by this factor."""


def topic_name(prefix: str, topic: Topic) -> str:
    """Name a topic as the broker, or the embedded file, knows it."""
    return f"{prefix}{topic.value}"


def partition_count(topic: Topic, partitions: int) -> int:
    """Say how many partitions a topic has where ``partitions`` are set: dead letters need only one."""
    return 1 if topic is Topic.DEAD_LETTERS else partitions


def partitions_of(topic: Topic, partitions: int) -> list[TopicPartition]:
    """List a topic's partitions in order."""
    return [TopicPartition(topic, number) for number in range(partition_count(topic, partitions))]


def retention_of(topic: Topic, retention: timedelta) -> timedelta:
    """Say how long a topic keeps its items where ``retention`` is set."""
    return retention * DEAD_LETTER_KEEP_FACTOR if topic is Topic.DEAD_LETTERS else retention


def topic_configs(topic: Topic, retention: timedelta) -> Mapping[str, str]:
    """Give a Kafka topic's configuration (names and values as ``kafka-configs`` knows them)."""
    configs = {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "retention.ms": str(int(retention_of(topic, retention) / timedelta(milliseconds=1))),
    }
    if topic is Topic.DEAD_LETTERS:
        configs["max.message.bytes"] = str(MAX_RECORD_BYTES + 64 * 1024)
    return configs
