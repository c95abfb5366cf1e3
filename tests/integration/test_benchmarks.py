"""Benchmarks that put parts of the program together by themselves still can."""

from __future__ import annotations

import uvloop

from tests.benchmarks.bench_wall import Load, serve_walls


def test_the_benchmark_of_walls_sees_what_it_measures():
    run = uvloop.run(serve_walls(Load(2, vessels=500, warm_s=3.0, measured_s=3.0)))
    assert run.latencies_ms
    assert run.bytes_s > 0
