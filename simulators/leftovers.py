"""What a city leaves behind when it is stopped: kept in a file, so that the next one can say how it ended.

A stopped city tells nobody that its trucks have left. To an IOC that keeps its data they would stand in the yards for a
day, beside those of the next city.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What was under way at ``at``, the last sign of life of a city: records by feed, as the feed understands them."""

    at: datetime
    under_way: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


def read_leftovers(path: Path) -> Leftovers | None:
    """Give what an earlier city left behind; None without one, or where the file is none of ours."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Leftovers(at=datetime.fromisoformat(found["at"]).astimezone(UTC), under_way=dict(found["under_way"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_leftovers(path: Path, leftovers: Leftovers) -> None:
    """Keep what is under way; whoever is stopped meanwhile leaves the file as it was."""
    draft = path.with_suffix(".new")
    kept = {"at": leftovers.at.isoformat(), "under_way": leftovers.under_way}
    draft.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    draft.replace(path)
