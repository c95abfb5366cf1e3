"""How commands run: settings and logs first, then one event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from ioc import cancellation, logs, settings
from ioc.settings import Settings

Result = TypeVar("Result")


def run(command: Callable[[Settings], Coroutine[Any, Any, Result]], *, is_service: bool = False) -> Result:
    """Read the settings, set up logging, and run a command to its end on uvloop.

    Args:
        command: what to do.
        is_service: it lives until it is told to stop, and its log is how people know what it does. Of other commands
            people read the output: they log what went wrong, and more only for who asks for ``DEBUG``.
    """
    loaded = settings.load()
    logs.configure(level=loaded.log_level if is_service else _quiet(loaded.log_level), form=loaded.log_form)
    cancellation.mend_wait_for()
    return uvloop.run(command(loaded))


def _quiet(level: str) -> str:
    return "WARNING" if logging.getLevelNamesMapping()[level] == logging.INFO else level
