"""Golden scenarios: the same wire messages, byte by byte, must lead to the same alert changes, byte by byte.

``python -m tests.golden`` plays them, shows what would change in the stored files, and writes these with ``--write``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.feed import Form
from ioc.bootstrap import scratch
from ioc.replaying import Recording, Replay, ReplaySummary, write_changes
from ioc.settings import LogSettings, SecretSettings, Settings, StoreSettings
from simulators.city import City, Stamps
from simulators.scenario import load_scenario

FOLDER = Path(__file__).parents[1] / "golden"
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SEED = 7
_PSEUDONYM_KEY = base64.b64encode(bytes(range(32))).decode()
"""Known, so that trucks have the same pseudonyms everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One scenario, the feeds of it that are played, and for how long."""

    name: str
    feeds: tuple[str, ...]
    lasts: timedelta

    @property
    def file(self) -> Path:
        """The stored alert changes."""
        return FOLDER / f"{self.name}.jsonl"


CASES = (
    Golden(name="squall", feeds=("weather", "vessels"), lasts=timedelta(minutes=12)),
    Golden(name="bad-air", feeds=("air",), lasts=timedelta(minutes=14)),
    Golden(name="queues", feeds=("border", "tourism"), lasts=timedelta(minutes=14)),
)


def dump(case: Golden, folder: Path) -> list[Recording]:
    """Write the wire messages of a case, a file per feed."""
    scenario = load_scenario(str(FOLDER / "scenarios" / f"{case.name}.yaml"))
    city = City(scenario, start_at=START, seed=SEED, scale=0.3, stamps=Stamps.WORLD)
    lines: dict[str, list[bytes]] = {feed_id: [] for feed_id in case.feeds}
    for message in [*city.beginning(), *city.messages(START + case.lasts)]:
        if message.feed_id in lines:
            lines[message.feed_id].append(message.payload.rstrip(b"\r\n") + b"\n")
    recordings = []
    for feed_id, written in lines.items():
        form = Form.NMEA if feed_id == "vessels" else Form.NDJSON
        path = folder / f"{case.name}-{feed_id}.{form}"
        path.write_bytes(b"".join(written))
        recordings.append(Recording(path=path, feed_id=feed_id, form=form))
    return recordings


def make_settings(folder: Path, store_url: str, *, kafka_bootstrap: str | None = None) -> Settings:
    """Give the settings of a deployment to play on."""
    log = LogSettings() if kafka_bootstrap is None else LogSettings(backend="kafka", kafka_bootstrap=kafka_bootstrap)
    return Settings(
        data_dir=folder,
        log=log,
        store=StoreSettings(url=store_url),
        secrets=SecretSettings(pseudonym_key=_PSEUDONYM_KEY),
    )


async def play(case: Golden, settings: Settings, folder: Path) -> tuple[ReplaySummary, bytes]:
    """Play a case in a scratch; give its account and its alert changes as ``ioc replay --alerts`` writes them."""
    async with scratch(settings) as base:
        summary = await Replay(base, dump(case, folder), speed=None, on_progress=lambda *_: None).run()
        changes = folder / f"{case.name}.jsonl"
        await write_changes(base, changes)
    return summary, changes.read_bytes()
