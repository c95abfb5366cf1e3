"""The event log of a cluster: Apache Kafka. The only place that knows Kafka's client."""

from __future__ import annotations

from ioc.messaging.kafka.log import KafkaLog as KafkaLog
