"""Reports on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from alerts.performance.figures import BUSY, OVERLOADED, Performance
from alerts.performance.targets import Verdict, check
from ioc.api.performance_page import format_figure, format_target
from ioc.api.performance_texts import TEXTS
from ioc.api.rate_chart import thin
from ioc.api.report_page import Language, format_duration, format_share, format_span, format_time, unit_names
from ioc.api.shift_page import SHIFT_TEXTS
from ioc.domain.alerts import Alert, Severity
from ioc.storage.reports import Shift

_BLOCKS = "▁▂▃▄▅▆▇█"
_BARS = 72
_SHOWN = 20
_COLOURS = {Verdict.GOOD: "green", Verdict.MANAGEABLE: "yellow", Verdict.BEYOND: "red"}


def print_performance(console: Console, made: Performance, language: Language) -> None:
    """Show alarm performance: figures beside targets, the rate as bars, and what to mend first."""
    text = TEXTS[language]
    where = text["all_units"]
    if made.unit_code is not None:
        where = unit_names()[made.unit_code][language]
    console.print(f"[bold]{text['title']}[/] · {where} · {format_span(made.start, made.end)} (UTC+7)")
    console.print(f"{text['total']}: [bold]{made.annunciation_count}[/]")
    if made.annunciation_count:
        console.print(draw_bars(made, language))
    console.print(_targets(made, language))
    console.print(_times(made, language))
    frequent = Table(text["alert"], text["rule"], text["thing"], Column(text["count"], justify="right"))
    for item in made.sources:
        title = item.title_vi if language == "vi" else item.title_en
        frequent.add_row(escape(title), item.rule_id, escape(item.thing), str(item.count))
    frequent.title = f"{text['sources']} ({format_share(made.sources_ratio, language)})"
    if made.sources:
        console.print(frequent)
    for heading, rows in (
        (text["chattering"], [f"{item.rule_id} · {item.thing}" for item in made.chattering]),
        (
            text["unattended"],
            [
                f"{item.title_vi if language == 'vi' else item.title_en} · {format_duration(item.age, language)}"
                for item in made.stale
            ],
        ),
    ):
        console.print(f"[bold]{heading}[/]: {len(rows)}")
        for row in rows[:_SHOWN]:
            console.print(f"  {escape(row)}")


def print_shift(console: Console, shift: Shift, language: Language) -> None:
    """Show a shift: counts, deeds, the alarm system in short, and what is handed over."""
    text, report = SHIFT_TEXTS[language], shift.report
    console.print(f"[bold]{text['title']}[/] · {format_span(report.start, report.end)} (UTC+7)")
    for name, span in (("mtta", report.mean_to_acknowledge), ("mttr", report.mean_to_end)):
        console.print(f"{text[name]}: {format_duration(span, language)}")
    levels = Table(text["level"], *(Column(text[name], justify="right") for name in ("fired", "ended")))
    for level in Severity:
        levels.add_row(text[level.value], str(report.fired[level]), str(report.ended[level]))
    console.print(levels)
    console.print(_targets(shift.performance, language))
    deeds = Table(*(text[name] for name in ("when", "who", "what", "alert", "why")), title=text["deeds"])
    for deed in report.deeds:
        deeds.add_row(
            format_time(deed.at), escape(deed.actor), text[deed.type.value], escape(_title(deed.alert, language)),
            escape(deed.reason or ""),
        )  # fmt: skip
    console.print(deeds if report.deeds else f"{text['deeds']}: {text['none']}")
    left = Table(*(text[name] for name in ("level", "alert", "since", "state")), title=text["open"])
    for alert in report.open:
        left.add_row(
            text[alert.severity.value], escape(_title(alert, language)), format_time(alert.started_at),
            text[alert.operator.value],
        )  # fmt: skip
    console.print(left if report.open else f"{text['open']}: {text['none']}")


def draw_bars(made: Performance, language: Language) -> Text:
    """Draw the rate as bars, one or several intervals each; a bar's height is its share of the peak."""
    text, (counts, per_bar) = TEXTS[language], thin(made.rate.intervals, _BARS)
    bars = Text()
    for count in counts:
        block = " " if not count else _BLOCKS[round((count / made.rate.peak_count) * (len(_BLOCKS) - 1))]
        bars.append(block, style="red" if count > OVERLOADED else "yellow" if count > BUSY else "")
    caption = f"{text['rate']}; 1 ▏ = {per_bar * 10} min"
    if made.rate.peak_at is not None:
        caption += f"; {text['peak']}: {made.rate.peak_count} ({format_time(made.rate.peak_at)})"
    return bars.append("\n").append(caption, style="dim")


def _targets(made: Performance, language: Language) -> Table:
    text = TEXTS[language]
    table = Table(
        text["figure"], Column(text["value"], justify="right"), Column(text["target"], justify="right"),
        text["verdict"], title=text["summary"],
    )  # fmt: skip
    for item in check(made):
        verdict = item.verdict
        said = "–" if verdict is None else f"[{_COLOURS[verdict]}]{text[verdict.value]}[/]"
        table.add_row(text[item.name], format_figure(item, language), format_target(item, language), said)
    return table


def _times(made: Performance, language: Language) -> Table:
    text = TEXTS[language]
    numbers = [Column(text[name], justify="right") for name in ("count", "mean", "median", "p90", "unanswered")]
    table = Table(text["priority"], *numbers, title=text["answers"])
    for level in (None, *Severity):
        times = made.acknowledging[level]
        spans = [format_duration(span, language) for span in (times.mean, times.median, times.p90)]
        unanswered = sum(made.unanswered.values()) if level is None else made.unanswered[level]
        table.add_row(text["all" if level is None else level.value], str(times.count), *spans, str(unanswered))
    return table


def _title(alert: Alert, language: Language) -> str:
    return alert.title_vi if language == "vi" else alert.title_en
