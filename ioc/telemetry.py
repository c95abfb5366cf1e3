"""Prometheus metrics of the IOC itself, named ``ioc_*``. One registry per process, served at ``/metrics``."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

events_received = Counter("ioc_events_received_total", "Events that parsers made, by feed.", ["feed"])
records_rejected = Counter("ioc_records_rejected_total", "Records that went to the dead letters, by feed.", ["feed"])
datagrams_dropped = Counter(
    "ioc_datagrams_dropped_total", "UDP datagrams dropped because the intake was too slow, by feed.", ["feed"]
)
feed_up = Gauge("ioc_feed_up", "1 while the feed's source is connected.", ["feed"])
events_stored = Counter("ioc_events_stored_total", "Events written to the store.")
events_duplicate = Counter("ioc_events_duplicate_total", "Events that the store had already.")
batches_committed = Counter("ioc_batches_committed_total", "Batches that the worker committed.")
batch_seconds = Histogram(
    "ioc_batch_seconds",
    "Time from reading a batch to its commit.",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
log_lag = Gauge("ioc_log_lag_items", "Items on the log that the worker has not read, by topic.", ["topic"])
twin_lag = Gauge(
    "ioc_twin_lag_seconds",
    "Age of the newest stored event while more wait behind it; 0 when the log is read to its end.",
)
alert_changes = Counter("ioc_alert_changes_total", "Decisions of the alert engine, by rule and type.", ["rule", "type"])
rule_faults = Counter("ioc_rule_faults_total", "Readings on which a rule failed, by rule.", ["rule"])
rule_cost_seconds = Counter(
    "ioc_rule_cost_seconds_total", "CPU time that rules took, estimated from sampled steps, by rule.", ["rule"]
)
alert_annunciations = Counter(
    "ioc_alert_annunciations_total", "Alerts that came to the operators as new, by severity.", ["severity"]
)
deliveries = Counter("ioc_deliveries_total", "Webhook attempts, by outcome.", ["outcome"])
indicator = Gauge("ioc_indicator", "Value of an indicator of the province; absent while it has none.", ["indicator"])
wall_sockets = Gauge("ioc_wall_sockets", "Connected walls.")
wall_frames = Counter("ioc_wall_frames_total", "Frames sent to walls, by type.", ["type"])
