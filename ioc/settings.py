"""Settings: the only reader of the environment. ``IOC_SECTION__FIELD``; secrets also as ``IOC_SECTION__FIELD_FILE``.

Each component gets its own section as plain values, never this object. ``ioc settings`` prints the reference that
``docs/settings.md`` holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from ioc.domain.durations import FORMS, read_duration, write_duration
from ioc.errors import ConfigurationError


def _read_duration(value: object) -> object:
    """Read the form of the rules; what else is a duration to pydantic (``08:00:00``, ``PT8H``) stays one."""
    parsed = read_duration(value) if isinstance(value, str) else None
    return value if parsed is None else parsed


Duration = Annotated[timedelta, BeforeValidator(_read_duration)]


class Section(BaseModel):
    """One frozen group of settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LogSettings(Section):
    """The event log."""

    backend: Literal["embedded", "kafka"] = Field(
        "embedded", description="embedded: one durable file; kafka: a cluster"
    )
    folder: Path | None = Field(None, description="folder of the embedded log; unset: log in the data directory")
    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port[,host:port…]")
    topic_prefix: str = Field("ioc.", description="put before every topic name")
    partitions: int = Field(
        4, ge=1, le=512, description="partitions of the topics events and signals; fixed once data is there"
    )
    replication: int = Field(1, ge=1, le=9, description="copies of each partition on Kafka (production: 3)")
    retention: Duration = Field(timedelta(days=7), description="how long the log keeps what everybody has read")
    retention_bytes: int = Field(
        20_000_000_000, ge=10_000_000, description="embedded: size at which the oldest is dropped"
    )


class StoreSettings(Section):
    """The database."""

    url: SecretStr | None = Field(
        None, description="PostgreSQL conninfo or URL; unset: an embedded PostgreSQL in the data directory"
    )
    schema_name: str = Field("ioc", pattern=r"^[a-z_][a-z0-9_]*$", description="schema that holds every table")
    pool_size: int = Field(6, ge=2, le=100, description="most connections per process")
    retention: Duration = Field(timedelta(days=90), description="how long raw readings are kept")


class ArchiveSettings(Section):
    """Readings past their retention."""

    enabled: bool = Field(True, description="write readings to Parquet files before they are dropped")
    folder: Path | None = Field(
        None,
        description="folder of the archive, shared by all processes that process or answer; "
        "unset: archive in the data directory",
    )


class HttpSettings(Section):
    """The REST and WebSocket edge."""

    host: str = Field("127.0.0.1", description="address to bind; wider than loopback needs behind_tls_proxy")
    port: int = Field(8080, ge=0, le=65535, description="port to bind; 0 takes a free one")
    allowed_origins: tuple[str, ...] = Field(
        (), description="origins that may open wall sockets, beside the server's own"
    )
    behind_tls_proxy: bool = Field(False, description="a proxy terminates TLS before us: cookies become Secure")
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="port of /health and /metrics for processes without ingest and api; unset: none",
    )
    shed_lag: int = Field(500_000, ge=1_000, description="items of lag above which ingest answers 429")


class FeedsSettings(Section):
    """The feeds that this deployment listens to."""

    enabled: tuple[str, ...] = Field(
        (
            *("air", "weather", "vessels", "border", "tourism", "units", "water", "traffic", "energy", "cameras"),
            *("transit", "tthc", "citizens", "networks", "registers", "ports", "passengers"),
        ),
        description="feeds to run",
    )
    mqtt_url: str = Field("mqtt://127.0.0.1:1883", description="MQTT broker of the air stations")
    nmea_url: str = Field(
        "tcp://127.0.0.1:10110", description="AIS source: tcp://host:port connects, udp://host:port listens"
    )
    transit_url: str | None = Field(None, description="address of the buses' GTFS-realtime positions; unset: not asked")
    config_dir: Path | None = Field(None, description="folder with <feed>.yaml overrides; unset: the shipped ones")


class AlertSettings(Section):
    """Rules, and who is told of what."""

    rules_dir: Path | None = Field(None, description="folder with rule files; unset: the shipped rules")
    policy_file: Path | None = Field(None, description="file that says who is told what; unset: the shipped policy")
    backtests_at_once: int = Field(1, ge=1, le=16, description="backtests that run at once, over all replicas")
    returned_after: Duration = Field(
        timedelta(days=1), ge=timedelta(minutes=1),
        description="minor and info alerts that ended this long ago need no acknowledgement any more",
    )  # fmt: skip
    longest_shelf: Duration = Field(
        timedelta(hours=8), ge=timedelta(minutes=15), le=timedelta(days=7),
        description="how long an operator may take an alert off the list: one shift",
    )  # fmt: skip


class DeliverySettings(Section):
    """Webhooks."""

    allow_http: bool = Field(False, description="let webhooks go to http:// (https only otherwise)")
    allowed_networks: tuple[str, ...] = Field(
        (), description="CIDR:port of private networks that webhooks may reach, e.g. 10.1.0.0/16:443"
    )
    allow_loopback: bool = Field(
        False, description="let webhooks reach this machine itself: for trying things out only"
    )
    workers: int = Field(32, ge=1, le=256, description="deliveries under way at once")


class SecretSettings(Section):
    """Keys. The embedded deployment makes its own and keeps them in the data directory."""

    encryption_key: SecretStr | None = Field(
        None, description="32 bytes in base64: webhook secrets and kept answers at rest (AES-GCM)"
    )
    pseudonym_key: SecretStr | None = Field(None, description="32 bytes in base64: keyed hash of plates and trip ids")


class Settings(Section):
    """Everything that can be set."""

    data_dir: Path = Field(Path("var"), description="where the embedded log, database and keys live")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level to log")
    log_form: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON")
    log: LogSettings = LogSettings()
    store: StoreSettings = StoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    http: HttpSettings = HttpSettings()
    feeds: FeedsSettings = FeedsSettings()
    alerts: AlertSettings = AlertSettings()
    delivery: DeliverySettings = DeliverySettings()
    secrets: SecretSettings = SecretSettings()

    @property
    def log_folder(self) -> Path:
        """Folder of the embedded log."""
        return self.log.folder or self.data_dir / "log"

    @property
    def archive_folder(self) -> Path:
        """Folder of the archive."""
        return self.archive.folder or self.data_dir / "archive"


_SECTIONS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
_NOT_SETTINGS = ("IOC_TEST_", "IOC_DEV_", "IOC_DEMO_", "IOC_TIMESCALEDB_")


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigurationError: with every fault at once: unknown names, wrong values, unreadable secret files.
    """
    environment = dict(os.environ if environment is None else environment)
    faults = _find_unknown(environment)
    values: dict[str, object] = {}
    for name, raw in environment.items():
        if not name.startswith("IOC_") or name.startswith(_NOT_SETTINGS) or not raw:
            continue
        key = name.removeprefix("IOC_").lower()
        if key.endswith("_file") and key.removesuffix("_file").split("__")[-1] in _secret_fields():
            try:
                raw = Path(raw).read_text(encoding="utf-8").strip()
            except OSError as error:
                faults.append(f"{name}: cannot read {raw!r}: {error.strerror}")
                continue
            key = key.removesuffix("_file")
        section, _, field = key.partition("__")
        if field:
            part = values.setdefault(section, {})
            if isinstance(part, dict):
                part[field] = _split(raw, section, field)
        else:
            values[key] = raw
    if faults:
        raise ConfigurationError(faults)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError([_describe(fault) for fault in error.errors()]) from error


def to_reference() -> str:
    """Write the reference of every setting as a Markdown table, generated from the code."""
    rows = ["| Name | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if name in _SECTIONS:
            continue
        rows.append(f"| `IOC_{name.upper()}` | `{field.default}` | {field.description} |")
    for section, model in _SECTIONS.items():
        for name, field in model.model_fields.items():
            default = "" if field.default is None else f"`{_to_text(field.default)}`"
            rows.append(f"| `IOC_{section.upper()}__{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def _secret_fields() -> frozenset[str]:
    return frozenset(
        name
        for model in _SECTIONS.values()
        for name, field in model.model_fields.items()
        if "SecretStr" in str(field.annotation)
    )


def _find_unknown(environment: Mapping[str, str]) -> list[str]:
    known = {f"IOC_{name.upper()}" for name in Settings.model_fields if name not in _SECTIONS}
    for section, model in _SECTIONS.items():
        for name in model.model_fields:
            known.add(f"IOC_{section}__{name}".upper())
            if name in _secret_fields():
                known.add(f"IOC_{section}__{name}_file".upper())
    return [
        f"{name}: no such setting (see `ioc settings`)"
        for name in sorted(environment)
        if name.startswith("IOC_") and not name.startswith(_NOT_SETTINGS) and name not in known
    ]


def _split(raw: str, section: str, field: str) -> object:
    """Read a list setting as comma-separated text."""
    model = _SECTIONS.get(section)
    described = model.model_fields.get(field) if model else None
    if described is not None and isinstance(described.default, tuple):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return raw


def _describe(fault: Mapping[str, object]) -> str:
    place = fault["loc"] if isinstance(fault["loc"], tuple) else ()
    what = f"must be a duration such as {FORMS}" if fault["type"] == "time_delta_parsing" else fault["msg"]
    return "IOC_" + "__".join(str(part).upper() for part in place) + f": {what}"


def _to_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, timedelta):
        return write_duration(value)
    return str(value)
