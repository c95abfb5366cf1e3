"""What of a refused record of the passenger gates may be kept: counts and seconds, no passport and no traveller."""

from __future__ import annotations

from connectors.pseudonym import Redaction

redact = Redaction(
    keys={"type", "time", "in", "out", "group", "passes", "refused", "seconds_p50", "seconds_p95"},
    words={"count", "egate", "all", "vietnamese", "chinese", "other"},
    identifiers=(),
    # Gates are written in small letters: no number of a passport in capitals passes for one.
    patterns={"gate": r"(gate\.)?[a-z][a-z0-9-]{0,31}"},
)
