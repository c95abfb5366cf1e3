"""HTTP pushes with source keys: records gather for a moment, go out together, and again until they are taken."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping

import aiohttp

from ioc.logs import logger

_log = logger("simulators.push")
MOST_RECORDS = 500
MOST_WAITING = 50_000
_AGAIN_S = 1.0
_DEADLINE = aiohttp.ClientTimeout(total=20)


class Pusher:
    """Posts NDJSON to ``/api/v1/ingest/{feed}``. What is not taken yet waits here, oldest first, bounded."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self._url, self._keys = url.rstrip("/"), keys
        self._waiting: dict[str, deque[bytes]] = {}
        self._wake = asyncio.Event()
        self.accepted: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    @property
    def waiting(self) -> Counter[str]:
        """Records that are not taken yet, by feed."""
        return Counter({feed_id: len(waiting) for feed_id, waiting in self._waiting.items()})

    def send(self, feed_id: str, record: bytes) -> None:
        """Queue a record; beyond the bound the oldest is given up, and counted."""
        waiting = self._waiting.setdefault(feed_id, deque())
        if len(waiting) >= MOST_WAITING:
            waiting.popleft()
            self.dropped[feed_id] += 1
        waiting.append(record)
        self._wake.set()

    async def run(self) -> None:
        """Push until cancelled."""
        async with aiohttp.ClientSession(timeout=_DEADLINE) as session:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await asyncio.sleep(0.05)
                for feed_id in list(self._waiting):
                    await self._empty(session, feed_id)

    async def _empty(self, session: aiohttp.ClientSession, feed_id: str) -> None:
        waiting = self._waiting[feed_id]
        while waiting:
            batch = [waiting[place] for place in range(min(MOST_RECORDS, len(waiting)))]
            if not await self._post(session, feed_id, batch):
                self._wake.set()
                await asyncio.sleep(_AGAIN_S)
                return
            for _ in batch:
                waiting.popleft()

    async def _post(self, session: aiohttp.ClientSession, feed_id: str, batch: list[bytes]) -> bool:
        headers = {"Authorization": f"Bearer {self._keys[feed_id]}", "Content-Type": "application/x-ndjson"}
        try:
            async with session.post(
                f"{self._url}/api/v1/ingest/{feed_id}", data=b"\n".join(batch), headers=headers
            ) as answer:
                if answer.status == 202:
                    counts = await answer.json()
                    self.accepted[feed_id] += counts["accepted"]
                    self.rejected[feed_id] += counts["rejected"]
                    return True
                _log.warning("push.refused", feed=feed_id, status=answer.status, detail=(await answer.text())[:200])
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.debug("push.waits", feed=feed_id, reason=str(error))
        return False
