"""Reading the policy file: YAML whose every fault is named with file and line, all at once."""

from __future__ import annotations

import re
from datetime import time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.language.files import Fault, Table, read_tables
from alerts.notification.escalation import Ladder, Level
from alerts.notification.flood import FloodLimits
from alerts.notification.grouping import Timing
from alerts.notification.holds import DAYS, MaintenanceWindow
from alerts.notification.inhibition import Inhibition
from alerts.notification.labels import NAMES, explain_unknown
from alerts.notification.matchers import Matchers
from alerts.notification.policy import Expectation, Policy, Route, walk
from ioc.domain.alerts import Severity

_ID = re.compile(r"[a-z][a-z0-9-]{0,47}")
_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DEPTH = 8
_INTERVAL = timedelta(seconds=60)


def read_policy(path: Path) -> tuple[Policy | None, list[Fault]]:
    """Read a policy; with a fault there is none."""
    faults: list[Fault] = []
    tables = read_tables(path, faults)
    if not faults and len(tables) != 1:
        faults.append(Fault(file=str(path), line=1, what="a policy is one document"))
    if faults:
        return None, faults
    table = tables[0]
    ladders = tuple(_read_ladder(item) for item in table.tables("ladders", optional=True))
    root = _read_route(table.table("route"), {ladder.ladder_id for ladder in ladders}, set(), 0)
    policy = Policy(
        root=root,
        timing=_read_timing(table.table("timing", optional=True)),
        flood=_read_flood(table.table("flood", optional=True)),
        inhibitions=tuple(_read_inhibition(item) for item in table.tables("inhibitions", optional=True)),
        windows=tuple(_read_window(item) for item in table.tables("maintenance", optional=True)),
        ladders=ladders,
        tests=tuple(_read_expectation(item, root) for item in table.tables("tests", optional=True)),
    )
    table.finish()
    return (None if faults else policy), faults


def _read_route(table: Table | None, ladders: set[str], taken: set[str], depth: int) -> Route:
    if table is None:
        return Route(route_id="")
    route_id = _read_id(table, "id")
    if route_id in taken:
        table.fault(f"id: there are two routes {route_id!r}")
    taken.add(route_id)
    matchers = _read_matchers(table, "match", optional=depth == 0)
    if depth == 0 and matchers.items:
        table.fault("match: the root takes everything, so that no alert is told to nobody")
    departments = table.words("departments", ())
    if not departments:
        table.fault("departments: at least one")
    for department in departments:
        if not _ID.fullmatch(department):
            table.fault(f"departments: {department!r} must be lower-case letters, digits and hyphens")
    ladder_id = table.text("ladder", "") or None
    if ladder_id is not None and ladder_id not in ladders:
        table.fault(f"ladder: no ladder {ladder_id!r}")
    goes_on, wants_ends = table.flag("continue", False), table.flag("resolved", True)
    if depth >= _DEPTH:
        table.fault(f"routes: at most {_DEPTH} deep")
        return Route(route_id=route_id)
    children = tuple(_read_route(item, ladders, taken, depth + 1) for item in table.tables("routes", optional=True))
    group_by = table.words("group_by", ("rule", "unit"))
    if (unknown := explain_unknown(group_by)) is not None:
        table.fault(f"group_by: {unknown}")
    table.finish()
    return Route(
        route_id=route_id, matchers=matchers, departments=departments, group_by=group_by, goes_on=goes_on,
        ladder_id=ladder_id, wants_ends=wants_ends, children=children,
    )  # fmt: skip


def _read_timing(table: Table | None) -> dict[Severity, Timing]:
    """Read waits by severity; what is left out is Alertmanager's decision with the waits of a control room."""
    found: dict[Severity, Timing] = {}
    for severity in Severity:
        is_critical = severity is Severity.CRITICAL
        wait, repeat = timedelta(seconds=0 if is_critical else 10), timedelta(minutes=30 if is_critical else 240)
        part = table.table(severity.value, optional=True) if table is not None else None
        if part is None:
            found[severity] = Timing(group_wait=wait, group_interval=_INTERVAL, repeat_interval=repeat)
            continue
        found[severity] = Timing(
            group_wait=part.duration("wait", wait),
            group_interval=part.duration("interval", _INTERVAL),
            repeat_interval=part.duration("repeat", repeat),
            send_resolved=part.flag("resolved", True),
        )
        if found[severity].repeat_interval < timedelta(minutes=1):
            part.fault("repeat: at least 1m")
        part.finish()
    if table is not None:
        table.finish()
    return found


def _read_flood(table: Table | None) -> FloodLimits:
    if table is None:
        return FloodLimits()
    limits = FloodLimits(int(table.number("begins_above", 10)), int(table.number("ends_below", 5)))
    if not 1 <= limits.ends_below <= limits.begins_above:
        table.fault("flood: must end below what it begins above, and at 1 or more")
    table.finish()
    return limits


def _read_inhibition(table: Table) -> Inhibition:
    found = Inhibition(
        inhibition_id=_read_id(table, "id"),
        source=_read_matchers(table, "source"),
        target=_read_matchers(table, "target"),
        equal=table.words("equal", ()),
    )
    if (unknown := explain_unknown(found.equal)) is not None:
        table.fault(f"equal: {unknown}")
    table.finish()
    return found


def _read_window(table: Table) -> MaintenanceWindow:
    zone_name = table.text("zone", "Asia/Ho_Chi_Minh")
    zone = ZoneInfo("UTC")
    try:
        zone = ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError):
        table.fault(f"zone: no time zone {zone_name!r}; write for example Asia/Ho_Chi_Minh")
    days = table.words("days", DAYS)
    for day in days:
        if day not in DAYS:
            table.fault(f"days: {day!r} is none of {', '.join(DAYS)}")
    found = MaintenanceWindow(
        window_id=_read_id(table, "id"), matchers=_read_matchers(table, "match"), zone=zone,
        days=frozenset(DAYS.index(day) for day in days if day in DAYS),
        begins=_read_hour(table, "from"), ends=_read_hour(table, "to"),
        text_vi=table.text("vi"), text_en=table.text("en"),
    )  # fmt: skip
    table.finish()
    return found


def _read_ladder(table: Table) -> Ladder:
    levels = []
    for item in table.tables("levels"):
        levels.append(Level(item.duration("after"), item.words("departments")))
        item.finish()
    if not levels or any(one.after >= two.after for one, two in pairwise(levels)):
        table.fault("levels: at least one, each later than the one before")
    timeout = table.duration("ack_timeout", timedelta(0))
    found = Ladder(ladder_id=_read_id(table, "id"), levels=tuple(levels), ack_timeout=timeout or None)
    table.finish()
    return found


def _read_expectation(table: Table, root: Route) -> Expectation:
    name, given, routes = table.text("name"), table.value("given"), table.words("routes")
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        table.fault("given: a mapping of labels, such as {rule: crowd.density, severity: major}")
        given = {}
    if (unknown := explain_unknown(given)) is not None:
        table.fault(f"given: {unknown}")
    known = {route.route_id for route, _ in walk(root)}
    for route_id in routes:
        if route_id not in known:
            table.fault(f"routes: no route {route_id!r}")
    table.finish()
    return Expectation(name=name, labels=given, routes=routes)


def _read_matchers(table: Table, key: str, *, optional: bool = False) -> Matchers:
    text = table.text(key, "") if optional else table.text(key)
    try:
        found = Matchers.parse(text)
    except ValueError as error:
        table.fault(f"{key}: {error}")
        return Matchers()
    if not found.items and not optional and table.has(key):
        table.fault(f"{key}: at least one matcher; labels are {', '.join(NAMES)} and those of the rule")
    if (unknown := explain_unknown(item.name for item in found.items)) is not None:
        table.fault(f"{key}: {unknown}")
    return found


def _read_id(table: Table, key: str) -> str:
    found = table.text(key)
    if table.has(key) and not _ID.fullmatch(found):
        table.fault(f"{key}: must be lower-case letters, digits and hyphens")
    return found


def _read_hour(table: Table, key: str) -> time:
    found = _HOUR.fullmatch(table.text(key))
    if found is None:
        table.fault(f'{key}: must read like "22:00"')
        return time()
    return time(int(found[1]), int(found[2]))
