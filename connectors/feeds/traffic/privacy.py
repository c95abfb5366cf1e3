"""What of a refused record of the roads may be kept: no plate."""

from __future__ import annotations

from connectors.pseudonym import Redaction, to_plate_pseudonym

redact = Redaction(
    keys={
        *("type", "time", "vehicles", "speed_kmh", "occupancy", "period_s", "direction", "category", "severity"),
        *("status", "lanes_closed", "lon", "lat", "class"),
    },
    words={
        *("flow", "incident", "anpr", "in", "out", "open", "closed", "minor", "major", "critical", "car", "truck"),
        *("bus", "coach", "motorcycle", "accident", "breakdown", "flood", "landslide", "roadwork", "closure", "jam"),
        "other",
    },
    identifiers={"plate"},
    names={"counter", "camera", "id", "road"},
    pseudonymise=to_plate_pseudonym,
)
