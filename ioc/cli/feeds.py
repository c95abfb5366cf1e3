"""``ioc feeds``: which feeds there are, whether their files are sound, and what a file of records would become."""

from __future__ import annotations

import gzip
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from connectors.definition import FeedDefinition
from connectors.feed import FeedConfig, Form
from connectors.inventory import load_inventory
from connectors.mapping.definition import make_definition
from connectors.mapping.file import read_mapping
from connectors.registry import configure, find, open_feed
from connectors.trial import Trial, try_feed
from ioc import settings
from ioc.bootstrap.knowledge import find_feed_faults, load_definitions, load_feed_configs
from ioc.cli.instants import WRITTEN, to_instant
from ioc.clocks import SystemClock
from ioc.domain.events import Event
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError, MalformedPayloadError

feeds_app = typer.Typer(help="Feeds: list, check, try a file.", no_args_is_help=True)
_LARGEST = 64 * 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(feeds_app, name="feeds")


@feeds_app.command("list")
def list_feeds(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the feeds of this deployment, mapped ones included: ways in, kinds, enabled or not.

    Example:  ioc feeds list
    """
    loaded = settings.load()
    definitions = load_definitions(loaded)
    configs = load_feed_configs(loaded, definitions)
    rows: list[dict[str, Any]] = [
        {
            "feed": feed_id,
            "name": definition.name_en,
            "enabled": feed_id in loaded.feeds.enabled,
            "mapped": definition.settled is not None,
            "ways": _list_ways(definition, configs[feed_id]),
            "forms": sorted(definition.forms),
            "kinds": list(definition.kinds),
        }
        for feed_id, definition in definitions.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table(Column("Feed", no_wrap=True), "Name", "Enabled", "Ways in", Column("Kinds", no_wrap=True))
    for row in rows:
        name = f"{row['name']} (mapped)" if row["mapped"] else str(row["name"])
        ways, kinds = ", ".join(row["ways"]), "\n".join(row["kinds"])
        table.add_row(str(row["feed"]), escape(name), "yes" if row["enabled"] else "no", ways, kinds)
    Console().print(table)


@feeds_app.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files <feed>.yaml or <feed>.mapping.yaml; without: the folder IOC_FEEDS__CONFIG_DIR."),
    ] = None,
) -> None:
    """Find every fault of feeds' configurations and mapping files. Exits 1 if there is one.

    Examples:
      ioc feeds check
      ioc feeds check harbour.mapping.yaml tourism.yaml
    """
    faults = find_feed_faults(settings.load(), files)
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo("feeds are sound")


@feeds_app.command("try")
def try_file(
    file: Annotated[Path, typer.Argument(help="File of records as the source sends them; also gzipped.")],
    mapping: Annotated[Path | None, typer.Option(help="Mapping file to try.")] = None,
    feed: Annotated[str | None, typer.Option(help="Feed to try, see: ioc feeds list.")] = None,
    form: Annotated[Form | None, typer.Option(help="Form of the file; without: by what it begins with.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=to_instant, metavar="INSTANT", help=f"When it arrived; without: now. {WRITTEN}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most records to show; all are counted.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for each record.")] = False,
) -> None:
    """Show what each record of a file becomes, and why not. Nothing is stored. Exits 1 if a record is refused.

    Pseudonyms are made with a key of this run only.

    Examples:
      ioc feeds try samples.json --mapping harbour.mapping.yaml
      ioc feeds try gauges.csv --mapping gauges.mapping.yaml --json
      ioc feeds try message.xml --feed weather --form cap
    """
    arrived_at = SystemClock().now() if at is None else at.astimezone(UTC)
    trials = _try(file, *_choose(mapping, feed), form=form, received_at=arrived_at)
    if as_json:
        for trial in trials:
            typer.echo(json.dumps(_to_json(trial), ensure_ascii=False))
    else:
        _print(trials, limit)
    if any(trial.refusals for trial in trials):
        raise typer.Exit(1)


def _try(
    file: Path, definition: FeedDefinition, config: FeedConfig, *, form: Form | None, received_at: datetime
) -> list[Trial]:
    payload = _read(file)
    wanted = form or _guess(payload, definition)
    ready = open_feed(
        definition.feed_id,
        stations=load_inventory(settings.load().data_dir / "geo"),
        pseudonym_key=secrets.token_bytes(32),
        config=config,
        definitions={definition.feed_id: definition},
    )
    try:
        return list(try_feed(ready, payload, form=wanted, received_at=received_at))
    except MalformedPayloadError as error:
        typer.echo(f"ioc: nothing in {file} can be read as {wanted}: {error.reason}", err=True)
        raise typer.Exit(1) from error


def _choose(mapping: Path | None, feed: str | None) -> tuple[FeedDefinition, FeedConfig]:
    if (mapping is None) == (feed is None):
        raise ConfigurationError(["give --mapping FILE or --feed FEED"])
    if mapping is not None:
        definition = make_definition(read_mapping(mapping))
        return definition, configure(definition.feed_id, definitions={definition.feed_id: definition})
    loaded = settings.load()
    definitions = load_definitions(loaded)
    if feed not in definitions:
        raise ConfigurationError([f"no feed {feed!r}; there are {', '.join(definitions)}"])
    return find(feed, definitions), load_feed_configs(loaded, [feed])[feed]


def _read(file: Path) -> bytes:
    try:
        raw = file.read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            with gzip.open(file) as unpacked:
                raw = unpacked.read(_LARGEST + 1)
    except (OSError, EOFError) as error:
        raise ConfigurationError([f"{file}: cannot be read: {error}"]) from error
    if len(raw) > _LARGEST:
        raise ConfigurationError([f"{file}: larger than {_LARGEST} bytes; a part of it is enough to try"])
    return raw


def _guess(payload: bytes, definition: FeedDefinition) -> Form:
    """Say in which of the feed's forms a file is, by what it begins with."""
    head = payload.lstrip()
    if Form.JSON not in definition.forms:
        return min(definition.forms)
    if head[:1] == b"<" and Form.CAP in definition.forms:
        return Form.CAP
    if head[:1] not in (b"{", b"["):
        return Form.CSV
    first, _, rest = head.partition(b"\n")
    try:
        msgspec.json.decode(first)
    except msgspec.DecodeError:
        return Form.JSON
    return Form.NDJSON if rest.strip() else Form.JSON


def _list_ways(definition: FeedDefinition, config: FeedConfig) -> list[str]:
    names = ("poll", "websocket", "mqtt", "cap_list")
    configured = {name for name in names if getattr(config, name, None) is not None}
    return sorted((definition.transports - {"poll", "websocket"}) | configured)


def _print(trials: list[Trial], limit: int) -> None:
    table = Table(Column("#", justify="right"), "Becomes", "Asset", "Observed (UTC)", "Values, or why not")
    for trial in trials[:limit]:
        for event in trial.events:
            doubt = "" if event.quality == Quality.GOOD else f" ({Quality(event.quality).name.lower()})"
            when = f"{event.observed_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(str(trial.index), event.kind + doubt, event.asset_id, when, escape(_list_values(event)))
        for reason in trial.refusals:
            table.add_row(str(trial.index), "[red]refused[/]", "", "", escape(reason))
        if trial.ignored_because is not None:
            table.add_row(str(trial.index), "[dim]ignored[/]", "", "", escape(trial.ignored_because))
    Console().print(table)
    if len(trials) > limit:
        typer.echo(f"{len(trials) - limit} records more; see --limit")
    kinds = Counter(event.kind for trial in trials for event in trial.events)
    refused = sum(len(trial.refusals) for trial in trials)
    ignored = sum(trial.ignored_because is not None for trial in trials)
    made = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no event"
    typer.echo(f"{len(trials)} records: {made}; {refused} refused, {ignored} ignored")


def _list_values(event: Event) -> str:
    place = [] if event.position is None else [f"at {event.lon_deg:.5f}, {event.lat_deg:.5f}"]
    return ", ".join([*(f"{name} {value}" for name, value in _iterate_values(event)), *place])


def _iterate_values(event: Event) -> Iterator[tuple[str, Any]]:
    for name in event.data.__struct_fields__:
        value = getattr(event.data, name)
        if value is not None and value != "":
            yield name, value


def _to_json(trial: Trial) -> dict[str, Any]:
    return {
        "record": trial.index,
        "events": [
            {
                "kind": event.kind,
                "asset_id": event.asset_id,
                "observed_at": event.observed_at.isoformat(),
                "quality": Quality(event.quality).name.lower(),
                "lon_deg": event.lon_deg,
                "lat_deg": event.lat_deg,
                "unit_code": event.unit_code,
                "data": msgspec.to_builtins(dict(_iterate_values(event))),
            }
            for event in trial.events
        ],
        "refused": list(trial.refusals),
        "ignored": trial.ignored_because,
    }
