"""Rules as a table that people read: what each looks at, its levels, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from alerts.language.rule import Comparison, Level, Rule

HEAD = "| Rule | File | Condition | On | Levels | Lateness | Shadow |"


def list_rules(rules: Iterable[Rule]) -> str:
    """Give a Markdown table with one line for each rule, in the order of the files."""
    rows = [HEAD, "|---|---|---|---|---|---|---|"]
    for rule in sorted(rules, key=lambda rule: (_file_of(rule), rule.line)):
        kinds = ", ".join(f"`{kind.KIND}`" for kind in rule.condition.kinds)
        cells = (
            f"`{rule.rule_id}`", f"`{_file_of(rule)}`", rule.condition_name, kinds, _levels_of(rule),
            _write(rule.lateness), "yes" if rule.shadow else "",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _file_of(rule: Rule) -> str:
    return rule.file.replace("\\", "/").rpartition("/")[2]


def _levels_of(rule: Rule) -> str:
    condition: Any = rule.condition
    levels: Sequence[Level] = condition.levels
    formulas: Sequence[tuple[str, str]] = getattr(condition, "formulas", ()) or [("", "")] * len(levels)
    afters = getattr(condition, "afters", None) or [None] * len(levels)
    shares = getattr(condition, "shares", None) or [None] * len(levels)
    found = []
    for level, (formula, _), after, share in zip(levels, formulas, afters, shares, strict=True):
        words = [f"**{level.severity.value}**"]
        if level.when:
            words.append(" or ".join(f"`{_compare(item)}`" for item in level.when))
        if formula:
            words.append(f"`{formula.replace('|', '&#124;')}`")
        if level.from_on is not None:
            words.append(f"from {level.from_on}")
        if level.until_on is not None:
            words.append(f"until {level.until_on}")
        if share is not None:
            words.append(f"at {share:.0%} of the way")
        elif after is not None:
            words.append(f"after {_write(after)}" if after else "when due")
        if level.hold_for:
            words.append(f"for {_write(level.hold_for)}")
        found.append(" ".join(words))
    return "; ".join(found)


def _compare(item: Comparison) -> str:
    limit = item.limit
    dated = ", ".join(map(_date, limit.values, limit.from_on)) or f"{limit.numbers[0]:g}"
    return f"{item.quantity} {item.operator} {dated}"


def _date(value: float | None, day: date) -> str:
    if value is None:
        return f"none from {day}"
    return f"{value:g}" if day == date.min else f"{value:g} from {day}"


def _write(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
