"""Alarm performance as a page to print: figures beside their targets, a chart, and what to mend first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from alerts.performance.figures import Performance, Source, Times
from alerts.performance.targets import Check, check
from ioc.api.performance_texts import TEXTS
from ioc.api.rate_chart import draw_rate
from ioc.api.report_page import (
    Language,
    format_duration,
    format_number,
    format_share,
    format_span,
    format_time,
    unit_names,
    write_page,
    write_section,
    write_table,
)
from ioc.domain.alerts import Severity

_SHOWN = 20
_EXPECTED = {Severity.CRITICAL: "≈ 5 %", Severity.MAJOR: "≈ 15 %", Severity.MINOR: "≈ 80 %", Severity.INFO: ""}


def write_performance_page(performance: Performance, language: Language, *, standalone: bool = False) -> str:
    """Write the page."""
    text = TEXTS[language]
    where = text["all_units"]
    if performance.unit_code is not None:
        where = unit_names().get(performance.unit_code, {}).get(language, performance.unit_code)
    parts = [
        f"<h1>{text['title']}</h1>",
        f"<p>{escape(where)} · {format_span(performance.start, performance.end)} (UTC+7)</p>",
        f'<p class="lead">{text["lead"]}</p><p class="quiet">{text["counted"]}</p>',
        write_section(text["summary"], _write_total(performance, text), write_checks(performance, language)),
        write_section(text["rate"], draw_rate(performance, text["rate"]), _write_peak(performance, text)),
        _write_floods(performance, language),
        _write_priorities(performance, language),
        _write_times(performance, language),
        *_write_rankings(performance, language),
        _write_chattering(performance, text, language),
        _write_stale(performance, text, language),
        _write_quiet(performance, text),
        f'<p class="quiet">{text["sources_note"]}</p>',
    ]
    return write_page(
        f"{text['title']} {format_span(performance.start, performance.end)}", parts, language, standalone=standalone
    )


def write_checks(performance: Performance, language: Language) -> str:
    """Write the figures beside their targets."""
    text = TEXTS[language]
    head = "".join(f"<th>{text[name]}</th>" for name in ("figure", "value", "target", "verdict", "meaning"))
    rows = []
    for item in check(performance):
        verdict = item.verdict
        said = "–" if verdict is None else f'<span class="verdict {verdict}">{text[verdict.value]}</span>'
        rows.append(
            f'<tr><td>{text[item.name]}</td><td class="number">{format_figure(item, language)}</td>'
            f'<td class="number">{format_target(item, language)}</td><td>{said}</td>'
            f"<td>{text[f'{item.name}_why']}</td></tr>"
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def format_figure(item: Check, language: Language) -> str:
    """Give a figure as people read it."""
    if item.figure is None or item.is_share:
        return format_share(item.figure, language)
    return format_number(item.figure, language, 2)


def format_target(item: Check, language: Language) -> str:
    """Give the target of a figure, and up to where it is manageable where that is another."""
    scale, unit = (100, " %") if item.is_share else (1, "")
    limits = [item.target] if item.target == item.most else [item.target, item.most]
    text = "–".join(format_number(limit * scale, language) for limit in limits)
    return f"≤ {text}{unit}" if item.most else text


def _write_total(performance: Performance, text: Mapping[str, str]) -> str:
    return f"<p>{text['total']}: <strong>{performance.annunciation_count}</strong></p>"


def _write_peak(performance: Performance, text: Mapping[str, str]) -> str:
    rate = performance.rate
    peak = "" if rate.peak_at is None else f"{text['peak']}: {rate.peak_count} ({format_time(rate.peak_at)}). "
    return f'<p class="quiet">{peak}{text["flood_legend"]}</p>'


def _write_floods(performance: Performance, language: Language) -> str:
    text = TEXTS[language]
    rows = [
        (
            format_time(flood.began_at),
            text["ongoing"] if flood.ended_at is None else format_time(flood.ended_at),
            format_duration((flood.ended_at or performance.end) - flood.began_at, language),
            flood.peak_count,
        )
        for flood in performance.floods
    ]
    columns = [text[name] for name in ("from", "to", "lasted", "peak_rate")]
    return write_section(text["floods"], write_table(columns, rows, none=text["none"]))


def _write_priorities(performance: Performance, language: Language) -> str:
    text, shares = TEXTS[language], performance.priorities or {}
    rows = [
        (
            text[level.value],
            performance.annunciations[level],
            format_share(shares.get(level), language),
            _EXPECTED[level],
        )
        for level in Severity
    ]
    columns = [text[name] for name in ("priority", "count", "share", "target")]
    return write_section(text["priorities"], write_table(columns, rows, none=text["none"]))


def _write_times(performance: Performance, language: Language) -> str:
    text = TEXTS[language]
    columns = [text[name] for name in ("priority", "count", "mean", "median", "p90")]

    def rows(times: Mapping[Severity | None, Times], *more: Mapping[Severity, int]) -> Iterable[Sequence[object]]:
        for level in (None, *Severity):
            found = times[level]
            spans = [format_duration(span, language) for span in (found.mean, found.median, found.p90)]
            extra = [sum(counts.values()) if level is None else counts[level] for counts in more]
            yield (text["all" if level is None else level.value], found.count, *spans, *extra)

    answers = write_table(
        [*columns, text["unanswered"]], rows(performance.acknowledging, performance.unanswered), none=text["none"]
    )
    ends = write_table(columns, rows(performance.ending), none=text["none"])
    return write_section(text["answers"], answers) + write_section(text["ends"], ends)


def _write_rankings(performance: Performance, language: Language) -> list[str]:
    text = TEXTS[language]
    sources = [(_title(item, language), item.rule_id, item.thing or "–", item.count) for item in performance.sources]
    columns = [text[name] for name in ("alert", "rule", "thing", "count")]
    share = f"<p>{text['top_share']}: {format_share(performance.sources_ratio, language)}</p>"
    parts = [write_section(text["sources"], write_table(columns, sources, none=text["none"]), share)]
    for name, column, ranking in (("rules", "rule", performance.rules), ("assets", "thing", performance.assets)):
        share = f"<p>{text['top_share']}: {format_share(ranking.ratio, language)}</p>"
        table = write_table([text[column], text["count"]], ranking.items, none=text["none"])
        parts.append(write_section(text[name], table, share))
    return parts


def _write_chattering(performance: Performance, text: Mapping[str, str], language: Language) -> str:
    rows = [
        (
            _title(item, language),
            item.rule_id,
            item.thing or "–",
            item.burst_count,
            text["yes"] if item.is_flapping else "",
        )
        for item in performance.chattering[:_SHOWN]
    ]
    columns = [text[name] for name in ("alert", "rule", "thing", "bursts", "flapping")]
    fleeting = write_table([text["rule"], text["count"]], performance.fleeting_rules, none=text["none"])
    return write_section(text["chattering"], write_table(columns, rows, none=text["none"])) + write_section(
        f"{text['fleeting']}: {performance.fleeting_count}", fleeting
    )


def _write_stale(performance: Performance, text: Mapping[str, str], language: Language) -> str:
    rows = [
        (
            text[item.severity.value],
            item.title_vi if language == "vi" else item.title_en,
            format_time(item.started_at),
            format_duration(item.age, language),
        )
        for item in performance.stale[:_SHOWN]
    ]
    columns = [text[name] for name in ("priority", "alert", "since", "age")]
    heading = f"{text['unattended']}: {len(performance.stale)}"
    return write_section(heading, write_table(columns, rows, none=text["none"]))


def _write_quiet(performance: Performance, text: Mapping[str, str]) -> str:
    rows = [
        (text["standing"], sum(performance.standing.values())),
        (text["long_acknowledged"], performance.long_acknowledged_count),
        (text["shelved"], performance.shelved_count),
        (text["suppressed"], performance.suppressed_count),
        (text["shadow"], performance.shadow_count),
    ]
    return write_section(text["quiet"], write_table((text["figure"], text["count"]), rows, none=text["none"]))


def _title(source: Source, language: Language) -> str:
    return source.title_vi if language == "vi" else source.title_en
