"""The dispatcher: claims due deliveries, posts them, settles them. Many may run; none does another's work twice."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from random import Random

from ioc import cancellation, telemetry
from ioc.delivery.client import WebhookClient
from ioc.delivery.policy import Settlement, judge
from ioc.delivery.signing import sign
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.retry import Backoff
from ioc.storage.outbox import AttemptNote, DueDelivery, PostgresOutbox

_log = logger("dispatcher")
POLL = timedelta(milliseconds=250)
TIDY = timedelta(hours=1)


class Dispatcher:
    """Sends what the outbox holds.

    Args:
        outbox: due deliveries.
        client: posts one attempt.
        clock: time of attempts and leases.
        random: jitter of retries.
        workers: attempts under way at once; endpoints that fail get half of them.
    """

    def __init__(
        self, *, outbox: PostgresOutbox, client: WebhookClient, clock: Clock, random: Random, workers: int = 32
    ) -> None:
        self._outbox, self._client, self._clock, self._random = outbox, client, clock, random
        self._workers = workers
        self._under_way: set[DueDelivery] = set()
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. While the store is away, wait and try again."""
        waits = Backoff().waits(self._random)
        tidy_at = self._clock.now()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    if self._clock.now() >= tidy_at:
                        await self._outbox.tidy(now=self._clock.now())
                        tidy_at = self._clock.now() + TIDY
                    claimed = await self._claim()
                except IocError as error:
                    if not error.retryable:
                        raise
                    _log.error("outbox.lost", reason=str(error))
                    await self._clock.sleep(next(waits))
                    continue
                waits = Backoff().waits(self._random)
                for due in claimed:
                    self._under_way.add(due)
                    group.create_task(self._attempt(due))
                if not claimed:
                    await self._rest()

    async def _rest(self) -> None:
        """Wait for the next look: a moment, or until an attempt ends and makes room for the next."""
        with contextlib.suppress(TimeoutError):
            async with cancellation.timeout(POLL.total_seconds()):
                await self._freed.wait()

    async def _claim(self) -> list[DueDelivery]:
        # Cleared before looking: an attempt that ends while we look leaves room that this look did not see.
        self._freed.clear()
        free = self._workers - len(self._under_way)
        if free == 0:
            return []
        failing = sum(due.failing_since is not None for due in self._under_way)
        failing_limit = max(1, self._workers // 2) - failing
        return await self._outbox.claim(now=self._clock.now(), limit=free, failing_limit=max(0, failing_limit))

    async def _attempt(self, due: DueDelivery) -> None:
        try:
            await self._deliver(due)
        except IocError as error:
            # Not settled: the lease runs out and the same bytes go out again under the same id.
            _log.error("delivery.unsettled", delivery=due.delivery_id, reason=str(error))
        except Exception:  # noqa: BLE001  one of the three supervisors
            # What one endpoint provokes ends no other's deliveries: this one goes out again when its lease is over.
            _log.exception("delivery.broken", delivery=due.delivery_id)
        finally:
            self._under_way.discard(due)
            self._freed.set()

    async def _deliver(self, due: DueDelivery) -> None:
        started_at = self._clock.now()
        headers = sign(message_id=due.webhook_id, attempted_at=started_at, body=due.body, secrets=due.secrets)
        answer = await self._client.post(due.url, due.body, headers)
        telemetry.deliveries.labels(answer.outcome.value).inc()
        now = self._clock.now()
        note = AttemptNote(
            at=started_at, outcome=answer.outcome.value, status=answer.status, duration_ms=answer.duration_ms,
            detail=answer.detail,
        )  # fmt: skip
        verdict = judge(answer, attempt=due.turn, now=now, failing_since=due.failing_since, random=self._random)
        match verdict.settlement:
            case Settlement.DONE:
                await self._outbox.settle(due, note, state="delivered")
            case Settlement.GIVE_UP:
                _log.warning("delivery.given_up", delivery=due.delivery_id, outcome=answer.outcome.value)
                await self._outbox.settle(due, note, state="failed")
            case Settlement.DISABLE_ENDPOINT:
                _log.warning("endpoint.disabled", subscription=str(due.subscription_id), outcome=answer.outcome.value)
                await self._outbox.disable(due, note, reason=answer.outcome.value)
            case Settlement.RETRY:
                if verdict.retry_at is not None:
                    await self._outbox.retry(due, note, retry_at=verdict.retry_at)
