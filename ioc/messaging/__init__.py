"""The event log: Kafka for a cluster, one durable file for a single machine, one contract for both."""
