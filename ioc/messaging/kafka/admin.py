"""Making the topics on the brokers what the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ioc.errors import LogUnavailableError
from ioc.messaging.kafka.connection import Connection
from ioc.messaging.topics import topic_configs
from ioc.ports import Topic

_NO_ERROR = 0
_TOPIC_ALREADY_EXISTS = 36
_MAJORITY_FROM = 3
"""From this many copies on, a write counts only when two brokers have it."""
_APPEARING_S = 0.05


async def apply_topics(connection: Connection, *, replication: int, retention: timedelta) -> list[str]:
    """Create the topics that are missing and set the retention of the others; say what was done, a line each.

    Partitions of a topic that is there are never changed: keys would move and readers' positions with them.
    """
    client = AIOKafkaAdminClient(
        bootstrap_servers=connection.bootstrap,
        client_id=connection.client_id,
        request_timeout_ms=connection.deadline_ms,
    )
    try:
        async with connection.asking("topics apply"):
            await client.start()
            described = {topic["topic"]: topic for topic in await client.describe_topics()}
        lines = []
        for topic in Topic:
            wanted = dict(topic_configs(topic, retention))
            if replication >= _MAJORITY_FROM:
                wanted["min.insync.replicas"] = "2"
            async with connection.asking(f"topic {connection.name(topic)}"):
                there = described.get(connection.name(topic))
                if there is None:
                    lines.append(await _create(client, connection, topic, replication, wanted))
                else:
                    lines.append(await _align(client, connection, topic, len(there["partitions"]), wanted))
        async with connection.asking("topics to appear"):
            await _until_all_appear(client, connection)
        return lines
    finally:
        async with connection.asking("closing"):
            await client.close()


async def delete_topics(connection: Connection) -> None:
    """Remove the log's topics with everything in them: for scratches."""
    client = AIOKafkaAdminClient(
        bootstrap_servers=connection.bootstrap,
        client_id=connection.client_id,
        request_timeout_ms=connection.deadline_ms,
    )
    try:
        async with connection.asking("topics delete"):
            await client.start()
            await client.delete_topics([connection.name(topic) for topic in Topic])
    finally:
        async with connection.asking("closing"):
            await client.close()


async def _create(
    client: AIOKafkaAdminClient, connection: Connection, topic: Topic, replication: int, configs: Mapping[str, str]
) -> str:
    name, count = connection.name(topic), connection.count(topic)
    answer = await client.create_topics([NewTopic(name, count, replication, topic_configs=dict(configs))])
    for _, code, *said in answer.topic_errors:
        if code not in (_NO_ERROR, _TOPIC_ALREADY_EXISTS):
            raise LogUnavailableError(
                f"Kafka at {connection.bootstrap} refused topic {name}: {said[0] if said else code}"
            )
    days = timedelta(milliseconds=int(configs["retention.ms"])) / timedelta(days=1)
    return f"{name}: created with {count} partition(s), {replication} replica(s), retention {days:g} days"


async def _until_all_appear(client: AIOKafkaAdminClient, connection: Connection) -> None:
    """Wait for what was just created: a broker answers before every broker's list of topics has it."""
    wanted = {connection.name(topic) for topic in Topic}
    while True:
        if wanted <= {topic["topic"] for topic in await client.describe_topics()}:
            return
        await asyncio.sleep(_APPEARING_S)


async def _align(
    client: AIOKafkaAdminClient, connection: Connection, topic: Topic, found_count: int, wanted: Mapping[str, str]
) -> str:
    name, count = connection.name(topic), connection.count(topic)
    if found_count != count:
        return (
            f"{name}: NOT changed: it has {found_count} partition(s), the settings say {count}; keys would move. "
            "Set log.partitions to what is there, or choose another log.topic_prefix"
        )
    own, effective = await _configs(client, name)
    changed = {key: value for key, value in wanted.items() if effective.get(key) != value}
    if not changed:
        return f"{name}: as wanted"
    # The request sets all of a topic's own configuration, so what operators added by hand goes along.
    for answer in await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {**own, **wanted})]):
        for code, said, *_ in answer.resources:
            if code != _NO_ERROR:
                raise LogUnavailableError(f"Kafka at {connection.bootstrap} refused to change topic {name}: {said}")
    return f"{name}: changed " + ", ".join(f"{key} {effective.get(key)} → {value}" for key, value in changed.items())


async def _configs(client: AIOKafkaAdminClient, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Read a topic's configuration: what is set on the topic itself, and all of what is in effect."""
    own: dict[str, str] = {}
    effective: dict[str, str] = {}
    answers: list[Any] = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    for answer in answers:
        for resource in answer.to_object()["resources"]:
            for entry in resource["config_entries"]:
                key, value = entry["config_names"], entry["config_value"]
                effective[key] = value
                # Source 1 is "set on this topic"; the oldest answer knows only whether a value is a default.
                if entry.get("config_source", 0 if entry.get("is_default") else 1) == 1:
                    own[key] = value
    return own, effective
