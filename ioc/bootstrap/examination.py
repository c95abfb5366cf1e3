"""``ioc doctor``: is everything there that the program needs, and what to do where it is not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.language.documents import Fault
from alerts.notification.policy import walk
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.foundations import open_log, open_store
from ioc.bootstrap.knowledge import load_feed_configs, load_policy, load_world, rules_folder
from ioc.clocks import SystemClock
from ioc.errors import IocError
from ioc.keys import load_keys
from ioc.ports import Topic
from ioc.settings import Settings
from ioc.storage.migrate import detect_edition, list_pending
from ioc.storage.pool import Database

_LEAST_FREE_BYTES = 2_000_000_000
_MOST_CLOCK_DIFFERENCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    what: str
    is_sound: bool
    detail: str


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; one that fails does not keep the others from running."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[str]]]] = [
        ("data folder", _check_folder),
        ("keys", _check_keys),
        ("rules", _check_rules),
        ("notification policy", _check_policy),
        ("feeds", _check_feeds),
        ("geodata", _check_geodata),
        ("event log", _check_log),
        ("database", _check_store),
    ]
    findings = []
    for what, check in checks:
        try:
            findings.append(Finding(what=what, is_sound=True, detail=await check(settings)))
        except (IocError, OSError) as error:
            findings.append(Finding(what=what, is_sound=False, detail=str(error)))
    return findings


async def _check_folder(settings: Settings) -> str:
    folder = settings.data_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written; set IOC_DATA_DIR to a folder of yours")
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise OSError(f"{folder} has {free / 1e9:.1f} GB left; make room or set IOC_DATA_DIR to another disk")
    return f"{folder}, {free / 1e9:.0f} GB free"


async def _check_keys(settings: Settings) -> str:
    load_keys(settings)
    return "encryption and pseudonym keys are readable"


async def _check_rules(settings: Settings) -> str:
    doubts: list[Fault] = []
    rules = Rulebook.load([rules_folder(settings)], on_doubt=doubts.append).rules
    told = "; ".join(map(str, doubts))
    return f"{len(rules)} rules, " + (f"in force but doubtful: {told}" if told else "no faults")


async def _check_policy(settings: Settings) -> str:
    policy = load_policy(settings)
    return f"{sum(1 for _ in walk(policy.root))} routes, no faults"


async def _check_feeds(settings: Settings) -> str:
    return ", ".join(load_feed_configs(settings))


async def _check_geodata(settings: Settings) -> str:
    world = load_world(settings.data_dir / "geo")
    return f"{len(world.zones.zones)} zones"


async def _check_log(settings: Settings) -> str:
    async with open_log(settings, clock=SystemClock(), client_id="ioc-doctor") as log:
        ends = await log.end_offsets((Topic.EVENTS, Topic.SIGNALS, Topic.DEAD_LETTERS))
    return f"{settings.log.backend}, {sum(ends.values())} items written since its beginning"


async def _check_store(settings: Settings) -> str:
    async with (
        open_store(settings) as conninfo,
        Database(conninfo, schema=settings.store.schema_name) as database,
        database.connection() as connection,
    ):
        edition = await detect_edition(connection)
        pending = await list_pending(connection, edition)
        began = time.time()
        row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
        theirs: datetime = row[0] if row is not None else datetime.now(UTC)
    if pending:
        raise OSError(f"{len(pending)} migrations wait ({', '.join(pending)}); run `ioc db migrate`")
    difference_s = abs(theirs.timestamp() - (began + time.time()) / 2)
    if difference_s > _MOST_CLOCK_DIFFERENCE_S:
        raise OSError(f"its clock differs from ours by {difference_s:.1f} s; set up time synchronisation (NTP)")
    return f"{edition.value}, schema up to date, clocks {difference_s * 1000:.0f} ms apart"
