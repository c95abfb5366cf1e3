"""``ioc rules`` on a deployment's store, as a supervisor types it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from ioc.cli import make_app
from ioc.errors import ConfigurationError, RefusedActionError
from tests.support.edge import prepare
from tests.support.rule_texts import crowd_rule


@pytest.fixture
async def call(tmp_path, plain_postgres_url, fresh_database):
    address = await fresh_database(plain_postgres_url, prepare=prepare)
    environment = {"IOC_DATA_DIR": str(tmp_path), "IOC_STORE__URL": address, "IOC_STORE__SCHEMA_NAME": "ioc"}

    async def run(*arguments, fails=False):
        # The command has an event loop of its own, so it gets a thread of its own.
        result = await asyncio.to_thread(
            CliRunner().invoke, make_app(), ["rules", *map(str, arguments)], env=environment
        )
        assert (result.exception is not None) == fails, result.output
        return result.exception if fails else result.stdout

    return run


async def test_a_rule_is_saved_tried_put_in_force_and_taken_back_with_names_and_reasons(call, tmp_path):
    path = tmp_path / "crowd.yaml"
    path.write_text(crowd_rule(3.0), encoding="utf-8")
    said = await call("save", path, "--reason", "lễ hội", "--as", "lan")
    assert said.startswith("crowd.density version 1 (")
    assert "1 tests passed" in said
    assert "version 1 beside it" in await call("activate", "crowd.density", 1, "--shadow", "--reason", "thử")
    assert "+0 −0" in await call("report", "crowd.density")
    assert "version 1 in force" in await call("activate", "crowd.density", 1, "--reason", "tốt hơn", "--as", "minh")
    item = next(item for item in json.loads(await call("list", "--json")) if item["id"] == "crowd.density")
    assert (item["source"], item["number"], item["author"], item["activated_by"]) == ("version", 1, "lan", "minh")
    assert item["candidates"] == []
    past = json.loads(await call("versions", "crowd.density", "--json"))
    assert [(entry["mode"], entry["state"]) for entry in past["activations"]] == [
        ("live", "version"), ("shadow", "off"), ("shadow", "version"),
    ]  # fmt: skip
    assert past["versions"][0]["source"] == crowd_rule(3.0)
    seen = past["activations"][0]["activation"]
    late = await call("roll-back", "crowd.density", "--reason", "nhầm", "--expected", seen - 1, fails=True)
    assert isinstance(late, RefusedActionError)
    back = await call("roll-back", "crowd.density", "--reason", "nhầm", "--expected", seen)
    assert "as in the files in force (rolled back)" in back
    assert "nothing in force" in await call("retire", "crowd.density", "--reason", "hết mùa")
    path.write_text(crowd_rule(3.0).replace("crowd.density", "crowd.hers", 1), encoding="utf-8")
    await call("save", path, "--reason", "mới")
    await call("activate", "crowd.hers", 1, "--reason", "mới")
    back = await call("roll-back", "crowd.hers", "--reason", "nhầm")
    assert "nothing (no file has this rule) in force (rolled back)" in back
    assert "as in the files" in await call("activate", "crowd.density", "file", "--reason", "lại")
    assert "crowd.density" in await call("list")
    assert "lễ hội" in await call("versions", "crowd.density")


async def test_instants_are_shown_in_the_time_in_which_they_are_read(call, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "crowd.yaml"
    path.write_text(crowd_rule(3.0), encoding="utf-8")
    await call("save", path, "--reason", "thử")
    await call("activate", "crowd.density", 1, "--shadow", "--reason", "thử")
    began_at = _in_province(json.loads(await call("report", "crowd.density", "--json"))["from"])
    said = await call("report", "crowd.density")
    assert f"version 1, {began_at:%Y-%m-%d %H:%M} to " in said
    assert "(UTC+7):" in said
    found = json.loads(await call("versions", "crowd.density", "--json"))
    shown = await call("versions", "crowd.density")
    assert f"{_in_province(found['versions'][0]['created_at']):%Y-%m-%d %H:%M}" in shown
    assert f"{_in_province(found['activations'][0]['at']):%Y-%m-%d %H:%M:%S}" in shown
    assert "(UTC)" not in shown


def _in_province(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo("Asia/Ho_Chi_Minh"))


async def test_what_is_wrong_is_said(call, tmp_path):
    path = tmp_path / "crowd.yaml"
    path.write_text(crowd_rule().replace("severity: major", "severity: huge", 1), encoding="utf-8")
    refused = await call("save", path, "--reason", "thử", fails=True)
    assert isinstance(refused, ConfigurationError)
    assert f"{path}:5: " in str(refused)
    path.write_text(crowd_rule(has_test=False), encoding="utf-8")
    await call("save", path, "--reason", "thử")
    assert isinstance(await call("activate", "crowd.density", 1, "--reason", "x", fails=True), RefusedActionError)
    assert isinstance(await call("activate", "crowd.density", "one", "--reason", "x", fails=True), ConfigurationError)
    assert isinstance(await call("roll-back", "crowd.density", "--reason", "x", fails=True), RefusedActionError)
