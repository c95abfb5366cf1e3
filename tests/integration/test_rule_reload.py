"""Rules change while events flow through a real worker: nothing fires twice, and no timer is forgotten."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ioc.bootstrap.rulebooks import open_desk
from ioc.clocks import SystemClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd
from ioc.messaging.embedded import EmbeddedLog
from ioc.ports import Topic
from ioc.settings import Settings
from ioc.storage.migrate import migrate_database
from ioc.storage.rule_activations import Lane
from tests.support.roles import RoleProcess
from tests.support.rule_texts import CALLER, crowd_rule, save

START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=25)
RULE = "crowd.density"


class Deployment:
    """A worker's process, the log that it reads, its store, and the desk where rules are changed."""

    def __init__(self, worker, log, connection, desk, environment, folder):
        self.worker, self.log, self.connection, self.desk = worker, log, connection, desk
        self._environment, self._folder = environment, folder
        self._sent, self._renewed = 0, 0

    async def send(self, site, density, *minutes):
        """Send a site's readings, and wait until the worker has them in the store."""
        for minute in minutes:
            at = START + timedelta(minutes=minute)
            event = Event(
                event_id=event_id("tourism", site, at, Crowd.KIND), feed_id="tourism", asset_id=site, observed_at=at,
                received_at=at + timedelta(seconds=1), data=Crowd(density_p_m2=density, people_count=100),
            )  # fmt: skip
            await self.log.append(Topic.EVENTS, [event])
            self._sent += 1
        await self._until(self._has_stored)

    async def renewed(self):
        """Wait until the worker decides by what was made active last."""
        newest = await self.desk.store.activations.newest_id()
        await self._until(lambda: self._has_said(f'"activation": {newest}', "rules.renewed"))

    async def activate(self, source, lane=Lane.LIVE):
        """Save a version and make it active, and wait until the worker has it."""
        made = await save(self.desk, source)
        await self.desk.activate(RULE, made.number, lane, by=CALLER, reason="bài thử")
        await self.renewed()
        return made

    async def command(self, *arguments):
        """Run ``ioc`` beside the running worker, as an operator would."""
        process = RoleProcess(*arguments, environment=self._environment, output=self._folder / "command.log")
        process.start()
        await self._until(lambda: _is(not process.is_alive))
        assert await process.stop() == 0, process.output
        return process.output

    async def journal(self, site):
        """What was decided about a site, but mere updates, in the order of commits."""
        rows = await self.connection.execute(
            "SELECT alert.rule_id, entry.type, entry.reason, entry.alert ->> 'rule_version' AS version"
            " FROM ioc.alert_event AS entry JOIN ioc.alert USING (alert_id)"
            " WHERE alert.asset_id = %s AND entry.type <> 'updated' ORDER BY entry.event_id",
            (site,),
        )
        return await rows.fetchall()

    async def _has_stored(self):
        row = await (await self.connection.execute("SELECT count(*) FROM ioc.tourism_crowd")).fetchone()
        return row[0] >= self._sent

    async def _has_said(self, *texts):
        return any(all(text in line for text in texts) for line in self.worker.output.splitlines())

    async def _until(self, is_done, deadline_s=120):
        try:
            async with asyncio.timeout(deadline_s):
                while not await is_done():
                    assert self.worker.is_alive, self.worker.output[-3000:]
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"the worker came no further:\n{self.worker.output[-3000:]}")


async def _is(value):
    return value


@asynccontextmanager
async def running(folder, address):
    environment = {
        "IOC_DATA_DIR": str(folder), "IOC_STORE__URL": address, "IOC_LOG_FORM": "json",
        "IOC_LOG__FOLDER": str(folder / "log"),
    }  # fmt: skip
    settings = Settings.model_validate({"data_dir": folder, "store": {"url": address, "schema_name": "ioc"}})
    (folder / "log").mkdir()
    log = EmbeddedLog(
        folder / "log" / "events.sqlite3", partitions=4, prefix="ioc.", clock=SystemClock(),
        retention=timedelta(days=7), retention_bytes=10**9,
    )  # fmt: skip
    worker = RoleProcess("run", "process", environment=environment, output=folder / "worker.log")
    worker.start()
    try:
        async with (
            log,
            await psycopg.AsyncConnection.connect(address, autocommit=True) as connection,
            open_desk(settings) as desk,
        ):
            yield Deployment(worker, log, connection, desk, environment, folder)
            assert await worker.stop() == 0, worker.output[-3000:]
    finally:
        if worker.is_alive:
            await worker.kill()


@pytest.mark.timeout(400)
async def test_a_rule_is_edited_tightened_shadowed_and_rolled_back_while_events_flow(
    tmp_path, plain_postgres_url, fresh_database
):
    address = await fresh_database(plain_postgres_url, prepare=lambda url: migrate_database(url, schema="ioc"))
    async with running(tmp_path, address) as it:
        # A `for` of five minutes runs by the rule of the files; the rule gets another text, and then another limit.
        await it.send("site.a", 2.5, 0, 1, 2)
        edited = await it.activate(crowd_rule(2.0, title="rất đông"))
        await it.send("site.a", 2.5, 3, 4)
        assert await it.journal("site.a") == []
        tightened = await it.activate(crowd_rule(1.0))
        await it.send("site.a", 2.5, 5, 6)
        await it.send("site.b", 1.5, 0, 1, 2, 3, 4, 5)
        assert await it.journal("site.a") == [(RULE, "fired", None, tightened.version)]
        assert await it.journal("site.b") == [(RULE, "fired", None, tightened.version)]
        # A candidate sees the third site long before the rule in force does.
        candidate = await it.activate(crowd_rule(1.0, minutes=1), Lane.SHADOW)
        await it.send("site.c", 1.5, 6, 7, 8)
        beside = f"{RULE}~{candidate.number}"
        assert await it.journal("site.c") == [(beside, "fired", None, candidate.version)]
        # Rolled back from the command line: what is under the old limit ends by its condition, what is over goes on.
        said = await it.command("rules", "roll-back", RULE, "--reason", "quá nhiều", "--as", "lan")
        assert "version 1 in force (rolled back)" in said
        await it.renewed()
        await it.send("site.b", 1.5, 6, 7, 8, 9)
        await it.send("site.a", 2.5, 7, 8)
        await it.send("site.c", 1.5, 9, 10, 11, 12, 13)
        ends = [(kind, reason) for rule, kind, reason, _ in await it.journal("site.b") if rule == RULE]
        assert ends == [("fired", None), ("recovering", None), ("resolved", "condition")]
        assert [entry for entry in await it.journal("site.a") if entry[0] == RULE] == [
            (RULE, "fired", None, tightened.version)
        ]
        assert [entry[0] for entry in await it.journal("site.c")] == [beside]
        await _assert_nothing_twice(it)
        await it.desk.retire(RULE, Lane.SHADOW, by=CALLER, reason="xong")
        await it.renewed()
        await it.send("site.a", 2.5, 9)
        await it._until(lambda: _has_ended(it, beside))
        row = await it.connection.execute("SELECT rule_version FROM ioc.alert WHERE asset_id = 'site.a' AND NOT shadow")
        assert (await row.fetchone())[0] in {tightened.version, edited.version}
        assert "site.c" in await it.command("rules", "report", RULE)


async def _has_ended(it, rule_id):
    rows = await it.connection.execute("SELECT DISTINCT resolve_reason FROM ioc.alert WHERE rule_id = %s", (rule_id,))
    return await rows.fetchall() == [("rule_deleted",)]


async def _assert_nothing_twice(it):
    row = await it.connection.execute(
        "SELECT count(*), count(DISTINCT alert_id), count(DISTINCT (alert.rule_id, alert.asset_id))"
        " FROM ioc.alert_event AS entry JOIN ioc.alert USING (alert_id) WHERE entry.type = 'fired'"
    )
    fired, alerts, things = await row.fetchone()
    assert fired == alerts == things > 2
