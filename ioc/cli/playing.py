"""What a replay shows: a bar per source on a terminal, tables at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ioc.replaying import ReplaySummary
from ioc.replaying.sources import Source
from ioc.replaying.summary import SourceProgress


class Bars:
    """A bar per source on a terminal; silent where nobody looks."""

    def __init__(self, sources: Sequence[Source]) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[reached]}"), TimeElapsedColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(Path(name).name, total=None, reached="")
            for name in dict.fromkeys(source.name for source in sources)
        }

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def show(self, files: Mapping[str, SourceProgress], reached: datetime | None) -> None:
        """Move the bars."""
        for name, progress in files.items():
            self._progress.update(
                self._tasks[name], total=progress.bytes_count or None, completed=progress.bytes_read,
                reached="" if reached is None else f"{reached:%Y-%m-%d %H:%M}",
            )  # fmt: skip


def print_summary(summary: ReplaySummary, *, is_live: bool) -> None:
    """Print what became of everything."""
    console = Console()
    files = Table("Source", "Events", "Unreadable", "Ignored", title="In")
    for name, progress in summary.files.items():
        files.add_row(
            Path(name).name,
            *(f"{count:,}" for count in (progress.events_count, progress.rejected_count, progress.ignored_count)),
        )
    console.print(files)
    rate = summary.appended_count / summary.elapsed_s if summary.elapsed_s else 0.0
    left_aside = f"{summary.skipped_count:,} before the seek, {summary.filtered_count:,} filtered out"
    if is_live:
        console.print(
            f"{summary.appended_count:,} events on the live log, {left_aside}; {summary.elapsed_s:.1f} s,"
            f" {rate:,.0f} events/s"
        )
        return
    fired = Table("Rule", "Change", "Count", title="Alert changes")
    for (rule_id, kind), count in sorted(summary.alerts.items()):
        fired.add_row(rule_id, kind, f"{count:,}")
    console.print(fired)
    stopped = " (stopped)" if summary.was_stopped else ""
    console.print(
        f"{summary.events_count:,} events in: {left_aside};"
        f" {summary.appended_count:,} played = {summary.stored_count:,} stored"
        f" + {summary.duplicate_count:,} already there"
        f" + {summary.unstorable_count:,} unstorable; {summary.dead_letters_count:,} dead letters, "
        f"{summary.ignored_count:,} ignored{stopped}\n"
        f"{summary.elapsed_s:.1f} s, {rate:,.0f} events/s; alerts {summary.digest[:16]}"
    )


def to_json(summary: ReplaySummary) -> dict[str, object]:
    """Give the summary for a file."""
    return {
        "events": summary.events_count, "skipped": summary.skipped_count, "filtered": summary.filtered_count,
        "played": summary.appended_count, "stored": summary.stored_count, "duplicates": summary.duplicate_count,
        "unstorable": summary.unstorable_count, "dead_letters": summary.dead_letters_count,
        "rejected": summary.rejected_count, "ignored": summary.ignored_count, "is_balanced": summary.is_balanced,
        "rounds": summary.rounds_count, "was_stopped": summary.was_stopped,
        "begins_at": summary.begins_at and summary.begins_at.isoformat(),
        "ends_at": summary.ends_at and summary.ends_at.isoformat(), "elapsed_s": round(summary.elapsed_s, 3),
        "alert_changes": {f"{rule_id} {kind}": count for (rule_id, kind), count in sorted(summary.alerts.items())},
        "alerts_sha256": summary.digest,
    }  # fmt: skip
