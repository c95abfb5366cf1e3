"""What the log in one file promises beyond the port: several processes, kill -9, retention, a disk that refuses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ioc.errors import LogUnavailableError
from ioc.ports import Start, Topic, TopicPartition
from tests.support.logs import PARTITIONS, PULSE, EmbeddedSubject, PositionTable, event, gather, item_count, placed
from tests.support.logs import numbers_by_partition as numbers

EVENTS = [Topic.EVENTS]
REPOSITORY = Path(__file__).resolve().parents[2]

WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from ioc.ports import Topic
from tests.support.logs import EmbeddedSubject, event

async def main() -> None:
    async with EmbeddedSubject(Path(sys.argv[1])).open() as log:
        for start in itertools.count(int(sys.argv[2]), 100):
            await log.append(Topic.EVENTS, [event(number) for number in range(start, start + 100)])
            print(start + 100, flush=True)
            if start + 100 >= int(sys.argv[3]):
                return

asyncio.run(main())
"""

READER = """
import asyncio, sys
from contextlib import aclosing
from pathlib import Path
from ioc.ports import Topic
from tests.support.logs import PULSE, EmbeddedSubject, PositionTable

async def main() -> None:
    async with EmbeddedSubject(Path(sys.argv[1])).open() as log:
        async with aclosing(log.read([Topic.EVENTS], group="g", handover=PositionTable(), pulse=PULSE)) as batches:
            async for batch in batches:
                print("reading", flush=True)

asyncio.run(main())
"""


class SetClock:
    """A clock that stands until it is set, for stamps; waiting on it lasts until the test ends."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def program(text: str, *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program of its own; killed at the block's end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, *map(str, arguments), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode().strip()


@pytest.fixture
def subject(tmp_path: Path) -> EmbeddedSubject:
    # A deep folder: sockets beside the file must not depend on how long its path is.
    return EmbeddedSubject(tmp_path / ("deep-" * 20) / "log")


async def test_a_reader_is_woken_by_another_process(subject: EmbeddedSubject) -> None:
    async with subject.open() as log:
        reading = log.tail(EVENTS, pulse=PULSE)
        async with aclosing(reading):
            await anext(reading)
            async with program(WRITER, subject.path.parent, 0, 300):
                batches = await gather(reading, until=lambda seen: item_count(seen) >= 300)
    assert numbers(batches) == placed(range(300))


async def test_a_bell_from_another_process_is_heard_without_waiting_for_the_next_look(subject: EmbeddedSubject) -> None:
    async with subject.open() as log, subject.open() as other:
        # Two logs in one process are strangers to each other like two processes: each has its own socket.
        heard = log._wakeup.rung_count
        waiting = log._wakeup.wait(heard=heard, timeout_s=20)
        await other.append(Topic.EVENTS, [event(1)])
        async with asyncio.timeout(10):
            await waiting
        assert log._wakeup.rung_count > heard


async def test_a_dead_process_leaves_no_socket_behind_for_long(subject: EmbeddedSubject) -> None:
    async with subject.open() as log:
        async with program(WRITER, subject.path.parent, 0, 10**9) as writer:
            await line_of(writer)
            writer.kill()
            await writer.wait()
        sockets = subject.path.with_name(f"{subject.path.name}.wake")
        assert len(list(sockets.iterdir())) == 2
        await log.append(Topic.EVENTS, [event(1)])
        assert len(list(sockets.iterdir())) == 1


async def test_kill_9_in_mid_append_loses_no_confirmed_batch(subject: EmbeddedSubject) -> None:
    confirmed = 0
    for _ in range(3):
        async with program(WRITER, subject.path.parent, confirmed, 10**9) as writer:
            wanted = confirmed + 1_000
            while confirmed < wanted:
                confirmed = int(await line_of(writer))
            writer.send_signal(signal.SIGKILL)
            assert writer.stdout is not None
            # What it confirmed before it died, and we had not read yet.
            rest = (await writer.stdout.read()).decode().split()
            confirmed = max([confirmed, *map(int, rest)])
        async with subject.open() as log:
            batches = await gather(
                log.tail(EVENTS, start=Start.BEGINNING, pulse=PULSE),
                until=lambda seen: len(seen[-1].caught_up) == PARTITIONS,
            )
            read = sorted(number for part in numbers(batches).values() for number in part)
        # The batch in flight is there wholly or not at all, and the next writer appends it again.
        assert set(range(confirmed)) <= set(read)
        assert len(set(read)) in (confirmed, confirmed + 100)


async def test_a_standby_takes_over_when_the_holder_is_killed(subject: EmbeddedSubject) -> None:
    table = PositionTable()
    async with subject.open() as log, program(READER, subject.path.parent) as holder:
        assert await line_of(holder) == "reading"
        await log.append(Topic.EVENTS, [event(number) for number in range(100)])
        async with asyncio.TaskGroup() as tasks:
            standby = tasks.create_task(
                gather(
                    log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= 100
                )
            )
            assert await line_of(holder) == "reading"
            assert table.assigned_calls == []
            holder.kill()
            await holder.wait()
            batches = await standby
    assert numbers(batches) == placed(range(100))
    assert len(table.assigned_calls) == len(table.revoked_calls) == 1


async def test_a_partition_never_has_two_readers_in_a_group(subject: EmbeddedSubject) -> None:
    first, second = PositionTable(), PositionTable()
    async with subject.open() as log:
        reading = log.read(EVENTS, group="g", handover=first, pulse=PULSE)
        await anext(reading)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(
                gather(log.read(EVENTS, group="g", handover=second, pulse=PULSE), until=lambda seen: True)
            )
            for _ in range(3):
                await anext(reading)
            assert second.assigned_calls == []
            await reading.aclose()
            await waiting
    assert len(second.assigned_calls) == 1


async def test_what_is_old_and_read_goes_and_offsets_go_on(subject: EmbeddedSubject) -> None:
    clock = SetClock()
    async with subject.open(clock=clock, retention=timedelta(hours=1)) as log:
        await log.append(Topic.EVENTS, [event(number) for number in range(100)])
        reading = log.read(EVENTS, group="g", handover=PositionTable(), max_items=1_000, pulse=PULSE)
        async with aclosing(reading):
            batch = await anext(reading)
            clock.at += timedelta(hours=2)
            assert (await log.trim()).item_count == 0, "the group has not read it"
            assert batch.commit is not None
            await batch.commit()
            assert (await log.trim()).item_count == 100
        await log.append(Topic.EVENTS, [event(100)])
        assert sum((await log.end_offsets(EVENTS)).values()) == 101
        batches = await gather(
            log.tail(EVENTS, start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 1
        )
    assert numbers(batches) == placed([100])


async def test_what_is_young_stays_though_it_was_read(subject: EmbeddedSubject) -> None:
    clock = SetClock()
    async with subject.open(clock=clock, retention=timedelta(hours=1)) as log:
        await log.append(Topic.EVENTS, [event(number) for number in range(100)])
        clock.at += timedelta(minutes=30)
        assert (await log.trim()).item_count == 0
        clock.at += timedelta(minutes=31)
        assert (await log.trim()).item_count == 100


async def test_a_file_grown_too_big_lets_the_oldest_go_and_says_who_missed_it(subject: EmbeddedSubject) -> None:
    table = PositionTable()
    async with subject.open(retention_bytes=20_000) as log:
        await gather(log.read(EVENTS, group="slow", handover=table, pulse=PULSE), until=lambda seen: True)
        for start in range(0, 1_000, 50):
            await log.append(Topic.EVENTS, [event(number) for number in range(start, start + 50)])
        trimmed = await log.trim()
        assert trimmed.item_count == trimmed.unread_count["ioc.slow"] > 0
        with sqlite3.connect(subject.path) as connection:
            ((kept_bytes,),) = connection.execute("SELECT sum(size_bytes) FROM block").fetchall()
        connection.close()
        assert 20_000 - 3_000 < kept_bytes <= 20_000
        batches = await gather(
            log.read(EVENTS, group="slow", handover=table, pulse=PULSE),
            until=lambda seen: len(seen[-1].caught_up) == PARTITIONS,
        )
    assert item_count(batches) == 1_000 - trimmed.item_count
    read = numbers(batches)
    assert all(rows == placed(range(1_000))[part][-len(rows) :] for part, rows in read.items())


async def test_a_file_that_was_lost_is_read_from_its_start_behind_the_stores_position(subject: EmbeddedSubject) -> None:
    table = PositionTable(positions={TopicPartition(Topic.EVENTS, number): 5_000 for number in range(PARTITIONS)})
    async with subject.open() as log:
        await log.append(Topic.EVENTS, [event(number) for number in range(1_000)])
        reading = log.read(EVENTS, group="g", handover=table, pulse=PULSE)
        await gather(reading, until=lambda seen: table.store(seen[-1].slices) and table.stored_count >= 1_000)
        assert table.refused_count == 0
        assert await log.lag(table.positions) == 0
    assert {part.partition: rows for part, rows in table.rows.items()} == placed(range(1_000))


async def test_a_file_locked_by_another_process_is_said_to_be_so(subject: EmbeddedSubject) -> None:
    async with subject.open(deadline=timedelta(seconds=0.5)) as log:
        blocker = sqlite3.connect(subject.path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailableError, match="locked"):
            await log.append(Topic.EVENTS, [event(1)])
        blocker.execute("ROLLBACK")
        blocker.close()
        await log.append(Topic.EVENTS, [event(2)])
        assert sum((await log.end_offsets(EVENTS)).values()) == 1


async def test_a_full_disk_refuses_the_batch_and_keeps_the_rest(subject: EmbeddedSubject) -> None:
    async with subject.open() as log:
        await log.append(Topic.EVENTS, [event(1)])
        writer = log._writer
        await writer.run(lambda: _limit_pages(writer.file.connected))
        with pytest.raises(LogUnavailableError, match="no space"):
            await log.append(Topic.EVENTS, [event(number) for number in range(20_000)])
        await writer.run(lambda: _limit_pages(writer.file.connected, pages=1_000_000))
        before = sum((await log.end_offsets(EVENTS)).values())
        await log.append(Topic.EVENTS, [event(2)])
        assert sum((await log.end_offsets(EVENTS)).values()) == before + 1


async def test_a_path_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LogUnavailableError, match="file"):
        async with EmbeddedSubject(tmp_path / "file" / "below").open():
            pass


async def test_a_closed_log_says_so(subject: EmbeddedSubject) -> None:
    async with subject.open() as log:
        pass
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.append(Topic.EVENTS, [event(1)])


async def test_a_broken_block_is_reported_with_its_bytes_and_passed(subject: EmbeddedSubject) -> None:
    async with subject.open() as log:
        await log.append(Topic.EVENTS, [event(1, "air.x"), event(2, "air.x")])
        with sqlite3.connect(subject.path) as connection:
            connection.execute("UPDATE block SET payload = x'01dd0000'")
        connection.close()
        await log.append(Topic.EVENTS, [event(3, "air.x")])
        batches = await gather(
            log.tail(EVENTS, start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 2
        )
    slices = [part for batch in batches for part in batch.slices]
    ((offset, raw, reason),) = [bad for part in slices for bad in part.undecodable]
    assert (offset, raw) == (0, bytes.fromhex("01dd0000"))
    assert "broken" in reason
    assert slices[-1].next_offset == 3


async def test_nothing_runs_while_nothing_comes(subject: EmbeddedSubject) -> None:
    """Readers sleep until the bell; the look beside it costs next to nothing."""
    async with subject.open() as log:
        reading = log.tail(EVENTS, pulse=timedelta(seconds=1))
        await anext(reading)
        before = os.times()
        await anext(reading)
        after = os.times()
        await reading.aclose()
    assert (after.user + after.system) - (before.user + before.system) < 0.2


def _limit_pages(
    connected: Callable[[], contextlib.AbstractContextManager[sqlite3.Connection]], pages: int = 40
) -> None:
    with connected() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
