"""What the pretend province shows: a live table on a terminal, else a line now and then; a sum at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.live import Live
from rich.table import Table

from connectors.registry import DEFINITIONS
from simulators.city import Carrier

LINE_EVERY = timedelta(seconds=10)


@contextmanager
def shown(console: Console, now: Callable[[], datetime], *, speed: float) -> Iterator[Callable[[Carrier], None]]:
    """Give what a carrier calls at each tick. When the block ends, by Ctrl-C too, the sum is printed."""
    last: list[Carrier] = []
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:

            def draw(carrier: Carrier) -> None:
                last[:] = [carrier]
                live.update(to_table(carrier, now() - carrier.begun_at, speed=speed))

            try:
                yield draw
            finally:
                live.stop()
                _sum_up(console, last, now, speed=speed)
        return
    line_at: list[datetime] = []

    def write(carrier: Carrier) -> None:
        last[:] = [carrier]
        if not line_at or now() >= line_at[0]:
            line_at[:] = [now() + LINE_EVERY]
            console.print(to_line(carrier, now() - carrier.begun_at, speed=speed), highlight=False, soft_wrap=True)

    try:
        yield write
    finally:
        _sum_up(console, last, now, speed=speed)


def to_line(carrier: Carrier, passed: timedelta, *, speed: float) -> str:
    """Give the state of the city in one line."""
    rate = sum(carrier.rates_per_s().values())
    return (
        f"{_hours(passed)} ({_hours(passed * speed)} in the world): "
        f"{sum(carrier.sent.values()):,} messages, {rate:,.0f}/s, {sum(carrier.waiting.values()):,} waiting, "
        f"{sum(carrier.dropped.values()):,} given up, {sum(carrier.rejected.values()):,} refused"
    )


def to_table(carrier: Carrier, passed: timedelta, *, speed: float) -> Table:
    """Give the state of the city, a row per feed and the sum."""
    title = f"Simulated province, {_hours(passed)} ({_hours(passed * speed)} in the world)"
    table = Table("Feed", title=title, show_footer=True)
    rates = carrier.rates_per_s()
    columns = {
        "Sent": dict(carrier.sent),
        "per s": {feed_id: round(rate) for feed_id, rate in rates.items()},
        "Waiting": dict(carrier.waiting),
        "Given up": dict(carrier.dropped),
        "Refused": dict(carrier.rejected),
    }
    table.columns[0].footer = "all"
    for name, counts in columns.items():
        table.add_column(name, footer=f"{sum(counts.values()):,}", justify="right")
    for feed_id in DEFINITIONS:
        if any(feed_id in counts for counts in columns.values()):
            table.add_row(feed_id, *(f"{counts.get(feed_id, 0):,}" for counts in columns.values()))
    return table


def _sum_up(console: Console, last: list[Carrier], now: Callable[[], datetime], *, speed: float) -> None:
    if last:
        console.print(to_table(last[0], now() - last[0].begun_at, speed=speed))


def _hours(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
