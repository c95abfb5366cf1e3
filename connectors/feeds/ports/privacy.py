"""What of a refused paper of the port may be kept: boat, trip, port and numbers, and nobody on board."""

from __future__ import annotations

from connectors.feeds.ports.parse import BOAT, NAME, TRIP
from connectors.pseudonym import Redaction

redact = Redaction(
    keys={
        "type", "time", "status", "valid_from", "valid_until", "most_pax", "pax", "crew", "children", "due_at",
        "on_board", "lon", "lat",
    },
    words={
        "permit", "manifest", "departure", "arrival", "sos", "granted", "refused", "revoked", "active", "resolved",
        "false", "alarm",
    },
    identifiers=(),
    patterns={"boat": BOAT, "trip": TRIP, "port": NAME, "route": NAME, "cause": NAME},
)  # fmt: skip
