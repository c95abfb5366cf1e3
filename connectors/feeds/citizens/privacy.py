"""What of a refused report of a citizen may be kept: neither who nor in which words, and not where, to the metre."""

from __future__ import annotations

from connectors.feeds.citizens.parse import UNIT, WORD
from connectors.pseudonym import Redaction

redact = Redaction(
    keys={"time", "status", "due_at", "repeats"},
    words={"new", "assigned", "processing", "answered", "closed"},
    identifiers={"id"},
    patterns={"unit": UNIT, "category": WORD, "channel": WORD},
)
