"""The shift report as a page to print: no script, nothing from elsewhere, Vietnamese or English."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from alerts.performance.targets import check
from ioc.api.performance_page import format_figure, format_target
from ioc.api.performance_texts import TEXTS as PERFORMANCE_TEXTS
from ioc.api.report_page import (
    Language,
    Link,
    format_number,
    format_span,
    format_time,
    write_page,
    write_section,
    write_table,
)
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.storage.reports import Shift

SHIFT_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "vi": {
        "title": "Báo cáo ca trực", "fired": "Cảnh báo mới", "ended": "Đã kết thúc", "open": "Bàn giao: còn mở",
        "deeds": "Việc đã làm", "level": "Mức", "rule": "Quy tắc", "unit": "Xã, phường", "count": "Số",
        "when": "Lúc", "who": "Ai", "what": "Việc", "why": "Ghi chú", "alert": "Cảnh báo", "since": "Từ",
        "asset": "Đối tượng",
        "state": "Trạng thái", "mtta": "Trung bình đến khi xác nhận", "mttr": "Trung bình đến khi kết thúc",
        "none": "Không có", "minutes": "phút", "critical": "Khẩn cấp", "major": "Nghiêm trọng", "minor": "Nhẹ",
        "info": "Thông tin", "acknowledged": "xác nhận", "commented": "ghi chú", "shelved": "tạm gác",
        "unshelved": "bỏ tạm gác", "resolved": "đóng", "unacknowledged": "chưa xác nhận",
        "returned_unacknowledged": "đã hết, chưa xác nhận", "normal": "bình thường", "suppressed": "bị ẩn",
        "out_of_service": "ngừng theo dõi", "assigned": "giao", "severity_set": "đổi mức",
        "returned": "đưa trở lại danh sách",
    },
    "en": {
        "title": "Shift report", "fired": "New alerts", "ended": "Ended", "open": "Handed over: open",
        "deeds": "What was done", "level": "Level", "rule": "Rule", "unit": "Unit", "count": "Count",
        "when": "When", "who": "Who", "what": "What", "why": "Note", "alert": "Alert", "since": "Since",
        "asset": "Asset",
        "state": "State", "mtta": "Mean time to acknowledge", "mttr": "Mean time to the end", "none": "None",
        "minutes": "min", "critical": "Critical", "major": "Major", "minor": "Minor", "info": "Info",
        "acknowledged": "acknowledged", "commented": "commented", "shelved": "shelved",
        "unshelved": "took off the shelf", "resolved": "closed", "unacknowledged": "unacknowledged",
        "returned_unacknowledged": "returned, unacknowledged", "normal": "normal", "suppressed": "suppressed",
        "out_of_service": "out of service", "assigned": "assigned", "severity_set": "changed the severity",
        "returned": "returned to the list",
    },
}  # fmt: skip


def write_shift_page(
    shift: Shift, language: Language, names: Callable[[str], tuple[str, str]], *, standalone: bool = False
) -> str:
    """Write the page.

    Args:
        shift: what is told.
        language: of the page.
        names: gives the names of an asset or a unit, Vietnamese and English; the id itself where nobody named it.
        standalone: for a file, which has no wall beside it to open alerts on.
    """
    text, report = SHIFT_TEXTS[language], shift.report

    def cells(alert: Alert) -> tuple[str | Link, str]:
        """The alert's title, which opens it on the wall, and the name of what it is about."""
        title = alert.title_vi if language == "vi" else alert.title_en
        shown = title if standalone else Link(title, f"/wall/?lang={language}#alert={alert.alert_id}")
        return shown, name(alert.asset_id or alert.unit_code or alert.zone_id)

    def name(key: str | None) -> str:
        return "–" if key is None else names(key)[0 if language == "vi" else 1]

    span = format_span(report.start, report.end)
    parts = [
        f"<h1>{text['title']}</h1><p>{span} (UTC+7)</p>",
        f"<p>{text['mtta']}: {_minutes(report.mean_to_acknowledge, language)} · "
        f"{text['mttr']}: {_minutes(report.mean_to_end, language)}</p>",
        _table(
            text, f"{text['fired']} / {text['ended']}", ("level", "fired", "ended"),
            [(text[level.value], report.fired[level], report.ended[level]) for level in Severity],
        ),
        _write_performance(shift, language),
        _table(text, text["rule"], ("rule", "count"), report.fired_by_rule),
        _table(
            text, text["unit"], ("unit", "count"),
            [(name(unit_code), count) for unit_code, count in report.fired_by_unit],
        ),
        _table(
            text, text["deeds"], ("when", "who", "what", "alert", "asset", "why"),
            [
                (
                    format_time(deed.at), deed.actor, text[deed.type.value], *cells(deed.alert), deed.reason or "",
                )
                for deed in report.deeds
                if deed.type is not ChangeType.FIRED
            ],
        ),
        _table(
            text, text["open"], ("level", "alert", "asset", "since", "state"),
            [
                (
                    text[item.severity.value], *cells(item), format_time(item.started_at),
                    text[item.operator.value],
                )
                for item in report.open
            ],
        ),
    ]  # fmt: skip
    return write_page(f"{text['title']} {span}", parts, language, standalone=standalone)


def _write_performance(shift: Shift, language: Language) -> str:
    """The alarm system in this shift, in short: figures, targets, verdicts."""
    text = PERFORMANCE_TEXTS[language]
    rows = [
        (
            text[item.name], format_figure(item, language), format_target(item, language),
            "–" if item.verdict is None else text[item.verdict.value],
        )
        for item in check(shift.performance)
    ]  # fmt: skip
    columns = [text[name] for name in ("figure", "value", "target", "verdict")]
    return write_section(text["title"], write_table(columns, rows, none=text["none"]))


def _table(text: Mapping[str, str], caption: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    return write_section(caption, write_table([text[name] for name in columns], rows, none=text["none"]))


def _minutes(span: timedelta | None, language: Language) -> str:
    if span is None:
        return "–"
    return f"{format_number(span / timedelta(minutes=1), language)} {SHIFT_TEXTS[language]['minutes']}"
