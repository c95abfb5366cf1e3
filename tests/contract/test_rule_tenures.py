"""What was in force under a rule's name, and when, from what a real store keeps of its versions and activations."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from alerts.inquiry.tenures import Source, Tenure
from alerts.lifecycle.versions import read_version
from alerts.rulebook.book import Rulebook
from ioc.rules.tenures import RuleTenures
from ioc.storage.migrate import migrate_database
from ioc.storage.pool import Database
from ioc.storage.rule_activations import Lane, State, Wish
from ioc.storage.rules import RuleStore
from tests.support.alerts import at

RULE = "crowd.density"
FOLDER = Path(str(resources.files("alerts").joinpath("rules")))
TEXT = (FOLDER / "28-crowd.yaml").read_text("utf-8")
FILES = {rule.rule_id: rule for rule in Rulebook.load([FOLDER / "28-crowd.yaml"]).rules}
LOWER = TEXT.replace("density_p_m2 >= 2\n", "density_p_m2 >= 1.9\n")


@pytest.fixture
async def store(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url, prepare=migrate_database)
    async with Database(address) as database:
        yield RuleStore(database)


async def save(store, source: str = LOWER, rule_id: str = RULE) -> int:
    made = await store.versions.save(
        rule_id=rule_id, source=source, version="v", tests_count=1, author="lan", reason="lễ hội", at=at(0)
    )
    return made.number


async def put(store, minute: float, state: State, number: int | None = None, *, lane=Lane.LIVE, rule_id=RULE) -> None:
    await store.activations.activate(
        Wish(rule_id=rule_id, lane=lane, state=state, number=number, actor="lan", reason="vì", at=at(minute))
    )


async def tenures(store, rule_id: str = RULE, start: float = 0, end: float = 60) -> list[Tenure]:
    return await RuleTenures(store, lambda: FILES).of(rule_id, at(start), at(end))


def shown(found: list[Tenure]) -> list[tuple]:
    return [(item.source, item.number, item.since, item.until) for item in found]


async def test_a_rule_that_nobody_changed_is_that_of_the_files_all_the_time(store):
    [tenure] = await tenures(store)
    assert (tenure.source, tenure.rule, tenure.since, tenure.until) == (Source.FILE, FILES[RULE], None, None)


async def test_activations_roll_backs_and_retirement_line_up_without_a_gap(store):
    number = await save(store)
    await put(store, 10, State.VERSION, number)
    await store.activations.roll_back(RULE, actor="lan", reason="quá nhiều", at=at(20))
    await put(store, 30, State.OFF)
    await put(store, 40, State.VERSION, number)
    found = await tenures(store)
    assert shown(found) == [
        (Source.FILE, None, None, at(10)),
        (Source.VERSION, 1, at(10), at(20)),
        (Source.FILE, None, at(20), at(30)),
        (Source.RETIRED, None, at(30), at(40)),
        (Source.VERSION, 1, at(40), None),
    ]
    assert found[1].rule is not None
    assert found[1].rule.version == read_version(LOWER, "x").rule.version != FILES[RULE].version
    assert (found[2].reason, found[3].rule) == ("quá nhiều", None)


async def test_only_what_lies_in_the_time_that_is_asked_about_is_given(store):
    number = await save(store)
    await put(store, 10, State.VERSION, number)
    await put(store, 20, State.FILE)
    assert shown(await tenures(store, start=10, end=20)) == [(Source.VERSION, 1, at(10), at(20))]
    assert shown(await tenures(store, start=20, end=30)) == [(Source.FILE, None, at(20), None)]


async def test_a_candidate_ran_under_its_own_name_and_in_shadow(store):
    first, second = await save(store), await save(store, LOWER.replace("1.9", "1.95"))
    await put(store, 10, State.VERSION, first, lane=Lane.SHADOW)
    await put(store, 20, State.VERSION, second, lane=Lane.SHADOW)
    found = await tenures(store, f"{RULE}~{first}")
    assert [item.source for item in found] == [Source.NOT_YET, Source.VERSION, Source.RETIRED]
    assert found[1].rule is not None
    assert (found[1].rule.rule_id, found[1].rule.shadow, found[1].until) == (f"{RULE}~1", True, at(20))
    assert shown(await tenures(store)) == [(Source.FILE, None, None, None)], "a candidate is not in force"
    assert await tenures(store, f"{RULE}~7") == []


async def test_a_rule_that_no_file_has_was_not_there_before_its_first_version(store):
    assert await tenures(store, "crowd.tet") == []
    number = await save(store, LOWER.replace(f"rule: {RULE}", "rule: crowd.tet"), "crowd.tet")
    assert await tenures(store, "crowd.tet") == [], "what was saved and never active was never in force"
    await put(store, 30, State.VERSION, number, rule_id="crowd.tet")
    assert shown(await tenures(store, "crowd.tet")) == [
        (Source.NOT_YET, None, None, at(30)),
        (Source.VERSION, 1, at(30), None),
    ]


async def test_a_version_that_this_program_cannot_read_is_told_as_that(store):
    number = await save(store, "rule: crowd.density\ncondition: from_a_later_release\n")
    await put(store, 30, State.VERSION, number)
    found = await tenures(store, start=30)
    assert [(item.source, item.number, item.rule) for item in found] == [(Source.UNREADABLE, 1, None)]
