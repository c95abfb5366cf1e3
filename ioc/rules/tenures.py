"""What was in force under a rule's name, and when: from its activations, its versions and the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.inquiry.tenures import Source, Tenure, within
from alerts.language.rule import Rule
from alerts.lifecycle.versions import read_version, split_id
from alerts.rulebook.book import RulebookError
from ioc.storage.rule_activations import Activation, Lane, State
from ioc.storage.rule_versions import RuleVersion
from ioc.storage.rules import RuleStore


class RuleTenures:
    """Gives the tenures of a rule, or of a candidate under the name that it ran under.

    Args:
        store: versions and activations.
        files: gives the rules of the files, by name. They are as they are now: older ones are not kept.
    """

    def __init__(self, store: RuleStore, files: Callable[[], Mapping[str, Rule]]) -> None:
        self._store, self._files = store, files

    async def of(self, rule_id: str, start: datetime, end: datetime) -> list[Tenure]:
        """Give the tenures of a period, the oldest first; none where nothing ever stood under this name.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        name, number = split_id(rule_id)
        lane = Lane.LIVE if number is None else Lane.SHADOW
        history = [item for item in reversed(await self._store.activations.history(name)) if item.lane is lane]
        of_file = self._files().get(name) if number is None else None
        if of_file is None and (not history or number not in {None, *(item.number for item in history)}):
            return []
        tenures = within(_line_up(history, of_file, number), start, end)
        numbers = {tenure.number for tenure in tenures if tenure.number is not None}
        versions = await self._store.versions.find_all([(name, found) for found in sorted(numbers)])
        return await asyncio.to_thread(_read_all, tenures, versions, rule_id)


def _line_up(history: Sequence[Activation], of_file: Rule | None, candidate: int | None) -> list[Tenure]:
    """Give what stood there one after the other; the rules of versions are still to be read."""
    first = Tenure(source=Source.NOT_YET if of_file is None else Source.FILE, rule=of_file)
    found = [replace(first, until=history[0].at if history else None)]
    for place, item in enumerate(history):
        is_other = candidate is not None and item.number != candidate
        source = {State.VERSION: Source.VERSION, State.FILE: Source.FILE, State.OFF: Source.RETIRED}[item.state]
        if is_other or (source is Source.FILE and of_file is None):
            source = Source.RETIRED
        tenure = Tenure(source=source, since=item.at, actor=item.actor, reason=item.reason)
        if place + 1 < len(history):
            tenure = replace(tenure, until=history[place + 1].at)
        if source is Source.VERSION:
            tenure = replace(tenure, number=item.number)
        found.append(replace(tenure, rule=of_file) if source is Source.FILE else tenure)
    return found


def _read_all(tenures: Sequence[Tenure], versions: Mapping[tuple[str, int], RuleVersion], rule_id: str) -> list[Tenure]:
    return [_read(tenure, versions, rule_id) for tenure in tenures]


def _read(tenure: Tenure, versions: Mapping[tuple[str, int], RuleVersion], rule_id: str) -> Tenure:
    """Read the rule of a version; a candidate is a rule of its own name, and in shadow."""
    if tenure.source is not Source.VERSION or tenure.number is None:
        return tenure
    name, candidate = split_id(rule_id)
    try:
        rule = read_version(versions[name, tenure.number].source, f"{name}@{tenure.number}").rule
    except RulebookError:
        return replace(tenure, source=Source.UNREADABLE)
    return replace(tenure, rule=rule if candidate is None else replace(rule, rule_id=rule_id, shadow=True))
