"""Where people change rules: every change is checked, has an author and a reason, and stands in the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.backtest.comparison import Comparison, compare
from alerts.backtest.trial import Occurrence
from alerts.language.rule import Rule
from alerts.lifecycle.versions import Draft, candidate_id, check_version, read_version, split_id
from alerts.rulebook.book import RulebookError
from alerts.world import World
from ioc.errors import ConfigurationError, InvalidRequestError, NotFoundError, RefusedActionError
from ioc.ports import Clock
from ioc.rules.in_force import RulesInForce
from ioc.storage.audit import AuditLog
from ioc.storage.pool import when_committed
from ioc.storage.rule_activations import Activation, Lane, State, Wish
from ioc.storage.rule_versions import RuleVersion
from ioc.storage.rules import RuleStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who changes something, and from where."""

    actor: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """The rule that decided about an alert, as far as it can still be found.

    ``source`` is ``version`` (saved here), ``file`` (as the files have it), or ``changed_file``: the files said
    something else then, and ``rule`` is None.
    """

    rule: Rule | None
    saved: RuleVersion | None
    source: str
    is_in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What a candidate said, beside what was in force, over a time in which it ran."""

    rule_id: str
    number: int
    start: datetime
    end: datetime
    candidate: list[Occurrence]
    in_force: list[Occurrence]
    comparison: Comparison


class RuleDesk:
    """Saves versions, makes them active, and answers what they were.

    Args:
        store: versions and activations.
        rules: what is in force in this process; kept up with each change that is made here.
        world: zones and names, for the tests beside rules.
        audit: gets every change.
        clock: the time of changes.
    """

    def __init__(self, store: RuleStore, rules: RulesInForce, world: World, audit: AuditLog, clock: Clock) -> None:
        self.store, self.rules = store, rules
        self._world, self._audit, self._clock = world, audit, clock

    async def save(
        self, source: str, *, by: Caller, reason: str, rule_id: str | None = None, name: str = "rule"
    ) -> RuleVersion:
        """Check a rule, run its tests, and keep it; nothing comes into force. ``name`` stands for the file in faults.

        Raises:
            ConfigurationError: with every fault and its line.
            FailedTestsError: a test beside it fails.
        """
        draft = await self._check(source, name)
        if rule_id not in (None, draft.rule.rule_id):
            raise InvalidRequestError("other_rule", f"this is a version of {draft.rule.rule_id!r}, not of {rule_id!r}")
        made = await self.store.versions.save(
            rule_id=draft.rule.rule_id, source=source, version=draft.rule.version, tests_count=draft.tests_count,
            author=by.actor, reason=reason, at=self._clock.now(),
        )  # fmt: skip
        await self._note(by, "saved", made.rule_id, {"number": made.number, "version": made.version, "reason": reason})
        return made

    async def activate(
        self,
        rule_id: str,
        number: int | None,
        lane: Lane,
        *,
        by: Caller,
        reason: str,
        expected: int | None = None,
    ) -> Activation:
        """Put a version in force, or let it run beside as a candidate; without a number, the rule of the files.

        Raises:
            NotFoundError: there is no such version, or no such rule in the files.
            ConfigurationError, FailedTestsError: it is not sound any more.
            RefusedActionError: it has no test, it stands there already, or somebody was faster.
        """
        if number is not None:
            await self._see_fit(await self.store.versions.get(rule_id, number), lane)
        elif lane is not Lane.LIVE or rule_id not in self.rules.files:
            raise NotFoundError("rule in the files", rule_id)
        state = State.FILE if number is None else State.VERSION
        return await self._put(rule_id, lane, state, number, by=by, reason=reason, expected=expected)

    async def retire(
        self, rule_id: str, lane: Lane, *, by: Caller, reason: str, expected: int | None = None
    ) -> Activation:
        """Take a rule out of force, or end its candidate. Its open alerts end with the reason ``rule_deleted``.

        Raises:
            NotFoundError: nothing of this name is there.
            RefusedActionError: nothing stands there, or somebody was faster.
        """
        if rule_id not in self.rules.files and not await self.store.versions.page(rule_id, limit=1):
            raise NotFoundError("rule", rule_id)
        return await self._put(rule_id, lane, State.OFF, None, by=by, reason=reason, expected=expected)

    async def roll_back(self, rule_id: str, *, by: Caller, reason: str, expected: int | None = None) -> Activation:
        """Put in force what was before.

        Raises:
            RefusedActionError: nothing was before, or somebody was faster.
        """
        now = self._clock.now()
        made = await self.store.activations.roll_back(rule_id, actor=by.actor, reason=reason, at=now, expected=expected)
        await self._settle(by, "rolled_back", made)
        return made

    async def find_decider(self, rule_id: str, version: str) -> Decider:
        """Give the rule that decided about an alert, by its name and the hash of its meaning."""
        running = self.rules.rulebook.find(rule_id)
        if running is not None and running.version == version:
            saved = self.rules.versions.get(rule_id)
            return Decider(rule=running, saved=saved, source="version" if saved else "file", is_in_force=True)
        name, number = split_id(rule_id)
        of_file = self.rules.files.get(name)
        if number is None and of_file is not None and of_file.version == version:
            return Decider(rule=of_file, saved=None, source="file", is_in_force=False)
        saved = await self.store.versions.find_meaning(name, version)
        if saved is None:
            return Decider(rule=None, saved=None, source="changed_file", is_in_force=False)
        try:
            rule = replace(read_version(saved.source, f"{name}@{saved.number}").rule, rule_id=rule_id)
        except RulebookError:
            rule = None
        return Decider(rule=rule, saved=saved, source="version", is_in_force=False)

    async def report(
        self, rule_id: str, *, number: int | None = None, start: datetime | None = None, end: datetime | None = None
    ) -> ShadowReport:
        """Compare a candidate, the newest if none is named, with what was in force while it ran last.

        Raises:
            NotFoundError: it never ran beside the rule.
            InvalidRequestError: it did not run in the time that was asked for.
        """
        ran = [item for item in await self.store.activations.history(rule_id) if item.lane is Lane.SHADOW]
        place = next(
            (index for index, item in enumerate(ran) if item.number is not None and number in (None, item.number)), None
        )
        if place is None or (found := ran[place].number) is None:
            raise NotFoundError("candidate", rule_id if number is None else f"{rule_id} {number}")
        until = ran[place - 1].at if place else self._clock.now()
        start = ran[place].at if start is None else max(start, ran[place].at)
        end = until if end is None else min(end, until)
        if start >= end:
            raise InvalidRequestError(
                "bad_range", f"the candidate ran from {ran[place].at.isoformat()} to {until.isoformat()}, not then"
            )
        mine = await self._occurrences(candidate_id(rule_id, found), start, end)
        theirs = await self._occurrences(rule_id, start, end)
        return ShadowReport(
            rule_id=rule_id, number=found, start=start, end=end, candidate=mine, in_force=theirs,
            comparison=compare(mine, theirs, end),
        )  # fmt: skip

    async def _occurrences(self, name: str, start: datetime, end: datetime) -> list[Occurrence]:
        found = await self.store.alerts.occurrences([name], start=start, end=end)
        return [replace(item, started_at=max(item.started_at, start)) for item in found]

    async def _see_fit(self, saved: RuleVersion, lane: Lane) -> None:
        """Check a version again, since the program may have changed since it was saved."""
        if lane is Lane.LIVE and not saved.tests_count:
            raise RefusedActionError(
                "no_tests", f"version {saved.number} of {saved.rule_id} has no test beside it; save one that has"
            )
        await self._check(saved.source, f"{saved.rule_id}@{saved.number}")

    async def _check(self, source: str, name: str) -> Draft:
        try:
            return await asyncio.to_thread(check_version, source, name, self._world, self.rules.rulebook)
        except RulebookError as error:
            raise ConfigurationError(error.faults) from error

    async def _put(
        self,
        rule_id: str,
        lane: Lane,
        state: State,
        number: int | None,
        *,
        by: Caller,
        reason: str,
        expected: int | None,
    ) -> Activation:
        wish = Wish(
            rule_id=rule_id, lane=lane, state=state, number=number, actor=by.actor, reason=reason,
            at=self._clock.now(), expected=expected,
        )  # fmt: skip
        made = await self.store.activations.activate(wish)
        await self._settle(by, "retired" if state is State.OFF else "activated", made)
        return made

    async def _settle(self, by: Caller, action: str, made: Activation) -> None:
        detail = {
            "lane": made.lane.value, "state": made.state.value, "number": made.number,
            "activation": made.activation_id, "reason": made.reason,
        }  # fmt: skip
        await self._note(by, action, made.rule_id, detail)
        await when_committed(self.rules.refresh)

    async def _note(self, by: Caller, action: str, rule_id: str, detail: Mapping[str, object]) -> None:
        await self._audit.note(actor=by.actor, address=by.address, action=f"rule.{action}", on=rule_id, detail=detail)
