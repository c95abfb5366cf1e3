"""What both event logs promise, each against the real thing: a file on disk and a Kafka broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from ioc.domain.events import Signal
from ioc.domain.ids import partition_of
from ioc.errors import ConfigurationError
from ioc.messaging.codec import encode_record
from ioc.ports import EventLog, Start, Topic, TopicPartition
from tests.support.logs import (
    PARTITIONS,
    PULSE,
    EmbeddedSubject,
    KafkaSubject,
    PositionTable,
    Subject,
    event,
    gather,
    item_count,
    letter,
    number_of,
    numbers_by_partition,
    placed,
)

EVENTS = [Topic.EVENTS]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    if request.param == "embedded":
        return EmbeddedSubject(tmp_path)
    kafka = KafkaSubject(request.getfixturevalue("kafka_bootstrap"))
    async with kafka.open() as log:
        await log.apply_topics()
    return kafka


@pytest.fixture
async def log(subject: Subject) -> AsyncIterator[EventLog]:
    async with subject.open() as opened:
        yield opened


async def test_items_come_back_in_order_on_the_partition_of_their_key(log: EventLog) -> None:
    for start in range(0, 1_000, 100):
        await log.append(Topic.EVENTS, [event(number) for number in range(start, start + 100)])
    table = PositionTable()
    batches = await gather(
        log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= 1_000
    )
    assert numbers_by_partition(batches) == placed(range(1_000))


async def test_an_item_comes_back_as_it_was_appended(log: EventLog) -> None:
    sent = event(7)
    await log.append(Topic.EVENTS, [sent])
    await log.append(Topic.SIGNALS, [Signal(scope="province", event=sent)])
    await log.append(Topic.DEAD_LETTERS, [letter(1)])
    batches = await gather(
        log.tail(list(Topic), start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 3
    )
    read = {part.partition.topic: list(part.items) for batch in batches for part in batch.slices}
    assert read == {
        Topic.EVENTS: [sent],
        Topic.SIGNALS: [Signal(scope="province", event=sent)],
        Topic.DEAD_LETTERS: [letter(1)],
    }


async def test_offsets_of_a_partition_are_a_chain_from_zero_to_its_end(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(700)])
    await log.append(Topic.EVENTS, [event(number) for number in range(700, 777)])
    batches = await gather(
        log.tail(EVENTS, start=Start.BEGINNING, max_items=50, pulse=PULSE),
        until=lambda seen: item_count(seen) >= 777,
    )
    at: dict[TopicPartition, int] = {}
    for batch in batches:
        for part in batch.slices:
            assert part.first_offset == at.get(part.partition, 0)
            assert part.next_offset - part.first_offset == len(part.items)
            assert part.next_offset <= part.end_offset
            at[part.partition] = part.next_offset
    assert at == {partition: end for partition, end in (await log.end_offsets(EVENTS)).items() if end}


async def test_a_batch_never_holds_more_than_was_asked_for(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(600)])
    batches = await gather(
        log.tail(EVENTS, start=Start.BEGINNING, max_items=37, pulse=PULSE), until=lambda seen: item_count(seen) >= 600
    )
    assert max(item_count([batch]) for batch in batches) <= 37


async def test_reading_starts_where_the_handover_says(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(400)])
    table = PositionTable(positions={TopicPartition(Topic.EVENTS, number): 10 * number for number in range(PARTITIONS)})
    wanted = {number: numbers[10 * number :] for number, numbers in placed(range(400)).items()}
    count = sum(map(len, wanted.values()))
    batches = await gather(
        log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= count
    )
    assert numbers_by_partition(batches) == wanted


async def test_what_was_not_stored_before_a_crash_is_read_again_and_nothing_else(subject: Subject) -> None:
    table = PositionTable()
    async with subject.open() as log:
        await log.append(Topic.EVENTS, [event(number) for number in range(300)])
        reading = log.read(EVENTS, group="g", handover=table, max_items=100, pulse=PULSE)
        async with asyncio.timeout(30), aclosing(reading):  # type: ignore[type-var]
            async for batch in reading:
                if table.stored_count >= 100 and batch.slices:
                    break  # the worker dies with this batch in hand
                table.store(batch.slices)
    async with subject.open() as log:
        reading = log.read(EVENTS, group="g", handover=table, max_items=100, pulse=PULSE)
        await gather(reading, until=lambda seen: table.store(seen[-1].slices) and table.stored_count >= 300)
    assert {part.partition: rows for part, rows in table.rows.items()} == placed(range(300))
    assert table.refused_count == 0


async def test_every_batch_says_which_partitions_are_read_to_their_end(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(500)])
    table = PositionTable()
    batches = await gather(
        log.read([Topic.EVENTS, Topic.SIGNALS], group="g", handover=table, max_items=60, pulse=PULSE),
        until=lambda seen: (
            item_count(seen) >= 500 and not seen[-1].slices and len(seen[-1].caught_up) == 2 * PARTITIONS
        ),
    )
    ends = await log.end_offsets([Topic.EVENTS, Topic.SIGNALS])
    at = dict.fromkeys(ends, 0)
    for batch in batches:
        at.update({part.partition: part.next_offset for part in batch.slices})
        assert batch.caught_up <= {partition for partition in ends if at[partition] == ends[partition]}
    with_slices = [batch for batch in batches if batch.slices]
    assert any(batch.caught_up for batch in with_slices), (
        "a partition at its end is named while others still have items"
    )


async def test_a_quiet_log_pulses(log: EventLog) -> None:
    table = PositionTable()
    batches = await gather(
        log.read(EVENTS, group="g", handover=table, pulse=PULSE),
        until=lambda seen: len(seen[-1].caught_up) == PARTITIONS,
    )
    assert not any(batch.slices for batch in batches)


async def test_a_waiting_reader_gets_what_is_appended_then(log: EventLog) -> None:
    table = PositionTable()
    reading = log.read(EVENTS, group="g", handover=table, pulse=PULSE)
    async with asyncio.timeout(30), aclosing(reading):  # type: ignore[type-var]
        async for batch in reading:
            if len(batch.caught_up) == PARTITIONS:
                break
        await log.append(Topic.EVENTS, [event(1)])
        async for batch in reading:
            if batch.slices:
                break
    assert [number_of(item) for part in batch.slices for item in part.items] == [1]


async def test_the_next_batch_is_fetched_only_when_the_reader_asks(log: EventLog) -> None:
    """A reader that stops asking gets, when it asks again, what it would have got: nothing piles up or is skipped."""
    await log.append(Topic.EVENTS, [event(number) for number in range(100)])
    table = PositionTable()
    reading = log.read(EVENTS, group="g", handover=table, max_items=10, pulse=PULSE)
    async with asyncio.timeout(60), aclosing(reading):  # type: ignore[type-var]
        async for batch in reading:
            if batch.slices:
                table.store(batch.slices)
                break
        for start in range(100, 3_000, 100):
            await log.append(Topic.EVENTS, [event(number) for number in range(start, start + 100)])
        async for batch in reading:
            assert item_count([batch]) <= 10
            assert table.store(batch.slices)
            if table.stored_count == 3_000:
                break
    assert {part.partition: rows for part, rows in table.rows.items()} == placed(range(3_000))


async def test_a_group_and_a_tail_read_independently(log: EventLog) -> None:
    table = PositionTable()
    await log.append(Topic.EVENTS, [event(number) for number in range(50)])
    tail = log.tail(EVENTS, pulse=PULSE)
    async with asyncio.timeout(30), aclosing(tail):  # type: ignore[type-var]
        async for batch in tail:
            if len(batch.caught_up) == PARTITIONS:
                break
        await log.append(Topic.EVENTS, [event(number) for number in range(50, 80)])
        seen = []
        async for batch in tail:
            seen.append(batch)
            if item_count(seen) >= 30:
                break
    assert numbers_by_partition(seen) == placed(range(50, 80))
    batches = await gather(
        log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= 80
    )
    assert numbers_by_partition(batches) == placed(range(80))


async def test_two_groups_each_read_everything(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(40)])
    for group in ("first", "second"):
        batches = await gather(
            log.read(EVENTS, group=group, handover=PositionTable(), pulse=PULSE),
            until=lambda seen: item_count(seen) >= 40,
        )
        assert numbers_by_partition(batches) == placed(range(40))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"\x01\xc1", "malformed"),
        (b"\x01\x93\x01\x02\x03", "Expected"),
        (b"\x63" + encode_record(event(5))[1:], "schema version 99"),
    ],
    ids=["not MessagePack", "another shape", "a later schema"],
)
async def test_an_unreadable_record_is_reported_and_its_neighbours_are_read(
    subject: Subject, log: EventLog, record: bytes, said: str
) -> None:
    place = TopicPartition(Topic.EVENTS, partition_of("air.x", PARTITIONS))
    await log.append(Topic.EVENTS, [event(1, "air.x"), event(2, "air.x")])
    await subject.append_raw(place, record)
    await log.append(Topic.EVENTS, [event(3, "air.x")])
    batches = await gather(
        log.tail(EVENTS, start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 4
    )
    slices = [part for batch in batches for part in batch.slices]
    assert [number_of(item) for part in slices for item in part.items] == [1, 2, 3]
    ((offset, raw, reason),) = [bad for part in slices for bad in part.undecodable]
    assert offset == 2
    assert raw in (record, record[:1] + b"\x91" + record[1:])
    assert said.lower() in reason.lower()
    assert slices[-1].next_offset == 4


async def test_a_reader_goes_on_at_the_oldest_item_when_retention_took_its_place(
    subject: Subject, log: EventLog
) -> None:
    place = TopicPartition(Topic.EVENTS, partition_of("air.x", PARTITIONS))
    for number in range(10):
        await log.append(Topic.EVENTS, [event(number, "air.x")])
    await subject.drop_before(place, 6)
    table = PositionTable(positions={place: 2})
    batches = await gather(
        log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= 4
    )
    slices = [part for batch in batches for part in batch.slices]
    assert [number_of(item) for part in slices for item in part.items] == [6, 7, 8, 9]
    assert (slices[0].first_offset, slices[-1].next_offset) == (2, 10), "the store's positions stay a chain"


async def test_lag_counts_what_lies_behind_positions(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(100)])
    ends = await log.end_offsets(EVENTS)
    assert sum(ends.values()) == 100
    assert await log.lag(ends) == 0
    assert await log.lag(dict.fromkeys(ends, 0)) == 100


async def test_many_callers_append_at_once_and_every_item_is_there_once(log: EventLog) -> None:
    async with asyncio.TaskGroup() as group:
        for start in range(0, 2_000, 20):
            group.create_task(log.append(Topic.EVENTS, [event(number) for number in range(start, start + 20)]))
    batches = await gather(
        log.tail(EVENTS, start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 2_000
    )
    read = numbers_by_partition(batches)
    assert {number: sorted(numbers) for number, numbers in read.items()} == placed(range(2_000))


async def test_an_append_of_nothing_is_nothing(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [])
    assert await log.lag(dict.fromkeys(await log.end_offsets(EVENTS), 0)) == 0


async def test_a_huge_dead_letter_fits(log: EventLog) -> None:
    big = letter(1)
    big = type(big)(**{**{name: getattr(big, name) for name in big.__struct_fields__}, "raw": b"\x00\xff" * 2_100_000})
    await log.append(Topic.DEAD_LETTERS, [big, letter(2)])
    batches = await gather(
        log.tail([Topic.DEAD_LETTERS], start=Start.BEGINNING, pulse=PULSE), until=lambda seen: item_count(seen) >= 2
    )
    assert [item for batch in batches for part in batch.slices for item in part.items] == [big, letter(2)]


async def test_a_log_with_another_number_of_partitions_is_refused(subject: Subject, log: EventLog) -> None:
    other = subject.open()
    await log.append(Topic.EVENTS, [event(1)])
    changed = type(other)
    if changed.__name__ == "EmbeddedLog":
        assert isinstance(subject, EmbeddedSubject)
        with pytest.raises(ConfigurationError, match="4 partitions"):
            async with subject.open(partitions=5):
                pass
        return
    assert isinstance(subject, KafkaSubject)
    async with subject.open(partitions=5) as wrong:
        with pytest.raises(ConfigurationError, match="4 partitions"):
            await wrong.append(Topic.EVENTS, [event(1)])
        lines = await wrong.apply_topics()
        assert sum("NOT changed" in line for line in lines) == 2


async def test_a_failing_handover_ends_the_reading(log: EventLog) -> None:
    class Failing(PositionTable):
        async def assigned(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
            raise ConfigurationError(["no store"])

    with pytest.raises(ConfigurationError):
        await gather(
            log.read(EVENTS, group="g", handover=Failing(), pulse=PULSE), until=lambda seen: bool(seen[-1].caught_up)
        )


async def test_a_group_hands_over_to_its_next_member(log: EventLog) -> None:
    await log.append(Topic.EVENTS, [event(number) for number in range(20)])
    table = PositionTable()
    for _ in range(2):
        reading = log.read(EVENTS, group="g", handover=table, pulse=timedelta(seconds=0.1))
        await gather(reading, until=lambda seen: table.store(seen[-1].slices) and len(seen[-1].caught_up) == PARTITIONS)
        assert frozenset().union(*table.revoked_calls) == frozenset().union(*table.assigned_calls)
    assert table.stored_count == 20
    assert table.refused_count == 0


async def test_a_reading_that_its_caller_dropped_gives_the_partitions_back_by_itself(log: EventLog) -> None:
    """A worker leaves its loop by an error and starts again: nobody calls ``aclose`` for it."""
    await log.append(Topic.EVENTS, [event(number) for number in range(20)])
    table = PositionTable()

    async def work_and_fail() -> None:
        async for batch in log.read(EVENTS, group="g", handover=table, pulse=PULSE):
            if batch.slices:
                raise ConfigurationError(["the store refused"])

    async with asyncio.timeout(60):
        with pytest.raises(ConfigurationError):
            await work_and_fail()
        batches = await gather(
            log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: item_count(seen) >= 20
        )
    assert numbers_by_partition(batches) == placed(range(20))
    assert len(table.revoked_calls) >= 2
