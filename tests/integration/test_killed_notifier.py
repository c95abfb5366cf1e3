"""kill -9 of the role that delivers, at any moment of its work: nobody is told twice, nothing is left untold."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from datetime import timedelta
from functools import partial
from hashlib import sha256
from random import Random

import pytest
from psycopg.rows import dict_row

from ioc.clocks import SystemClock
from ioc.delivery.signing import make_secret
from ioc.domain.alerts import AlertChange, ChangeType, OperatorState, Severity
from ioc.domain.ids import alert_id
from ioc.sealing import Sealer
from ioc.storage.alert_actions import Action, AlertActions
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import enqueue
from ioc.storage.pool import Database
from ioc.storage.subscriptions import NewSubscription, SubscriptionStore, Wants
from tests.support.alerts import apply, decide
from tests.support.receivers import Receiver
from tests.support.roles import RoleProcess

KEY = bytes(range(32))
ROUNDS = 6
SEED = 20_261_127
POLICY = """
route:
  id: shift
  departments: [shift]
  group_by: [rule]
  routes:
    - {id: critical, match: severity>=critical, departments: [shift, lead], ladder: up, group_by: [rule],
       continue: true}
    - {id: air, match: feed=air, departments: [environment], group_by: [rule]}
timing:
  critical: {wait: 0s, interval: 1s, repeat: 4h}
  major: {wait: 1s, interval: 1s, repeat: 4h}
flood: {begins_above: 1000, ends_below: 1}
ladders:
  - id: up
    ack_timeout: 3s
    levels: [{after: 1s, departments: [duty]}, {after: 2s, departments: [office]}, {after: 4s, departments: [province]}]
"""
ACK_TIMEOUT = timedelta(seconds=3)
LEVELS = {"level_1": "duty", "level_2": "office", "level_3": "province"}
DEPARTMENTS = ("shift", "lead", "environment", *LEVELS.values())


class Province:
    """What happens to alerts while the role lives and dies. One rule per kind of life, so that what must be told
    follows from the rule alone."""

    def __init__(self, database: Database, random: Random) -> None:
        self.store = PostgresBatchStore(database, alerts=AlertWriter(enqueue))
        self.alerts, self.actions = PostgresAlertStore(database), AlertActions(database, enqueue)
        self.random, self.clock, self.number = random, SystemClock(), 0
        self.standing: dict[str, list[AlertChange]] = {}
        self.flaps: set[str] = set()

    async def happen(self) -> None:
        """Let one thing happen, whichever it is."""
        happenings = (self._fire, self._fire, self._end, self._acknowledge, self._shelve, self._flap, self._settle)
        await self.random.choice(happenings)()

    async def come_to_rest(self) -> None:
        """Take everything off its shelf and let nothing flap."""
        while self.flaps:
            await self._settle()
        for change in self.standing.get("shelved", []):
            if (await self.alerts.get(change.alert_id)).operator is OperatorState.SHELVED:
                await self._act(change, ChangeType.UNSHELVED)

    async def _fire(self) -> None:
        life = self.random.choice(("passing", "lasting", "shelved", "urgent", "answered", "chattering"))
        is_urgent = life in ("urgent", "answered")
        # What is shelved or flaps has a group of its own: then each of its notifications has one cause.
        group = f"{life}-{self.number if life in ('shelved', 'chattering') else self.random.randrange(3)}"
        changes = []
        for _ in range(self.random.randint(1, 1 if life in ("shelved", "chattering") else 4)):
            self.number += 1
            fingerprint, now = sha256(str(self.number).encode()).digest(), self.clock.now()
            changes.append(
                decide(
                    asset_id=f"air.{self.number}", rule_id=group, fingerprint=fingerprint,
                    alert_id=alert_id(fingerprint, now), decided_at=now, started_at=now, observed_at=now,
                    severity=Severity.CRITICAL if is_urgent else Severity.MAJOR,
                )
            )  # fmt: skip
        await apply(self.store, *changes)
        self.standing.setdefault(life, []).extend(changes)

    async def _end(self) -> None:
        await self._tell("passing", ChangeType.RESOLVED, is_last=True)

    async def _acknowledge(self) -> None:
        found = self.standing.get("answered", [])
        if found:
            change = self.random.choice(found)
            if (await self.alerts.get(change.alert_id)).operator is OperatorState.UNACKNOWLEDGED:
                await self._act(change, ChangeType.ACKNOWLEDGED)

    async def _shelve(self) -> None:
        found = self.standing.get("shelved", [])
        if not found:
            return
        change = self.random.choice(found)
        alert = await self.alerts.get(change.alert_id)
        if alert.operator is OperatorState.SHELVED:
            await self._act(change, ChangeType.UNSHELVED)
        elif alert.revision == 1:  # once is enough, and tells what has to be told of it
            until = self.clock.now() + timedelta(hours=1)
            await self._act(change, ChangeType.SHELVED, reason="đang sửa", until=until)

    async def _flap(self) -> None:
        change = await self._tell("chattering", ChangeType.FLAPPING, is_last=True, flapping=True, flip_count=4)
        if change is not None:
            self.flaps.add(change.asset_id or "")
            self.standing.setdefault("flapping", []).append(change)

    async def _settle(self) -> None:
        change = await self._tell("flapping", ChangeType.STEADY, is_last=True)
        if change is not None:
            self.flaps.discard(change.asset_id or "")
            self.standing.setdefault("settled", []).append(change)

    async def _tell(self, life: str, kind: ChangeType, *, is_last: bool, **others) -> AlertChange | None:
        found = self.standing.get(life, [])
        if not found:
            return None
        fired = found.pop(self.random.randrange(len(found))) if is_last else self.random.choice(found)
        change = decide(
            kind, asset_id=fired.asset_id or "", rule_id=fired.rule_id, fingerprint=fired.fingerprint,
            alert_id=fired.alert_id, severity=fired.severity, started_at=fired.started_at,
            decided_at=self.clock.now(), observed_at=self.clock.now(), **others,
        )  # fmt: skip
        await apply(self.store, change)
        return change

    async def _act(self, change: AlertChange, kind: ChangeType, **wanted) -> None:
        alert = await self.alerts.get(change.alert_id)
        action = Action(type=kind, actor="lan", at=self.clock.now(), expected_revision=alert.revision, **wanted)
        await self.actions.act(change.alert_id, action)


@pytest.fixture
async def database(plain_postgres_url, fresh_database):
    address = await fresh_database(plain_postgres_url, prepare=partial(migrate_database, schema="ioc"))
    async with Database(address, schema="ioc", max_size=4) as database:
        yield database


@pytest.mark.timeout(400)
async def test_a_notifier_that_is_killed_at_any_moment_tells_everything_once(database, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_STORE__URL": database.conninfo, "IOC_LOG_FORM": "json",
        "IOC_ALERTS__POLICY_FILE": str(tmp_path / "policy.yaml"),
        "IOC_DELIVERY__ALLOW_HTTP": "true", "IOC_DELIVERY__ALLOW_LOOPBACK": "true",
        "IOC_SECRETS__ENCRYPTION_KEY": base64.b64encode(KEY).decode(),
    }  # fmt: skip
    print(f"seed {SEED}")
    random = Random(SEED)
    province = Province(database, random)
    role = RoleProcess("run", "deliver", environment=environment, output=tmp_path / "role.log")
    subscriptions = SubscriptionStore(database, Sealer([KEY]), SystemClock(), make_secret=make_secret)
    async with Receiver() as receiver:
        for department in DEPARTMENTS:
            wanted = NewSubscription(department=department, url=receiver.url, wants=Wants.NOTIFICATIONS)
            await subscriptions.add(wanted, created_by="lan")
        try:
            for number in range(ROUNDS):
                role.start()
                await _until(lambda number=number: _has_started(role, number + 1), role)
                [told] = await _rows(database, "SELECT count(*) AS count FROM notification")
                for _ in range(random.randint(5, 25)):
                    await province.happen()
                    await asyncio.sleep(random.uniform(0, 0.03))
                # It has begun on this round's work, and is somewhere in it or in what its timers bring.
                await _until(lambda told=told: _has_told(database, told["count"]), role)
                await asyncio.sleep(random.uniform(0, 0.7))
                await role.kill()
                await _let_leases_run_out(database)
            await province.come_to_rest()
            role.start()
            await _until(lambda: _is_quiet(database), role)
            assert await role.stop() == 0, role.output[-3000:]
        finally:
            if role.is_alive:
                await role.kill()
        await _assert_told_once(database, receiver)


async def _assert_told_once(database, receiver: Receiver) -> None:
    log = await _rows(database, "SELECT * FROM notification ORDER BY notification_id")
    alerts = await _rows(database, "SELECT * FROM alert")
    assert len(log) > ROUNDS, "hardly anything happened"
    acked = {alert["alert_id"]: alert["acked_at"] for alert in alerts}
    decided = Counter(
        (row["department"], row["group_key"], row["reason"], *map(frozenset, (row["firing_ids"], row["resolved_ids"])),
         row["form"] == "escalation" and _is_again(row, acked[row["group_id"]]))
        for row in log
    )  # fmt: skip
    assert [decision for decision, count in decided.items() if count > 1] == []
    for alert in alerts:
        _assert_alert_told(alert, [row for row in log if alert["alert_id"] in row["firing_ids"] + row["resolved_ids"]])
    await _assert_delivered(database, log, receiver)


def _assert_alert_told(alert, log) -> None:
    is_critical, life = alert["severity"] == "critical", alert["rule_id"].split("-")[0]
    ladder = [row for row in log if row["form"] == "escalation"]
    before, again = (
        sorted((row["department"], row["reason"]) for row in ladder if _is_again(row, alert["acked_at"]) is is_again)
        for is_again in (False, True)
    )
    expected = sorted((LEVELS[level], level) for level in (LEVELS if is_critical else ()))
    assert (before if alert["acked_at"] is None else again) == expected
    assert len(before) == len(set(before)), "once before somebody took note, once when that has expired"
    for department in ("shift", "lead", "environment") if is_critical else ("environment",):
        told = [row for row in log if row["department"] == department and row["form"] == "group"]
        ends = [row["reason"] for row in told if alert["alert_id"] in row["resolved_ids"]]
        if alert["ended_at"] is None:
            assert told, f"{life}: nobody told the {department}"
            assert ends == []
        else:
            assert len(ends) == bool(told), "the end of what was told is told once, of nothing else"
        reasons = [row["reason"] for row in told]
        match life:
            case "shelved":
                assert reasons in (["first"], ["first", "new_firing"])
            case "chattering":
                assert reasons in (["first"], ["first", "steady"], ["first", "flapping", "steady"])


def _is_again(row, acked_at) -> bool:
    """Whether a level was told because an acknowledgement has expired."""
    return acked_at is not None and row["at"] >= acked_at + ACK_TIMEOUT


async def _assert_delivered(database, log, receiver: Receiver) -> None:
    deliveries = await _rows(database, "SELECT webhook_id, state, body FROM delivery ORDER BY delivery_id")
    assert {row["state"] for row in deliveries} == {"delivered"}
    assert len(deliveries) == len({row["webhook_id"] for row in deliveries}) == len(log)
    bodies: dict[str, set[bytes]] = {}
    for received in receiver.received:
        bodies.setdefault(received.webhook_id, set()).add(received.body)
    assert bodies == {row["webhook_id"]: {bytes(row["body"])} for row in deliveries}
    # In the order of the decisions, per group and department, whatever was sent again.
    turns = {row["webhook_id"]: _turn_of(bytes(row["body"])) for row in deliveries}
    sent, came = ([(turns[name], name) for name in names] for names in (turns, bodies))
    for turn in set(turns.values()):
        assert [one for one in sent if one[0] == turn] == [one for one in came if one[0] == turn]


def _turn_of(body: bytes) -> tuple[str, str]:
    about = json.loads(body)["data"]
    return about["group"], about["department"]


async def _let_leases_run_out(database) -> None:
    """The role is dead: what it was about to deliver is free when its lease is over, which nobody needs to wait for."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE delivery SET leased_until = now() - interval '1 second' WHERE leased_until IS NOT NULL"
        )


async def _rows(database, statement: str) -> list[dict]:
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(statement)).fetchall()


async def _has_told(database, before: int) -> bool:
    return (await _rows(database, "SELECT count(*) AS count FROM notification"))[0]["count"] > before


_BUSY = """
SELECT (SELECT max(event_id) FROM alert_event) > (SELECT event_id FROM notification_position) AS sorting,
    EXISTS (SELECT FROM notification_group WHERE look_at < now() + interval '1 hour') AS telling,
    EXISTS (SELECT FROM escalation WHERE look_at < now() + interval '1 hour') AS climbing,
    EXISTS (SELECT FROM delivery WHERE state = 'pending') AS delivering
"""


async def _is_quiet(database) -> bool:
    return not any((await _rows(database, _BUSY))[0].values())


async def _has_started(role: RoleProcess, times: int) -> bool:
    return role.output.count("roles.started") >= times


async def _until(is_done, role: RoleProcess, deadline_s: float = 90) -> None:
    try:
        async with asyncio.timeout(deadline_s):
            while not await is_done():
                assert role.is_alive, f"the role ended by itself:\n{role.output[-3000:]}"
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"the role came no further:\n{role.output[-3000:]}")
