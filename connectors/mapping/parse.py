"""Records of a mapped source to events, by the rules of its file."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.feed import Outcome, ParseContext
from connectors.mapping.bodies import Item, cut
from connectors.mapping.config import MappingConfig
from connectors.mapping.paths import AmbiguousError, Path
from connectors.mapping.rules import Rule, SourceRecord
from connectors.values import RefusedRecordError
from ioc.domain.events import Event, Parsed, Rejected


class MappingParser:
    """Reads one source's payloads; pure."""

    def __init__(self, config: MappingConfig) -> None:
        self._records = None if config.records is None else Path.read(config.records)
        kinds = [rule.kind for rule in config.becomes]
        self._rules = [Rule(rule, config, is_only=kinds.count(rule.kind) == 1) for rule in config.becomes]

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse a payload in the context's form.

        Raises:
            MalformedPayloadError: nothing in it can be read.
        """
        events: list[Event] = []
        rejected: list[Rejected] = []
        ignored_count = 0
        for outcome in self.explain(payload, context):
            events += outcome.events
            if outcome.refusal is not None:
                rejected.append(Rejected(raw=outcome.raw, reason=outcome.refusal, index=outcome.index))
            ignored_count += outcome.unlike is not None
        return Parsed(events=events, rejected=rejected, ignored_count=ignored_count)

    def explain(self, payload: bytes, context: ParseContext) -> Iterator[Outcome]:
        """Say of each record of a payload what it becomes, and why not.

        Raises:
            MalformedPayloadError: nothing in it can be read.
        """
        for item in cut(payload, context, self._records):
            try:
                if item.fault is not None:
                    raise RefusedRecordError(item.fault)
                yield self._judge(item, context)
            except RefusedRecordError as refusal:
                yield Outcome(index=item.index, raw=item.raw, refusal=str(refusal))
            except AmbiguousError:
                yield Outcome(index=item.index, raw=item.raw, refusal="a key that the mapping reads came twice")

    def _judge(self, item: Item, context: ParseContext) -> Outcome:
        source = SourceRecord(item.record, item.root, context.pseudonym_key)
        differences = [(rule, rule.find_difference(source)) for rule in self._rules]
        fitting = [rule for rule, difference in differences if difference is None]
        if not fitting:
            return Outcome(
                index=item.index, raw=item.raw, unlike="; ".join(dict.fromkeys(text for _, text in differences if text))
            )
        return Outcome(
            index=item.index,
            raw=item.raw,
            events=[event for rule in fitting for event in rule.make_events(source, context)],
        )
