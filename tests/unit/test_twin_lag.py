"""How far the twin is behind: the platform measures it, and an alert for Prometheus watches the figure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from ioc import telemetry
from ioc.domain.kinds import AirReading
from ioc.ports import Slice, Topic, TopicPartition
from ioc.processing.worker import measure_twin_lag
from tests.support.engine_runs import make_event

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


def part(number: int, age_s: float, waiting: int) -> Slice:
    event = make_event("air.hong-gai", AirReading(pm25_ug_m3=1.0), NOW - timedelta(seconds=age_s))
    return Slice(
        partition=TopicPartition(Topic.EVENTS, number), first_offset=0, next_offset=1, end_offset=1 + waiting,
        items=[event],
    )  # fmt: skip


def test_a_log_that_is_read_to_its_end_has_no_lag_however_old_its_last_event():
    assert measure_twin_lag([part(0, 900, 0)], NOW) == timedelta(0)
    assert measure_twin_lag([], NOW) == timedelta(0)


def test_the_partition_that_is_furthest_behind_counts():
    assert measure_twin_lag([part(0, 5, 10), part(1, 75, 1), part(2, 300, 0)], NOW) == timedelta(seconds=75)


def test_the_alert_for_prometheus_watches_figures_that_exist():
    text = (Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8")
    rules = {rule["alert"]: rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]}
    assert rules["TwinLag"] == "max(ioc_twin_lag_seconds) > 60"
    assert "ioc_twin_lag_seconds" in [metric.name for metric in telemetry.twin_lag.collect()]
