"""Requests with a key: done once, in one transaction with their answer, however often and by whom they are repeated."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from ioc.clocks import ReplayClock
from ioc.errors import InvalidRequestError, RefusedActionError
from ioc.rules.in_force import RulesInForce
from ioc.sealing import Sealer
from ioc.storage.audit import AuditLog
from ioc.storage.kept_answers import Answer, Asked, KeptAnswers
from ioc.storage.pool import Database, when_committed
from ioc.storage.rule_activations import Lane, State, Wish
from ioc.storage.rules import RuleStore
from tests.support.alerts import at

ASKED = Asked(actor="lan", key="k1", request_hash=b"as asked")


class Office:
    """One process: something to do that leaves an entry in the audit log, and answers with a number of its own."""

    def __init__(self, database: Database, numbers: count[int], *, key: int = 0) -> None:
        self.clock = ReplayClock(at(0))
        self.audit = AuditLog(database, self.clock)
        self.answers = KeptAnswers(database, Sealer([bytes([key] * 32)]), self.clock)
        self.numbers, self.began, self.may_end = numbers, asyncio.Event(), asyncio.Event()
        self.may_end.set()

    async def do(self) -> Answer:
        number = next(self.numbers)
        await self.audit.note(actor="lan", address="-", action="silence.added", on=str(number))
        self.began.set()
        await self.may_end.wait()
        return Answer(status=201, body=f'{{"secret":"whsec_{number}"}}', media_type="application/json")

    async def done(self) -> list[str]:
        return [entry["object"] for entry in await self.audit.newest()]


@pytest.fixture
def numbers():
    return count(1)


@pytest.fixture
def office(database, numbers):
    return Office(database, numbers)


async def test_a_repetition_gets_the_first_answer_and_does_nothing_also_in_another_process(address, office, numbers):
    first = await office.answers.once(ASKED, office.do)
    assert await office.answers.once(ASKED, office.do) == first
    async with Database(address) as database:
        other = Office(database, numbers)
        assert await other.answers.once(ASKED, other.do) == first
    assert await office.done() == ["1"]


async def test_a_key_serves_one_request_of_one_person(office):
    first = await office.answers.once(ASKED, office.do)
    with pytest.raises(InvalidRequestError) as refused:
        await office.answers.once(Asked(actor="lan", key="k1", request_hash=b"something else"), office.do)
    assert refused.value.code == "idempotency_key_reused"
    other = await office.answers.once(Asked(actor="minh", key="k1", request_hash=b"as asked"), office.do)
    assert other != first
    assert await office.done() == ["2", "1"]


async def test_of_many_at_once_on_two_pools_one_is_done_and_all_get_its_answer(address, office, numbers):
    async with Database(address, max_size=4) as database:
        other = Office(database, numbers)
        asked = [each.answers.once(ASKED, each.do) for _ in range(4) for each in (office, other)]
        answers = await asyncio.gather(*asked)
    assert answers == [answers[0]] * 8
    assert await office.done() == ["1"]


async def test_who_asks_while_the_first_takes_long_is_told_so_and_later_gets_its_answer(address, office, numbers):
    office.may_end.clear()
    async with Database(address) as database, asyncio.TaskGroup() as group:
        other = Office(database, numbers)
        first = group.create_task(office.answers.once(ASKED, office.do))
        await office.began.wait()
        with pytest.raises(RefusedActionError) as refused:
            await other.answers.once(ASKED, other.do)
        assert refused.value.code == "idempotency_key_in_use"
        office.may_end.set()
        assert await other.answers.once(ASKED, other.do) == await first
    assert await office.done() == ["1"]


async def test_what_is_refused_or_fails_leaves_nothing_and_is_asked_anew(office):
    async def refuse() -> Answer:
        await office.do()
        return Answer(status=422, body="{}", media_type="application/problem+json")

    async def fail() -> Answer:
        await office.do()
        raise RefusedActionError("too_many", "quá nhiều")

    assert (await office.answers.once(ASKED, refuse)).status == 422
    with pytest.raises(RefusedActionError):
        await office.answers.once(ASKED, fail)
    assert await office.done() == []
    assert (await office.answers.once(ASKED, office.do)).status == 201
    assert await office.done() == ["3"]


async def test_a_process_that_dies_in_the_middle_has_done_nothing_and_holds_no_key(address, office, numbers):
    async with Database(address) as database:
        dying = Office(database, numbers)
        dying.may_end.clear()
        task = asyncio.create_task(dying.answers.once(ASKED, dying.do))
        await dying.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await office.done() == []
    await office.answers.once(ASKED, office.do)
    assert await office.done() == ["2"]


async def test_answers_are_sealed_at_rest_and_forgotten_after_a_day(database, office):
    await office.answers.once(ASKED, office.do)
    async with database.connection() as connection:
        [row] = await (await connection.execute("SELECT kept_answer::text, sealed_answer FROM kept_answer")).fetchall()
    assert "whsec_" not in row[0]
    assert b"whsec_" not in bytes(row[1])
    office.clock.advance(at(60 * 24))
    await office.answers.forget()
    await office.answers.once(ASKED, office.do)
    assert await office.done() == ["1"]
    office.clock.advance(at(60 * 24) + timedelta(seconds=1))
    await office.answers.forget()
    await office.answers.once(ASKED, office.do)
    assert await office.done() == ["2", "1"]


async def test_an_answer_whose_key_is_gone_is_not_given_and_nothing_is_done_again(database, office, numbers):
    await office.answers.once(ASKED, office.do)
    rotated = Office(database, numbers, key=1)
    with pytest.raises(RefusedActionError) as refused:
        await rotated.answers.once(ASKED, rotated.do)
    assert refused.value.code == "answer_sealed"
    assert await office.done() == ["1"]


async def test_what_comes_into_force_is_taken_after_its_commit_and_not_after_a_rollback(database, office):
    store = RuleStore(database)
    rules = RulesInForce(store, [], office.clock)
    seen: list[int] = []

    async def refresh() -> None:
        await rules.refresh()
        seen.append(rules.activation_id)

    async def activate(status: int) -> Answer:
        wish = Wish(rule_id="a.rule", lane=Lane.LIVE, state=State.OFF, number=None, actor="lan", reason="thử", at=at(0))
        await store.activations.activate(wish)
        await when_committed(refresh)
        assert seen == []
        return Answer(status=status, body="{}", media_type=None)

    await office.answers.once(ASKED, lambda: activate(409))
    assert seen == []
    assert await store.activations.newest_id() == 0
    await office.answers.once(ASKED, lambda: activate(200))
    assert seen == [await store.activations.newest_id()]
