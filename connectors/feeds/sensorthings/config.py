"""Settings of the SensorThings feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.feeds.sensorthings.properties import KIND_OF_FIELD
from connectors.open_formats import OpenFormatConfig


def _check_field(name: str) -> str:
    if name not in KIND_OF_FIELD:
        raise ValueError(f"must be one of {', '.join(sorted(KIND_OF_FIELD))}")
    return name


FieldName = Annotated[str, AfterValidator(_check_field)]
AssetId = Annotated[str, Field(pattern=r"^[a-z]+\.[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")]


class DatastreamConfig(BaseModel):
    """What is known here of a datastream whose observations do not say it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset_id: AssetId | None = Field(None, description="asset that it measures")
    property: str | None = Field(None, min_length=1, max_length=64, description="observed property")
    unit: str | None = Field(None, min_length=1, max_length=16, description="symbol or code of its unit")


class SensorThingsConfig(OpenFormatConfig):
    """How SensorThings servers are listened to."""

    datastreams: Mapping[str, DatastreamConfig] = Field(
        default_factory=dict, description="id of a datastream to what its observations do not say"
    )
    things: Mapping[str, AssetId] = Field(default_factory=dict, description="id of a thing to our asset")
    properties: Mapping[str, FieldName] = Field(
        default_factory=dict, description="observed property to a field of ours, before the shipped list"
    )
