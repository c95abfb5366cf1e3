"""Mapped sources as feeds: what a file makes is a definition like that of any other feed."""

from __future__ import annotations

import pathlib
from collections.abc import Container, Iterable

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feed import FeedConfig, Parse
from connectors.mapping.config import MappingConfig
from connectors.mapping.file import SUFFIX, read_mapping
from connectors.mapping.parse import MappingParser
from connectors.mapping.privacy import make_redact
from ioc.errors import ConfigurationError


def make_definition(config: MappingConfig) -> FeedDefinition:
    """Make the definition of the feed that a mapping file describes."""
    return FeedDefinition(
        feed_id=config.feed,
        name_vi=config.name_vi,
        name_en=config.name_en,
        config=MappingConfig,
        kinds=tuple(dict.fromkeys(rule.kind for rule in config.becomes)),
        forms=JSON_FORMS,
        transports=frozenset({"http", "files"}),
        make_parse=_make_parse,
        redact=make_redact(config),
        settled=config,
    )


def load_mappings(folder: pathlib.Path | None, *, taken: Iterable[str]) -> dict[str, FeedDefinition]:
    """Read every ``<feed>.mapping.yaml`` of a folder; ``taken`` are the ids of feeds that there are already.

    Raises:
        ConfigurationError: with every fault of every file.
    """
    found: dict[str, FeedDefinition] = {}
    faults: list[str] = []
    known = frozenset(taken)
    for path in [] if folder is None or not folder.is_dir() else sorted(folder.glob(f"*{SUFFIX}")):
        try:
            definition = load_mapping(path, taken=known)
        except ConfigurationError as error:
            faults += error.faults
        else:
            found[definition.feed_id] = definition
    if faults:
        raise ConfigurationError(faults)
    return found


def load_mapping(path: pathlib.Path, *, taken: Container[str]) -> FeedDefinition:
    """Read one ``<feed>.mapping.yaml``.

    Raises:
        ConfigurationError: it has faults, its name is another than its feed's, or the feed's id is ``taken``.
    """
    config = read_mapping(path)
    if config.feed != path.name.removesuffix(SUFFIX):
        raise ConfigurationError([f"{path}:1: feed is {config.feed!r}; the file must be named {config.feed}{SUFFIX}"])
    if config.feed in taken:
        raise ConfigurationError([f"{path}:1: there is a feed {config.feed!r} already"])
    return make_definition(config)


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, MappingConfig):
        raise TypeError(f"not a mapping: {config!r}")
    return MappingParser(config)
