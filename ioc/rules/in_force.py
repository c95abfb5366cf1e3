"""The rules in force in this process: those of the files, overlaid by what was made active in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from alerts.language.rule import Rule
from alerts.lifecycle.versions import InForce, candidate_id, overlay, read_version
from alerts.rulebook.book import Rulebook, RulebookError
from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.rule_activations import Activation, Lane, State
from ioc.storage.rule_versions import RuleVersion
from ioc.storage.rules import RuleStore

_log = logger("rules")

PERIOD = timedelta(seconds=1)
"""How often the store is asked whether anything was made active: one number, from the end of an index."""


class RulesInForce:
    """The rulebook that this process decides and shows by, kept up with the store.

    The files are read once, when the process starts: an edit that somebody is in the middle of never comes into force
    because somebody else made another rule active.

    Args:
        store: versions and activations.
        files: the rules of the files.
        clock: time between looks.

    ``rulebook`` is never changed in place, and ``activation_id`` says which activations it contains. ``fault`` says
    why a newer one could not be read; then ``is_behind``, and the old one stays.
    """

    def __init__(self, store: RuleStore, files: Sequence[Rule], clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.files: Mapping[str, Rule] = {rule.rule_id: rule for rule in files}
        self.rulebook = Rulebook(files)
        self.activation_id = 0
        self.standing: Sequence[Activation] = ()
        self.versions: Mapping[str, RuleVersion] = {}
        self.fault: str | None = None
        self._looked_at = 0
        self._known: dict[tuple[str, int], Rule] = {}
        self._turn = asyncio.Lock()
        self._is_waiting = False

    @property
    def is_behind(self) -> bool:
        """Whether something newer is active that this process cannot read."""
        return self.fault is not None

    def describe(self) -> str:
        """Say how many rules are in force, up to which activation, and what could not be read."""
        text = f"{len(self.rulebook.rules)} rules, activation {self.activation_id}"
        return text if self.fault is None else f"{text}; NOT activation {self._looked_at}: {self.fault}"

    async def run(self) -> None:
        """Keep up until cancelled; while the store is away, the rules stay as they are."""
        while True:
            try:
                await self.refresh()
                self._is_waiting = False
            except StoreUnavailableError as error:
                if not self._is_waiting:
                    _log.warning("rules.waiting", reason=error.reason)
                self._is_waiting = True
            await self._clock.sleep(PERIOD)

    async def refresh(self) -> None:
        """Take what was made active since the last look.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        async with self._turn:
            if await self._store.activations.newest_id() == self._looked_at:
                return
            standing = await self._store.activations.standing()
            names = {(item.rule_id, item.number) for item in standing if item.number is not None}
            versions = await self._store.versions.find_all(names)
            self._take(standing, versions)

    def _take(self, standing: Sequence[Activation], versions: Mapping[tuple[str, int], RuleVersion]) -> None:
        newest = max((item.activation_id for item in standing), default=0)
        known, faults = self._read(versions.values())
        is_first, self._looked_at = self._looked_at == 0, newest
        self.fault = "; ".join(faults) or None
        if faults:
            _log.error("rules.unreadable", activation=newest, reason=self.fault, kept=self.activation_id)
            if not is_first:
                return
        # At the start there is no older rulebook to keep: what can be read is in force, the rest is as in the files.
        self._known, self.activation_id, self.standing = known, newest, standing
        readable = [item for item in standing if item.number is None or (item.rule_id, item.number) in known]
        self.rulebook = overlay(self.files.values(), _sort(readable, known, self.files))
        self.versions = {
            name_of(item): versions[item.rule_id, item.number] for item in readable if item.number is not None
        }
        _log.info("rules.taken", activation=newest, rules=len(self.rulebook.rules))

    def _read(self, versions: Iterable[RuleVersion]) -> tuple[dict[tuple[str, int], Rule], list[str]]:
        known: dict[tuple[str, int], Rule] = {}
        faults: list[str] = []
        for version in versions:
            key = version.rule_id, version.number
            try:
                known[key] = self._known.get(key) or read_version(version.source, f"{key[0]}@{key[1]}").rule
            except RulebookError as error:
                faults += error.faults
        return known, faults


def name_of(item: Activation) -> str:
    """Give the name that the rule of an activation runs under."""
    return item.rule_id if item.lane is Lane.LIVE or item.number is None else candidate_id(item.rule_id, item.number)


def _sort(standing: Sequence[Activation], known: Mapping[tuple[str, int], Rule], files: Mapping[str, Rule]) -> InForce:
    live: dict[str, Rule | None] = {}
    candidates: dict[tuple[str, int], Rule] = {}
    for item in standing:
        if item.lane is Lane.SHADOW:
            if item.number is not None:
                candidates[item.rule_id, item.number] = known[item.rule_id, item.number]
        elif item.number is not None:
            live[item.rule_id] = known[item.rule_id, item.number]
        else:
            live[item.rule_id] = files.get(item.rule_id) if item.state is State.FILE else None
    return InForce(live=live, candidates=candidates)
