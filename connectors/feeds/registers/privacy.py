"""What of a refused entry of a register may be kept: offices and titles, nobody who is named beside them."""

from __future__ import annotations

from connectors.feeds.registers.parse import TEXT
from connectors.pseudonym import Redaction

_DAY = r"\d{4}-\d\d-\d\d"

redact = Redaction(
    keys={"type", "time", "status", "progress_pct", "value", "people", "planned"},
    words={
        *("directive", "indicator", "training", "milestone", "open", "done", "dropped", "planned", "held", "cancelled"),
        *("reached", "late"),
    },
    identifiers=(),
    names={"no", "indicator", "period", "method_version", "session", "project"},
    patterns={
        **dict.fromkeys(("owner", "title", "topic", "source"), TEXT),
        **dict.fromkeys(("due_on", "held_on"), _DAY),
        "unit": r"[^\x00-\x1f\x7f]{0,32}",
    },
)
