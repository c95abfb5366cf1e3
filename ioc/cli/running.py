"""How commands run: settings and logs first, then one event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from ioc import cancellation, logs, settings
from ioc.settings import Settings

Result = TypeVar("Result")


def run(command: Callable[[Settings], Coroutine[Any, Any, Result]]) -> Result:
    """Read the settings, set up logging, and run a command to its end on uvloop."""
    loaded = settings.load()
    logs.configure(level=loaded.log_level, form=loaded.log_form)
    cancellation.mend_wait_for()
    return uvloop.run(command(loaded))
