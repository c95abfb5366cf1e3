"""The indicators over HTTP and after a restart: now with their method, over time from what was kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ioc.storage.indicators import IndicatorStore, Sample

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PATH = "/api/v1/indicators/kpi.customers_off"


async def _record(store: IndicatorStore, values: list[float | None]) -> None:
    for number, value in enumerate(values):
        at = START + timedelta(minutes=number)
        await store.record(at, [Sample("kpi.customers_off", value, 0, at), Sample("kpi.aqi_max", 9, 2, None)])


async def test_every_indicator_comes_with_its_method_time_and_limit(viewer):
    items = (await viewer.get("/api/v1/indicators")).json()["items"]
    assert [items[0]["id"], items[1]["id"], len(items)] == ["kpi.alerts_open", "kpi.feeds_fresh_pct", 21]
    for item in items:
        assert item["method_vi"].endswith(".")
        assert item["method_en"].endswith(".")
        assert {"value", "at", "quality", "limit", "unit", "is_floor", "course"} <= item.keys()
    assert items[0]["value"] == 0


async def test_the_course_of_an_indicator_comes_in_stretches(edge, viewer):
    await _record(edge.api.indicators, [float(number) for number in range(60)])
    asked = {"from": START.isoformat(), "to": (START + timedelta(hours=1)).isoformat(), "bucket": "15m"}
    answer = (await viewer.get(PATH, params=asked)).json()
    assert [point[1:] for point in answer["points"]] == [
        [7.0, 0.0, 14.0, 0], [22.0, 15.0, 29.0, 0], [37.0, 30.0, 44.0, 0], [52.0, 45.0, 59.0, 0]
    ]  # fmt: skip
    assert answer["points"][0][0] == START.timestamp() * 1000
    assert not answer["truncated"]
    cut = (await viewer.get(PATH, params={**asked, "bucket": "1m", "limit": 10})).json()
    assert (len(cut["points"]), cut["truncated"]) == (10, True)


async def test_what_a_second_process_says_of_the_same_minute_changes_nothing(edge, viewer):
    store = edge.api.indicators
    await store.record(START, [Sample("kpi.customers_off", 5.0, 0, START)])
    await store.record(START, [Sample("kpi.customers_off", 7.0, 0, START)])
    assert await store.courses(until=START, minutes=60) == {"kpi.customers_off": [5.0]}


async def test_a_minute_that_nobody_kept_is_a_gap_in_the_course(edge, viewer):
    store = edge.api.indicators
    for minute, value in ((0, 1.0), (1, None), (4, 4.0)):
        at = START + timedelta(minutes=minute)
        await store.record(at, [Sample("kpi.aqi_max", value, 0, at)])
    courses = await store.courses(until=START + timedelta(minutes=5), minutes=60)
    assert courses == {"kpi.aqi_max": [1.0, None, None, None, 4.0, None]}


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/api/v1/indicators/kpi.nothing", {}, 404),
        (PATH, {"from": "2026-11-23T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, 422),
        (PATH, {"from": "2020-11-23T00:00:00Z", "to": "2026-11-22T00:00:00Z"}, 422),
        (PATH, {"bucket": "3m"}, 422),
        (PATH, {"from": "0001-01-01T00:00:00+23:59"}, 422),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_reason(viewer, path, params, status):
    answer = await viewer.get(path, params=params)
    assert answer.status_code == status
    assert answer.json()["code"]
