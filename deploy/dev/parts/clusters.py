"""Starting each server on free loopback ports and waiting until it really answers."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parts.cache import Cache, UnavailableError, as_servers_user, give_to_servers_user, run
from parts.processes import Launched, free_port, start_server, stop_server, wait_until
from parts.recipes import (
    install_java,
    install_kafka,
    install_mosquitto,
    install_timescaledb,
    install_timescaledb_community,
)

Facts = dict[str, str | int | float]

STOP_SIGNALS = {
    # PostgreSQL: SIGINT is its "fast" stop, SIGQUIT its immediate one.
    "timescaledb": (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
    "timescaledb-community": (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
    "kafka": (signal.SIGTERM, signal.SIGKILL),
    "mosquitto": (signal.SIGTERM, signal.SIGKILL),
}


@dataclass(frozen=True)
class Stand:
    """Where one server is brought up: its cache, its own empty folder, and how careful it must be with its data."""

    cache: Cache
    place: Path
    durable: bool = False
    output: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", self.place / "output.log")

    def launch(self, command: Sequence[str | Path]) -> Launched:
        """Start the server, and note at once which process it is, so that it never outlives its records."""
        process = start_server(command, output=self.output, cwd=self.place)
        (self.place / "process.json").write_text(json.dumps({"pid": process.pid, "ticks": process.ticks}))
        return process

    def own_folder(self, name: str) -> Path:
        """Make a folder that belongs to the servers' user."""
        folder = self.place / name
        folder.mkdir(mode=0o700)
        give_to_servers_user(folder)
        return folder

    def own_file(self, name: str, text: str) -> Path:
        """Write a file that only the servers' user reads."""
        path = self.place / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        give_to_servers_user(path)
        return path


def launched_at(place: Path) -> Launched | None:
    """Return the process that was launched in this folder, if one was."""
    note = place / "process.json"
    return Launched(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None


def stop_at(place: Path, name: str) -> bool:
    """Stop the server that was launched in this folder. Return whether it was alive."""
    process = launched_at(place)
    return process is not None and stop_server(process, STOP_SIGNALS[name])


def start_timescaledb(stand: Stand) -> Facts:
    """Start PostgreSQL 17 with TimescaleDB, Apache edition."""
    return _start_postgresql(stand, install_timescaledb(stand.cache), "apache")


def start_timescaledb_community(stand: Stand) -> Facts:
    """Start PostgreSQL 17 with TimescaleDB, Community edition."""
    return _start_postgresql(stand, install_timescaledb_community(stand.cache), "timescale")


def _make_database_cluster(stand: Stand, programs: Path, password: str) -> Path:
    """Make an empty database cluster with checksums, and give its folder."""
    data = stand.own_folder("data")
    run(
        as_servers_user([
            programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--no-sync", "--data-checksums",
            "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            f"--pwfile={stand.own_file('password', password)}",
        ]),
        what="initdb",
        cwd=stand.place,
    )  # fmt: skip
    return data


def _start_postgresql(stand: Stand, prefix: Path, licence: str) -> Facts:
    programs = prefix / "usr/lib/postgresql/17/bin"
    password = secrets.token_urlsafe(18)
    data = _make_database_cluster(stand, programs, password)
    sockets = stand.own_folder("sockets")
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": sockets,
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "timescaledb.max_background_workers": 8,
        "max_worker_processes": 24,
        "max_connections": 200,
        "shared_buffers": "128MB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_wal_size": "2GB" if stand.durable else "512MB",
        "fsync": "on" if stand.durable else "off",
        "synchronous_commit": "on" if stand.durable else "off",
        "full_page_writes": "on" if stand.durable else "off",
    }
    # -D keeps the settings off postgresql.conf: a test may rewrite or reload that file as it likes.
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    process = stand.launch([programs / "postgres", "-D", data, *options])
    url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    pidfile = data / "postmaster.pid"
    wait_until(
        lambda: pidfile.exists() and "ready" in pidfile.read_text(encoding="utf-8"),
        what="PostgreSQL",
        process=process,
        output=stand.output,
        deadline_s=60,
    )
    facts = _ask_timescaledb(programs / "psql", url)
    if facts["licence"] != licence:
        raise UnavailableError(f"TimescaleDB reports the licence {facts['licence']!r}, expected {licence!r}")
    return {"url": url, "port": port, "pid": process.pid, "data": str(data), **facts}


def _ask_timescaledb(psql: Path, url: str) -> Facts:
    """Make the extension in the server's own database and read what it says about itself."""
    query = (
        "SELECT current_setting('timescaledb.license'), extversion, current_setting('server_version') "
        "FROM pg_extension WHERE extname = 'timescaledb'"
    )
    said = run(
        [
            psql,
            "-X",
            "-q",
            "-A",
            "-t",
            "-F",
            "|",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            "SET client_min_messages = error",
            "-c",
            "CREATE EXTENSION IF NOT EXISTS timescaledb",
            "-c",
            query,
        ],
        what="TimescaleDB",
        env={"PGCONNECT_TIMEOUT": "10"},
        deadline_s=60,
    )
    licence, extension, server = said.strip().split("|")
    return {"licence": licence, "timescaledb": extension, "postgresql": server.split()[0]}


KAFKA_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.flush.interval.messages={flush}
"""


def start_kafka(stand: Stand) -> Facts:
    """Start one Kafka node that is broker and controller (KRaft)."""
    libraries = install_kafka(stand.cache) / "libs" / "*"
    java = install_java(stand.cache)
    data = stand.own_folder("data")
    port, controller = free_port(), free_port()
    flush = 1 if stand.durable else 9_223_372_036_854_775_807
    text = KAFKA_SETTINGS.format(port=port, controller=controller, data=data, flush=flush)
    settings = stand.own_file("server.properties", text)
    base = [str(java), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", str(libraries)]
    quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    run(
        as_servers_user(
            [
                *base,
                *quiet,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "cWFuZ25pbmgtaW9jLWRldg",
                "-c",
                settings,
                "--standalone",
            ]
        ),
        what="Kafka's storage format",
        cwd=stand.place,
        deadline_s=60,
    )
    process = stand.launch([base[0], "-Xmx512m", *base[1:], *quiet, "kafka.Kafka", settings])
    wait_until(lambda: _kafka_answers(port), what="Kafka", process=process, output=stand.output, deadline_s=90)
    return {"bootstrap": f"127.0.0.1:{port}", "port": port, "pid": process.pid, "data": str(data)}


def _kafka_answers(port: int) -> bool:
    """Ask for metadata (API 3, version 4) and see whether the broker already names itself."""
    request = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">ib", 0, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(struct.pack(">i", len(request)) + request)
            answer = link.recv(4096)
    except OSError:
        return False
    # size, correlation id, throttle time, then the count of brokers
    return len(answer) >= 16 and struct.unpack(">i", answer[12:16])[0] >= 1


def start_mosquitto(stand: Stand) -> Facts:
    """Start mosquitto with two listeners: one for anybody, one that asks for the name and password in the facts."""
    prefix = install_mosquitto(stand.cache)
    data = stand.own_folder("data")
    port, guarded = free_port(), free_port()
    password = secrets.token_urlsafe(12)
    accounts = stand.own_file("accounts", f"ioc:{password}\n")
    run(
        as_servers_user([prefix / "usr/bin/mosquitto_passwd", "-U", _movable(stand, accounts)]),
        what="mosquitto_passwd",
        cwd=data,
        deadline_s=30,
    )
    accounts = data / "accounts"
    settings = stand.own_file(
        "mosquitto.conf",
        f"per_listener_settings true\n"
        f"persistence true\npersistence_location {data}/\nautosave_interval 1\nautosave_on_changes true\n"
        f"max_queued_messages 100000\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\nlog_type warning\n"
        f"listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"listener {guarded} 127.0.0.1\nallow_anonymous false\npassword_file {accounts}\n",
    )
    process = stand.launch([prefix / "usr/sbin/mosquitto", "-c", settings])
    wait_until(lambda: _mqtt_answers(port), what="mosquitto", process=process, output=stand.output, deadline_s=20)
    return {
        "url": f"mqtt://127.0.0.1:{port}",
        "password_url": f"mqtt://ioc:{password}@127.0.0.1:{guarded}",
        "port": port,
        "pid": process.pid,
        "data": str(data),
    }


def _movable(stand: Stand, path: Path) -> Path:
    """Move a file into the server's own folder, where its tool may write beside it."""
    target = stand.place / "data" / path.name
    shutil.move(path, target)
    return target


def _mqtt_answers(port: int) -> bool:
    """Say CONNECT (MQTT 3.1.1, clean session) and see whether CONNACK accepts it."""
    connect = b"\x10\x13\x00\x04MQTT\x04\x02\x00\x05\x00\x07ioc-dev"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(connect)
            return link.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False


STARTERS: dict[str, Callable[[Stand], Facts]] = {
    "timescaledb": start_timescaledb,
    "timescaledb-community": start_timescaledb_community,
    "kafka": start_kafka,
    "mosquitto": start_mosquitto,
}
