"""``ioc demo`` and ``ioc simulate``: the pretend province."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from connectors.registry import DEFINITIONS
from ioc import bootstrap
from ioc.cli import city_progress
from ioc.cli.running import run
from ioc.cli.services import EMBEDDED_GROUPS, kept_up, told_to_stop
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError
from ioc.launcher import Child, Launcher
from ioc.messaging.embedded.lease import Lease
from ioc.settings import Settings
from simulators.city import PUSHED, Carrier, City, Reach
from simulators.scenario import list_scenarios, load_scenario

CLUSTER_GROUPS = ("ingest", "api", "process", "process", "deliver")
_PEOPLE = (("operator", "Trực ban", "operator"), ("admin", "Quản trị", "admin"), ("kiosk", "Màn hình lớn", "kiosk"))
_KEY_DAYS = 3_650
_KEYS_LOOK_S = 0.1
_KEYS_LOOKS = 300

Scenario = Annotated[str, typer.Argument(help=f"One of {', '.join(list_scenarios())}, or a .yaml file of your own.")]
Speed = Annotated[
    float, typer.Option(min=0.1, max=1_000, help="How much faster the world runs; more messages, same times.")
]
Scale = Annotated[
    float,
    typer.Option("--scale", "--rate", min=0.1, max=100, help="Boats, trucks and stations beside the real numbers."),
]
Seed = Annotated[int, typer.Option(help="The same seed draws the same city.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo)
    app.command("simulate")(simulate)


def demo(
    scenario: Scenario = "demo-day",
    speed: Speed = 1.0,
    scale: Scale = 1.0,
    seed: Seed = 7,
    cluster: Annotated[bool, typer.Option("--cluster", help="One process per role, two that process.")] = False,
) -> None:
    """Start everything with a simulated province, and keep it up until Ctrl-C. The next start goes on with its data.

    Examples:  ioc demo        ioc demo squall --speed 10        IOC_HTTP__PORT=9000 ioc demo normal-day
    """
    load_scenario(scenario)

    async def play(settings: Settings) -> None:
        with _alone(settings.data_dir):
            await _demo(
                settings, [scenario, "--speed", str(speed), "--scale", str(scale), "--seed", str(seed)], cluster=cluster
            )

    run(play, is_service=True)


def simulate(
    scenario: Scenario = "normal-day",
    speed: Speed = 1.0,
    scale: Scale = 1.0,
    seed: Seed = 7,
    url: Annotated[str, typer.Option(help="Where the ingest role answers.")] = "http://127.0.0.1:8080",
    keys: Annotated[Path | None, typer.Option(help="JSON file with a source key per feed.")] = None,
    mqtt_port: Annotated[int, typer.Option(help="Port for the stations' MQTT broker.")] = 1883,
    nmea_port: Annotated[int, typer.Option(help="Port for the AIS shore station.")] = 10110,
    transit_port: Annotated[int, typer.Option(help="Port where the buses' positions are shown.")] = 10120,
    dump: Annotated[Path | None, typer.Option(help="Write the messages to a folder instead, a file per feed.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="World time to dump.")] = 30.0,
    leftovers: Annotated[
        Path | None, typer.Option(help="File that tells the next city on the same data what was under way.")
    ] = None,
) -> None:
    """Pretend to be the province: stations over MQTT, boats over NMEA, gates, sites and units over HTTP.

    Examples:
      ioc simulate squall --keys var/demo.json --speed 10
      ioc simulate normal-day --dump recordings --minutes 60
    """
    made = load_scenario(scenario)
    clock = SystemClock()
    city = City(made, start_at=clock.now(), seed=seed, speed=speed, scale=scale)
    if dump is not None:
        _dump(city, dump, timedelta(minutes=minutes))
        return
    if keys is None:
        raise ConfigurationError(
            ["give --keys FILE with a source key per feed (`ioc demo` writes demo.json), or --dump"]
        )

    async def play(_: Settings) -> None:
        known = await _wait_for_keys(keys)
        reach = Reach(url=url, keys=known, mqtt_port=mqtt_port, nmea_port=nmea_port, transit_port=transit_port)
        carrier = Carrier(city, reach, clock, leftovers=leftovers)
        if os.environ.get("IOC_DEMO_QUIET"):
            await carrier.run()
            return
        with city_progress.shown(Console(stderr=True), clock.now, speed=speed) as show:
            await carrier.run(show)

    run(play, is_service=True)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Keep a folder to one demo: two would write as two cities into one log.

    Raises:
        ConfigurationError: another one has it.
    """
    lease = Lease(data_dir, "demo")
    if not lease.try_take():
        raise ConfigurationError(
            [f"another demo runs on {data_dir}: stop it (Ctrl-C), or name another folder with IOC_DATA_DIR"]
        )
    try:
        yield
    finally:
        lease.release()


async def _demo(settings: Settings, city: list[str], *, cluster: bool) -> None:
    told = told_to_stop()
    port = _free_port(settings.http.host, settings.http.port)
    ingest_port = _free_port(settings.http.host, 0) if cluster else port
    mqtt_port, nmea_port, transit_port = (_free_port("127.0.0.1", 0) for _ in range(3))
    shared = {
        "IOC_FEEDS__MQTT_URL": f"mqtt://127.0.0.1:{mqtt_port}",
        "IOC_FEEDS__NMEA_URL": f"tcp://127.0.0.1:{nmea_port}",
        "IOC_FEEDS__TRANSIT_URL": f"http://127.0.0.1:{transit_port}/transit",
        # Sources come up after the roles here, so the first warnings would be about nothing.
        "IOC_LOG_LEVEL": os.environ.get("IOC_LOG_LEVEL", "ERROR"),
        "IOC_DEMO_QUIET": "1",
    }
    keys_file = settings.data_dir / "demo.json"
    arguments = ["simulate", *city, "--keys", str(keys_file), "--mqtt-port", str(mqtt_port)]
    arguments += ["--nmea-port", str(nmea_port), "--transit-port", str(transit_port)]
    arguments += ["--url", f"http://127.0.0.1:{ingest_port}"]
    arguments += ["--leftovers", str(settings.data_dir / "demo-leftovers.json")]
    ports = {"ingest": str(ingest_port)}
    roles = [
        Child(
            name=group, arguments=["run", group], environment={**shared, "IOC_HTTP__PORT": ports.get(group, str(port))}
        )
        for group in (CLUSTER_GROUPS if cluster else EMBEDDED_GROUPS)
    ]
    # All start at once, side by side with the database: roles wait for the schema, the city for its keys.
    city_child = Child(name="city", arguments=arguments, environment=shared)
    async with (
        kept_up(Launcher([*roles, city_child], random=Random())),
        bootstrap.prepared(settings),
    ):
        await _prepare_keys(settings, keys_file)
        passwords = await _prepare_people(settings)
        if settings.http.port not in (0, port):
            typer.echo(
                f"Cổng {settings.http.port} đang bận · Port {settings.http.port} is taken, so it is {port}", err=True
            )
        _greet(settings.http.host, port, passwords)
        await told.wait()


def _greet(host: str, port: int, passwords: Mapping[str, str]) -> None:
    console = Console()
    console.print(f"\n[bold]Màn hình trực · Live wall[/]   http://{host}:{port}/wall/")
    for name, _, role in _PEOPLE:
        console.print(f"  {name:9} {passwords[name]}   ({role})", highlight=False)
    console.print("Ctrl-C: dừng · stop\n", highlight=False)


async def _prepare_people(settings: Settings) -> dict[str, str]:
    """Make the demo's accounts with passwords of its own, kept beside the data so that they stay the same."""
    path = settings.data_dir / "demo-people.json"
    kept = _read_kept(path)
    known = {account.name for account in await bootstrap.list_accounts(settings)}
    async with asyncio.TaskGroup() as group:
        for name, display_name, role in _PEOPLE:
            if name in kept and name in known:
                continue
            kept[name] = kept.get(name) or secrets.token_urlsafe(9)
            made = bootstrap.add_account(
                settings, name=name, display_name=display_name, password=kept[name], roles=[role], department=None
            )
            group.create_task(made)
    _write_private(path, kept)
    return kept


async def _prepare_keys(settings: Settings, path: Path) -> None:
    """Make a source key per pushed feed, once; a database that does not know them any more gets new ones."""
    kept = _read_kept(path)
    for feed_id in PUSHED:
        if feed_id not in kept or not await bootstrap.is_key(settings, kept[feed_id]):
            kept[feed_id] = await bootstrap.add_key(
                settings, name=f"demo {feed_id}", feed_ids=[feed_id], days=_KEY_DAYS
            )
    _write_private(path, kept)


def _read_kept(path: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    """Write a file that only we can read; whoever waits for it finds it whole."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(dict(content), file, indent=1)
    draft.replace(path)


async def _wait_for_keys(path: Path) -> dict[str, str]:
    """Read the keys; a file that is not there yet may still be written, by a demo that is just starting."""
    for _ in range(_KEYS_LOOKS):
        if await asyncio.to_thread(path.exists):
            break
        await asyncio.sleep(_KEYS_LOOK_S)
    return await asyncio.to_thread(_read_keys, path)


def _read_keys(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    if not isinstance(found, dict) or not set(PUSHED) <= set(found):
        raise ConfigurationError([f"{path}: needs a key for each of {', '.join(PUSHED)}"])
    return {str(feed_id): str(key) for feed_id, key in found.items()}


def _free_port(host: str, wanted: int) -> int:
    """Give the wanted port if nobody listens on it, else any."""
    with socket.socket() as probe:
        # As the servers do: connections of a demo that just ended must not make the wall move to another address.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            probe.bind((host, 0))
        return int(probe.getsockname()[1])


_ENDINGS = {"vessels": "nmea", "transit": "pb"}


def _dump(city: City, folder: Path, span: timedelta) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    files = {feed_id: (folder / f"{feed_id}.{_ENDINGS.get(feed_id, 'ndjson')}").open("wb") for feed_id in DEFINITIONS}
    try:
        for message in [*city.beginning(), *city.messages(city.start_at + span)]:
            # Messages of protobuf that follow each other are one message; all others are lines.
            is_line = message.feed_id != "transit"
            files[message.feed_id].write(message.payload.rstrip(b"\r\n") + b"\n" if is_line else message.payload)
            counts[message.feed_id] = counts.get(message.feed_id, 0) + 1
    finally:
        for file in files.values():
            file.close()
    for feed_id, count in counts.items():
        typer.echo(f"{feed_id}: {count:,} messages")
