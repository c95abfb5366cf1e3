"""What stands in a mapping file; it is the feed's configuration as well, with its polls, sockets and topics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connectors.feed import FeedConfig
from connectors.mapping.paths import Path
from connectors.mapping.template import Template
from ioc.domain.kinds import KINDS

_FEED_ID = re.compile(r"[a-z][a-z0-9_]{1,31}")
Scalar = str | int | float | bool


def _check_path(text: str) -> str:
    Path.read(text)
    return text


def _check_template(text: str) -> str:
    Template.read(text)
    return text


def _check_feed_id(text: str) -> str:
    if _FEED_ID.fullmatch(text) is None:
        raise ValueError("2 to 32 small letters, digits and underscores, a letter first")
    return text


def _check_kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(f"no such kind; there are {', '.join(KINDS)}")
    return text


def _to_path_rule(value: Any) -> Any:
    """Let a path stand alone where nothing else is to be said."""
    return {"from": value} if isinstance(value, str) else value


def _to_words(value: Any) -> Any:
    """Let the source's words be numbers or yes and no, as YAML reads them."""
    if not isinstance(value, dict):
        return value
    return {str(word).lower() if isinstance(word, bool) else str(word): ours for word, ours in value.items()}


PathText = Annotated[str, AfterValidator(_check_path)]
TemplateText = Annotated[str, AfterValidator(_check_template)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeRule(_Part):
    """Where the instant lies and how it is written; parts (a date and a time) are put together with a space."""

    sources: tuple[PathText, ...] = Field(alias="from", min_length=1, max_length=4, description="path, or several")
    format: str = Field("iso", description="iso, epoch_s, epoch_ms, or a pattern of strptime such as %d/%m/%Y %H:%M")
    zone: str = Field("Asia/Ho_Chi_Minh", description="time zone of instants that are written without an offset")

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("from"), str):
            return {**value, "from": (value["from"],)}
        return value

    @model_validator(mode="after")
    def _check(self) -> TimeRule:
        if self.format not in ("iso", "epoch_s", "epoch_ms") and "%" not in self.format:
            raise ValueError("format: must be iso, epoch_s, epoch_ms or a pattern such as %d/%m/%Y %H:%M")
        if self.zone not in available_timezones():
            raise ValueError(f"zone: no such time zone {self.zone!r}")
        return self


class PositionRule(_Part):
    """Where the place lies: two paths, or the path of a GeoJSON point or of a list [longitude, latitude]."""

    lon: PathText | None = None
    lat: PathText | None = None
    point: PathText | None = None

    @model_validator(mode="after")
    def _check(self) -> PositionRule:
        if (self.lon is None) != (self.lat is None) or (self.lon is None) == (self.point is None):
            raise ValueError("must be lon and lat, or point")
        return self


class QuantityRule(_Part):
    """Where a measured value lies, and its unit; without one it is taken in ours."""

    source: PathText = Field(alias="from")
    unit: str | None = Field(None, min_length=1, max_length=16, description="unit in the record")
    unit_from: PathText | None = Field(None, description="path of the unit, where each record names its own")

    @model_validator(mode="after")
    def _check(self) -> QuantityRule:
        if self.unit is not None and self.unit_from is not None:
            raise ValueError("unit and unit_from exclude each other")
        return self


class FieldRule(_Part):
    """Where a field that is no measurement lies, or its one value; ``words`` translates the source's."""

    source: PathText | None = Field(None, alias="from")
    value: Scalar | None = None
    words: Annotated[Mapping[str, Scalar], BeforeValidator(_to_words)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> FieldRule:
        if (self.source is None) == (self.value is None):
            raise ValueError("needs from or value")
        return self


Quantities = Mapping[str, Annotated[QuantityRule, BeforeValidator(_to_path_rule)]]
Fields = Mapping[str, Annotated[FieldRule, BeforeValidator(_to_path_rule)]]


class EventRule(_Part):
    """What a record becomes, when it does."""

    kind: Annotated[str, AfterValidator(_check_kind)]
    when: Mapping[PathText, Scalar | tuple[Scalar, ...]] = Field(
        default_factory=dict, description="path to the value, or the values, that it must have"
    )
    asset_id: TemplateText = Field(min_length=3, max_length=128)
    observed_at: Annotated[TimeRule, BeforeValidator(_to_path_rule)]
    position: PositionRule | None = None
    unit_code: TemplateText | None = Field(None, description="code of the commune-level unit, a template")
    quantities: Quantities = Field(default_factory=dict)
    fields: Fields = Field(default_factory=dict)


class MappingConfig(FeedConfig):
    """One mapping file."""

    feed: Annotated[str, AfterValidator(_check_feed_id)]
    name_vi: str = Field(min_length=1, max_length=80)
    name_en: str = Field(min_length=1, max_length=80)
    expected_period: timedelta = Field(timedelta(minutes=15), description="how often the feed as a whole should speak")
    records: PathText | None = Field(None, description="path of the list of records; unset: the body is it")
    becomes: tuple[EventRule, ...] = Field(min_length=1, max_length=64)
    missing: tuple[Scalar, ...] = Field((), description="values that mean: not available")
    decimal_comma: bool = Field(False, description="texts write 1.234,5")
    personal: tuple[PathText, ...] = Field((), description="paths of personal data: only their pseudonyms are kept")
