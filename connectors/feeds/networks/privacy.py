"""What of a refused record of the networks may be kept: no account, no address, no record of a citizen."""

from __future__ import annotations

from connectors.feeds.networks.parse import UNIT, WORD
from connectors.pseudonym import Redaction

redact = Redaction(
    keys={
        *("type", "time", "severity", "status", "opened_at", "events", "latency_ms", "loss_pct", "used_pct"),
        *("calls", "errors", "p95_ms", "period_s"),
    },
    words={
        *("alert", "link", "calls", "info", "low", "medium", "high", "critical", "open", "closed"),
        *("up", "down", "degraded"),
    },
    identifiers=(),
    names={"id", "link", "db"},
    patterns={"category": WORD, "unit": UNIT},
)
