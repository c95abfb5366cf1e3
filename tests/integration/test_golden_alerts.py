"""Same input and seed, same alert changes, byte by byte: against stored files, and on both deployments."""

from __future__ import annotations

import pytest

from tests.support.golden import CASES, Golden, make_settings, play


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_scenario_leads_to_the_stored_alert_changes(case: Golden, plain_postgres_url, fresh_database, tmp_path):
    settings = make_settings(tmp_path, await fresh_database(plain_postgres_url))
    summary, changes = await play(case, settings, tmp_path)
    assert summary.is_balanced
    assert changes.count(b"\n") >= 2
    assert changes == case.file.read_bytes(), "renew with: python -m tests.golden --write"


@pytest.mark.kafka
@pytest.mark.timescaledb
async def test_kafka_and_timescaledb_decide_alike(timescaledb_apache_url, kafka_bootstrap, fresh_database, tmp_path):
    case = CASES[0]
    settings = make_settings(tmp_path, await fresh_database(timescaledb_apache_url), kafka_bootstrap=kafka_bootstrap)
    summary, changes = await play(case, settings, tmp_path)
    assert summary.is_balanced
    assert changes == case.file.read_bytes()
