"""What of a refused record of a case may be kept: nothing of the applicant."""

from __future__ import annotations

from connectors.feeds.tthc.parse import CHANNEL, PROCEDURE, UNIT
from connectors.pseudonym import Redaction

redact = Redaction(
    keys={"type", "time", "status", "filed_at", "due_at", "done_at", "online", "amount", "rating"},
    words={
        *("case", "payment", "rating", "received", "processing", "supplement", "paused", "done", "returned", "refused"),
    },
    identifiers={"case"},
    patterns={"procedure": PROCEDURE, "unit": UNIT, "channel": CHANNEL},
)
