"""Structured logs: JSON in production, console on a terminal. Events are constant dotted names, facts are keys."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure(*, level: str = "INFO", form: Literal["auto", "json", "console"] = "auto") -> None:
    """Set up structlog once, at the start of a process. Logs go to standard error."""
    is_console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        # Rich tracebacks would print local variables, secrets among them.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if is_console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: _StandardError(),
        # A kept logger would not hear of another set-up; lines are rare enough to make it anew.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forwarding)]:
        root.removeHandler(handler)
    # Libraries tell their progress at INFO; of theirs only what went wrong is wanted.
    root.addHandler(_Forwarding(max(least, logging.WARNING)))


class _Forwarding(logging.Handler):
    """Brings what libraries say through ``logging`` into our log, in its form and above its level."""

    def emit(self, record: logging.LogRecord) -> None:
        # aiokafka calls errors what it tries again a moment later; what stays wrong, our own code says.
        level = min(record.levelno, logging.WARNING) if record.name.startswith("aiokafka") else record.levelno
        logger(record.name).log(level, "library.said", text=record.getMessage(), exc_info=record.exc_info)


class _StandardError:
    """Writes lines to what standard error is at that moment: who replaces it for a while gets them, and no longer."""

    def msg(self, line: str) -> None:
        """Write a line."""
        print(line, file=sys.stderr, flush=True)

    debug = info = warning = error = critical = exception = log = msg


def logger(component: str) -> structlog.typing.FilteringBoundLogger:
    """Give a logger that names its component in every line."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=component)
    return bound
