"""What of a refused record of the border gates may be kept: no plate, no trip id."""

from __future__ import annotations

from connectors.pseudonym import Redaction

redact = Redaction(
    keys={
        *("type", "direction", "step", "time", "lane", "goods", "perishable", "mass_kg", "vehicles"),
        *("oldest_perishable_min", "status", "colour", "opens", "closes", "reason"),
    },
    words={
        *("queue", "truck", "export", "import", "green", "yellow", "red"),
        *("declare", "slot", "arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan", "handover"),
        *("lane", "gate", "open", "closed", "works", "weather", "systems", "congestion", "order"),
        *("cross", "exit", "fruit", "seafood", "frozen", "other", "general"),
    },
    identifiers={"trip"},
    dropped={"plate"},
    names={"gate"},
)
