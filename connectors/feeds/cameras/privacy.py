"""What of a refused record of the cameras may be kept: no face, no plate, no picture."""

from __future__ import annotations

from connectors.pseudonym import Redaction

redact = Redaction(
    keys={"type", "time", "label", "confidence", "objects", "status", "fps"},
    words={
        *("event", "status", "online", "offline", "degraded", "person", "vehicle", "boat", "fire", "smoke", "crowd"),
        *("intrusion", "flood", "litter", "parking", "fight", "fall"),
    },
    identifiers=(),
    names={"camera", "zone"},
)
