"""Dead letters for the command line: list, show, parse again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from connectors.registry import reparse
from ioc.bootstrap.foundations import Foundations, open_database, open_foundations
from ioc.bootstrap.knowledge import load_feeds
from ioc.ports import Topic
from ioc.settings import Settings
from ioc.storage.letters import DeadLetterStore, LetterState, StoredLetter
from ioc.storage.migrate import require_schema


async def list_dead_letters(
    settings: Settings, *, feed_id: str | None, state: str | None, limit: int
) -> Sequence[StoredLetter]:
    """Give dead letters, newest first."""
    async with _letters(settings) as letters:
        return await letters.page(state=None if state is None else LetterState(state), feed_id=feed_id, limit=limit)


async def show_dead_letter(settings: Settings, letter_id: UUID) -> tuple[StoredLetter, bytes]:
    """Give a dead letter with its bytes."""
    async with _letters(settings) as letters:
        return await letters.show(letter_id)


async def retry_dead_letters(settings: Settings, *, letter_ids: Sequence[UUID], feed_id: str | None) -> tuple[int, int]:
    """Parse letters again and put what can be read now on the log; give (revived, still unreadable)."""
    async with open_foundations(settings, client_id="ioc-retry") as base:
        await require_schema(base.database)
        if not letter_ids:
            page = await DeadLetterStore(base.database).page(feed_id=feed_id, limit=10_000)
            letter_ids = [letter.dead_letter_id for letter in page]
        return await retry_letters(base, letter_ids)


async def retry_letters(base: Foundations, letter_ids: Sequence[UUID]) -> tuple[int, int]:
    """Parse letters again in a process that runs already; give (revived, still unreadable)."""
    letters = DeadLetterStore(base.database)
    feeds = load_feeds(base.settings, base.keys, base.geo_directory)
    revived_count = left_count = 0
    for letter_id in letter_ids:
        letter, raw = await letters.show(letter_id)
        feed = feeds.get(letter.feed_id)
        parsed = None if feed is None else reparse(feed, raw, letter.received_at)
        if parsed is None or parsed.rejected or not parsed.events:
            left_count += 1
            continue
        await base.log.append(Topic.EVENTS, parsed.events)
        await letters.settle(letter.dead_letter_id, LetterState.RETRIED, at=base.clock.now())
        revived_count += 1
    return revived_count, left_count


@asynccontextmanager
async def _letters(settings: Settings) -> AsyncIterator[DeadLetterStore]:
    async with open_database(settings) as database:
        yield DeadLetterStore(database)
