"""What pages to print have in common: frame, tables, times and numbers, in Vietnamese or English, without script."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from html import escape
from importlib import resources
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from geo.tables import read_rows

PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")
Language = Literal["vi", "en"]
_LINK = '<link rel="stylesheet" href="/wall/css/report.css">'
_LONG = timedelta(minutes=90)


class Link(NamedTuple):
    """A cell of a table that leads somewhere: plain text and an address of our own."""

    text: str
    address: str


def write_page(title: str, parts: Iterable[str], language: Language, *, standalone: bool = False) -> str:
    """Put a page together.

    Args:
        title: plain text.
        parts: markup.
        language: of the page.
        standalone: carry the style inside, for a file; a page of the server links to it, as its content policy asks.
    """
    style = f"<style>{_style()}</style>" if standalone else _LINK
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"{style}</head><body>{''.join(parts)}</body></html>"
    )


def write_section(heading: str, *parts: str) -> str:
    """Write a heading with what stands below it."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>"


def write_table(columns: Iterable[str], rows: Iterable[Iterable[object]], *, none: str) -> str:
    """Write a table of plain texts and links; ``none`` stands for one without rows."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_write_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return f"<p>{escape(none)}</p>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _write_cell(cell: object) -> str:
    if isinstance(cell, Link):
        return f'<a href="{escape(cell.address)}">{escape(cell.text)}</a>'
    return escape(str(cell))


def format_time(at: datetime) -> str:
    """Give an instant in the province's time."""
    return f"{at.astimezone(PROVINCE_TIME):%d/%m/%Y %H:%M}"


def format_span(start: datetime, end: datetime) -> str:
    """Give a period in the province's time."""
    return f"{format_time(start)} – {format_time(end)}"


def format_number(value: float, language: Language, digits: int = 1) -> str:
    """Give a number with at most so many decimals, with a comma in Vietnamese."""
    value = round(value, digits)
    text = f"{value:.0f}" if value == round(value) else f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "vi" else text


def format_share(ratio: float | None, language: Language) -> str:
    """Give a share in percent."""
    return "–" if ratio is None else f"{format_number(ratio * 100, language)} %"


def format_duration(span: timedelta | None, language: Language) -> str:
    """Give a length of time: minutes up to an hour and a half, then hours, then days."""
    if span is None:
        return "–"
    if span < _LONG:
        return f"{format_number(span / timedelta(minutes=1), language)} {'phút' if language == 'vi' else 'min'}"
    if span < timedelta(days=2):
        return f"{format_number(span / timedelta(hours=1), language)} {'giờ' if language == 'vi' else 'h'}"
    return f"{format_number(span / timedelta(days=1), language)} {'ngày' if language == 'vi' else 'days'}"


@cache
def unit_names() -> dict[str, dict[Language, str]]:
    """Give the names of the 54 units by code."""
    return {row["code"]: {"vi": row["full_name"], "en": row["name_en"]} for row in read_rows("units.csv")}


@cache
def _style() -> str:
    return resources.files("ioc").joinpath("wall", "css", "report.css").read_text(encoding="utf-8")
