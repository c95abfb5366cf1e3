"""Ways in that any feed gets by its configuration file: what may stand in ``poll:``, ``websocket:`` and ``mqtt:``.

No secret stands in a configuration file: a header's value comes from the environment or from a file, by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ioc.errors import ConfigurationError

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_MOST_SECRET_BYTES = 16_384


def _check_address(schemes: tuple[str, ...]) -> AfterValidator:
    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"must be an address with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no password: name it in headers_from_env or headers_from_file")
        if parts.fragment:
            raise ValueError("must have no fragment")
        _ = parts.port
        return url

    return AfterValidator(check)


def _check_header(name: str) -> str:
    if _HEADER.fullmatch(name) is None:
        raise ValueError("not a name of a header")
    return name


_HeaderName = Annotated[str, AfterValidator(_check_header)]


class Way(BaseModel):
    """What polls and sockets have in common: a form, and headers that may be secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str = Field("json", description="how the payloads are laid out; one of the feed's forms")
    headers: dict[_HeaderName, str] = Field(default_factory=dict, description="headers that are no secret")
    headers_from_env: dict[_HeaderName, str] = Field(
        default_factory=dict, description="header to the environment variable that holds its value"
    )
    headers_from_file: dict[_HeaderName, Path] = Field(
        default_factory=dict, description="header to the file that holds its value"
    )

    def collect_headers(self, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give all headers with the secrets filled in.

        Raises:
            ConfigurationError: with every variable or file that is not there; never with a value.
        """
        known = os.environ if environment is None else environment
        found, faults = dict(self.headers), list[str]()
        for header, variable in self.headers_from_env.items():
            if variable in known:
                found[header] = known[variable].strip()
            else:
                faults.append(f"header {header}: environment variable {variable} is not set")
        for header, path in self.headers_from_file.items():
            try:
                found[header] = path.read_bytes()[:_MOST_SECRET_BYTES].decode("ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                faults.append(f"header {header}: file {path} cannot be read: {type(error).__name__}")
        faults += [f"header {name}: its value has a line break" for name, value in found.items() if _breaks(value)]
        if faults:
            raise ConfigurationError(faults)
        return found


class CursorConfig(BaseModel):
    """Where the next poll begins: a value that goes into the query as ``parameter``.

    With ``field`` it is what the last answer had there (``next`` or ``meta.next``); without, the newest time that the
    last answers held, less ``lookback`` for records that come late. It lives in memory: after a restart the first poll
    begins at ``start`` again, and records that were read before become the same events, which the log takes once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameter: str = Field(min_length=1, max_length=64, description="name in the query")
    field: str | None = Field(None, min_length=1, max_length=200, description="path of the value in a JSON answer")
    written: str = Field("{}", max_length=512, description="how the value stands in the parameter, {} being its place")
    start: str | None = Field(None, max_length=512, description="value of the first poll; unset: no parameter")
    lookback: timedelta = Field(timedelta(minutes=2), ge=timedelta(0), description="taken off the newest time")
    time_form: Literal["iso", "epoch_s", "epoch_ms"] = Field("iso", description="how a time is written")
    follow: bool = Field(False, description="poll again at once while the field's value moves on: pages")

    @model_validator(mode="after")
    def _check(self) -> CursorConfig:
        if self.follow and self.field is None:
            raise ValueError("follow needs a field")
        if self.written.count("{}") != 1:
            raise ValueError("written needs {} once")
        return self


class PollConfig(Way):
    """How an address is asked again and again."""

    url: Annotated[str, _check_address(("http", "https"))] = Field(description="address to ask")
    every: timedelta = Field(timedelta(minutes=1), ge=timedelta(milliseconds=100), description="time between polls")
    jitter: float = Field(0.1, ge=0, le=0.5, description="share of the time by which each wait is drawn off or on")
    query: dict[str, str] = Field(default_factory=dict, description="parameters of the query")
    cursor: CursorConfig | None = Field(None, description="where the next poll begins")
    next_link: str | None = Field(
        None, min_length=1, max_length=200, description="path of the next page's address in a JSON answer"
    )
    deadline: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        le=timedelta(minutes=10),
        description="time for a whole answer",
    )
    most_bytes: int = Field(16 * 1024 * 1024, ge=1, le=256 * 1024 * 1024, description="largest answer, unpacked")
    longest_wait: timedelta = Field(timedelta(hours=1), description="most that is waited when asked to by Retry-After")


class WebSocketConfig(Way):
    """How a WebSocket is listened to."""

    url: Annotated[str, _check_address(("ws", "wss"))] = Field(description="address to connect to")
    subprotocols: tuple[str, ...] = Field((), description="subprotocols that we offer; the server must take one")
    first_message: str | None = Field(None, max_length=65_536, description="what we say first, a subscription perhaps")
    first_message_from_env: str | None = Field(None, description="environment variable that holds the first message")
    ping: timedelta = Field(timedelta(seconds=20), gt=timedelta(0), description="time between pings, and for an answer")
    silence: timedelta = Field(timedelta(minutes=2), gt=timedelta(0), description="silence after which we connect anew")
    deadline: timedelta = Field(timedelta(seconds=10), gt=timedelta(0), description="time to connect")
    most_bytes: int = Field(1024 * 1024, ge=1, le=64 * 1024 * 1024, description="largest message")

    @model_validator(mode="after")
    def _check(self) -> WebSocketConfig:
        if self.first_message is not None and self.first_message_from_env is not None:
            raise ValueError("first_message and first_message_from_env exclude each other")
        return self

    def find_first_message(self, environment: Mapping[str, str] | None = None) -> str | None:
        """Give what is said first.

        Raises:
            ConfigurationError: the environment variable is not set.
        """
        if self.first_message_from_env is None:
            return self.first_message
        known = os.environ if environment is None else environment
        if self.first_message_from_env not in known:
            raise ConfigurationError([f"first message: environment variable {self.first_message_from_env} is not set"])
        return known[self.first_message_from_env]


class MqttConfig(BaseModel):
    """Topics of an MQTT broker that are listened to, at QoS 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str = Field("json", description="how the payloads are laid out; one of the feed's forms")
    topics: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] = Field(min_length=1, max_length=64)
    topic_as: str | None = Field(
        None, min_length=1, max_length=64, description="key under which each message gets the levels of its topic"
    )
    url_from_env: str | None = Field(
        None, description="environment variable with the broker's address; unset: the deployment's broker"
    )

    def find_url(self, deployment_url: str, environment: Mapping[str, str] | None = None) -> str:
        """Give the broker's address.

        Raises:
            ConfigurationError: the environment variable is not set.
        """
        if self.url_from_env is None:
            return deployment_url
        known = os.environ if environment is None else environment
        if self.url_from_env not in known:
            raise ConfigurationError([f"MQTT broker: environment variable {self.url_from_env} is not set"])
        return known[self.url_from_env]


def _breaks(value: str) -> bool:
    return any(mark in value for mark in "\r\n\0")
