"""What of a refused record of tourism may be kept: no buyer, no guest, no word that a visitor wrote."""

from __future__ import annotations

from connectors.pseudonym import Redaction

redact = Redaction(
    keys={
        *("type", "time", "people", "density", "capacity", "in", "out", "count", "guests", "rooms_taken_pct", "rating"),
        *("group", "category", "channel"),
    },
    words={
        *("crowd", "gate", "ticket", "stay", "feedback", "all", "domestic", "international", "foreign"),
        *("counter", "online", "agency", "app", "kiosk", "phone", "other"),
        *("general", "service", "prices", "cleanliness", "safety", "transport", "guides", "food"),
    },
    identifiers={"id"},
    names={"site"},
    patterns={"unit": r"[0-9]{5}"},
)
