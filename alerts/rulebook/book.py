"""The rulebook: every rule of a deployment, read and checked as a whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.announcement import FACT_NAMES
from alerts.conditions.absence import read_absence
from alerts.conditions.asset_limits import read_asset_limits
from alerts.conditions.baseline import read_baseline
from alerts.conditions.cluster import read_cluster
from alerts.conditions.coincidence import read_coincidence
from alerts.conditions.growth import read_growth
from alerts.conditions.index import read_index
from alerts.conditions.mooring import read_mooring
from alerts.conditions.on_time import read_on_time
from alerts.conditions.passage import read_passage
from alerts.conditions.share import read_share
from alerts.conditions.spike import read_spike
from alerts.conditions.standing import read_standing
from alerts.conditions.stuck import read_stuck
from alerts.conditions.threshold import read_threshold
from alerts.conditions.trip_manifest import read_trip_manifest
from alerts.conditions.trip_unseen import read_trip_unseen
from alerts.conditions.vessel_lost import read_vessel_lost
from alerts.conditions.vessel_squall import read_vessel_squall
from alerts.conditions.vessel_unsheltered import read_vessel_unsheltered
from alerts.conditions.vessel_warned import read_vessel_warned
from alerts.conditions.window import Measured, read_expression, read_window
from alerts.conditions.zone import read_zone
from alerts.language.files import Fault, Table, parse_tables, read_tables
from alerts.language.rule import Bindable, NoData, NoDataPolicy, Rule, Texts
from alerts.language.templates import check_template, names_in
from alerts.language.windows import note_unused
from ioc.domain.kinds import KINDS
from ioc.errors import ConfigurationError

_RULE_ID = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")

CONDITIONS: dict[str, Callable[[Table], Bindable]] = {
    "threshold": read_threshold,
    "asset_limits": read_asset_limits,
    "index": read_index,
    "window": read_window,
    "expression": read_expression,
    "standing": read_standing,
    "growth": read_growth,
    "baseline": read_baseline,
    "absence": read_absence,
    "passage": read_passage,
    "on_time": read_on_time,
    "share": read_share,
    "cluster": read_cluster,
    "coincidence": read_coincidence,
    "stuck": read_stuck,
    "spike": read_spike,
    "zone": read_zone,
    "trip_manifest": read_trip_manifest,
    "trip_unseen": read_trip_unseen,
    "vessel_squall": read_vessel_squall,
    "vessel_unsheltered": read_vessel_unsheltered,
    "mooring": read_mooring,
    "vessel_warned": read_vessel_warned,
    "vessel_lost": read_vessel_lost,
}
"""Every kind of condition: the one place to add one."""


EVENT_STYLE = ("threshold", "asset_limits", "window", "expression")
"""Conditions that are judged by readings alone, which silence may end."""

REPORTED = ("standing", "trip_manifest", "trip_unseen")
"""Conditions about what people report: over when people say so, whatever the rule's ``keep``."""

_FORMS = ("*.yaml", "*.yml")
"""Names of rule files in a folder; a file that is named by itself may have any."""

MARK = "~"
"""What stands between a rule's name and the number of a version that runs beside it."""


class RulebookError(ConfigurationError):
    """Rule files have faults; each is named with file and line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.rule_faults = tuple(faults)
        super().__init__([str(fault) for fault in faults])


class Rulebook:
    """Rules in the order of their ids."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.rule_id))

    @classmethod
    def load(cls, paths: Iterable[Path], *, on_doubt: Callable[[Fault], None] | None = None) -> Rulebook:
        """Read rule files and folders of them.

        Args:
            paths: files and folders.
            on_doubt: is told of each fault with which a rule can run, which is none then: these rules are in force.

        Raises:
            RulebookError: with every fault of every file.
        """
        rules, _, faults = read_rules(paths)
        if faults and (on_doubt is None or not all(fault.can_run for fault in faults)):
            raise RulebookError(faults)
        if on_doubt is not None:
            for fault in faults:
                on_doubt(fault)
        return cls(rules)

    @classmethod
    def read(cls, text: str, name: str) -> Rulebook:
        """Read rules that somebody sent as text; ``name`` stands for the file in faults.

        Raises:
            RulebookError: with every fault, or because there is no rule in it.
        """
        faults: list[Fault] = []
        rules, _ = _read_tables(parse_tables(text, name, faults))
        if not rules and not faults:
            faults.append(Fault(file=name, line=1, what="there is no rule in it"))
        if faults:
            raise RulebookError(faults)
        return cls(rules)

    def find(self, rule_id: str) -> Rule | None:
        """Give a rule by its name, None where there is none."""
        return next((rule for rule in self.rules if rule.rule_id == rule_id), None)


def read_rules(paths: Iterable[Path]) -> tuple[list[Rule], dict[str, list[Table]], list[Fault]]:
    """Read every rule with the tests beside it, and note every fault."""
    faults: list[Fault] = []
    rules, tests = _read_tables(table for path in _find_files(paths, faults) for table in read_tables(path, faults))
    return rules, tests, faults


def _read_tables(tables: Iterable[Table]) -> tuple[list[Rule], dict[str, list[Table]]]:
    rules: list[Rule] = []
    tests: dict[str, list[Table]] = {}
    for table in tables:
        read = read_rule(table)
        if read is None:
            continue
        rule, beside = read
        if rule.rule_id in tests:
            table.fault(f"rule {rule.rule_id!r} stands twice")
        rules.append(rule)
        tests.setdefault(rule.rule_id, []).extend(beside)
    return rules, tests


def _find_files(paths: Iterable[Path], faults: list[Fault]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for form in _FORMS for file in path.glob(form)) if path.is_dir() else [path]
        if not inside or not inside[0].exists():
            faults.append(Fault(file=str(path), line=1, what="no rule files here"))
            continue
        found += inside
    return found


def read_rule(table: Table) -> tuple[Rule, list[Table]] | None:
    """Read a rule with its tests, noting faults in the table; None where nobody can tell which keys it should have."""
    rule_id, name = table.text("rule"), table.text("condition")
    if rule_id and not _RULE_ID.fullmatch(rule_id):
        table.fault("rule: small letters, digits, _ and dots, 64 at most", table.node_of("rule"))
    reader = CONDITIONS.get(name)
    if reader is None:
        if table.has("condition"):
            table.fault(f"no condition {name!r}; there are {', '.join(CONDITIONS)}", table.node_of("condition"))
        return None
    known_faults, condition = len(table.faults), reader(table)
    texts = _read_texts(table, condition)
    if isinstance(condition, Measured) and len(table.faults) == known_faults:
        shown = (texts.title_vi, texts.title_en, texts.detail_vi, texts.detail_en)
        note_unused(table, condition.windows, condition.asked.union(*map(names_in, shown)))
    no_data = _read_no_data(table)
    rule = Rule(
        rule_id=rule_id,
        version="",
        condition_name=name,
        condition=condition,
        texts=texts,
        quantity_unit=table.text("unit", ""),
        lateness=table.span("lateness", timedelta(minutes=15)),
        gap=table.span("gap", timedelta(minutes=15)),
        keep_firing_for=_read_keep(table, name),
        no_data=no_data,
        clear_if_quiet_for=_read_quiet(table, name),
        shadow=table.flag("shadow", default=False),
        file=table.file,
        line=table.line,
    )
    table.value("basis", "")
    tests = table.tables("tests", optional=True)
    table.finish()
    meaning: tuple[object, ...] = (
        rule.condition_name, rule.condition, rule.lateness, rule.gap, rule.keep_firing_for, rule.no_data, rule.shadow,
    )  # fmt: skip
    if rule.clear_if_quiet_for is not None:  # a rule without it keeps its version
        meaning += (rule.clear_if_quiet_for,)
    version = hashlib.sha256(_to_canonical(meaning).encode()).hexdigest()[:12]
    return replace(rule, version=version), tests


def _read_keep(table: Table, condition_name: str) -> timedelta:
    keep = table.duration("keep", timedelta(0))
    if keep and condition_name in REPORTED:
        what = f"keep: has no effect on {condition_name}, which is over when it is reported to be"
        table.fault(what, table.node_of("keep"), can_run=True)
    return keep


def _counts(item: Field[Any], value: object) -> bool:
    """Say whether a field is part of what a rule means: texts are not, nor is what it gained and does not use."""
    is_unused = item.metadata.get("gained", False) and getattr(value, item.name) == item.default
    return item.type != "Texts" and not is_unused


def _to_canonical(value: object) -> str:
    """Write a value so that the same meaning always reads the same: sets have no order of their own."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {item.name: getattr(value, item.name) for item in fields(value) if _counts(item, value)}
        return f"{type(value).__name__}{_to_canonical(parts)}"
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_to_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, frozenset | set):
        return "{" + ",".join(sorted(map(_to_canonical, value))) + "}"
    if isinstance(value, tuple | list):
        return "(" + ",".join(map(_to_canonical, value)) + ")"
    return repr(value)


def _read_texts(table: Table, condition: Bindable) -> Texts:
    allowed = set(FACT_NAMES) | set(getattr(condition, "facts", ()))
    for kind in condition.kinds:
        allowed |= set(KINDS[kind.KIND].quantities)
    both: dict[str, str] = {}
    for key in ("title", "detail", "runbook"):
        part = table.table(key)
        if part is None:
            continue
        for language in ("vi", "en"):
            text = part.text(language)
            if part.has(language) and not text.strip():
                part.fault(f"{key}.{language}: says nothing", part.node_of(language))
            both[f"{key}_{language}"] = text
            if key != "runbook":
                check_template(part, f"{key}.{language}", text, allowed)
        part.finish()
    return Texts(
        **{
            f"{key}_{lang}": both.get(f"{key}_{lang}", "")
            for key in ("title", "detail", "runbook")
            for lang in ("vi", "en")
        }
    )


def _read_quiet(table: Table, condition: str) -> timedelta | None:
    if not table.has("clear_if_quiet_for"):
        return None
    quiet, node = table.duration("clear_if_quiet_for"), table.node_of("clear_if_quiet_for")
    if quiet <= timedelta(0):
        table.fault("clear_if_quiet_for: longer than nothing", node)
    if condition not in EVENT_STYLE:
        table.fault(f"clear_if_quiet_for: only with {', '.join(EVENT_STYLE)}", node)
    if table.has("no_data"):
        table.fault("clear_if_quiet_for: silence ends the alert, so there is no `no_data`", node)
    return quiet


def _read_no_data(table: Table) -> NoData:
    part = table.table("no_data", optional=True)
    if part is None:
        return NoData()
    word = part.text("policy")
    if word not in [policy.value for policy in NoDataPolicy]:
        part.fault(f"policy: one of {', '.join(NoDataPolicy)}")
        word = NoDataPolicy.KEEP_LAST
    made = NoData(policy=NoDataPolicy(word), after=part.duration("after", timedelta(minutes=30)))
    part.finish()
    return made
