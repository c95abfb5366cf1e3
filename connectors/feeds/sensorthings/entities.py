"""Bodies of SensorThings cut into observations, each with what it says of its datastream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ioc.errors import MalformedPayloadError

LINK = "Datastream@iot.navigationLink"
_MOST_OBSERVATIONS = 100_000
_DATASTREAM = re.compile(r"Datastreams\(([^()]{1,200})\)")


def read_body(payload: bytes) -> Iterator[Any]:
    """Give the observations, and the datastreams alone, of an entity, a list, a collection or a data array.

    A row of a data array becomes the observation that it stands for; so does one that a datastream brings along.

    Raises:
        MalformedPayloadError: it is no JSON, or neither an object nor a list.
    """
    try:
        body = json.loads(payload, parse_int=_to_int)
    except (ValueError, RecursionError) as error:
        raise MalformedPayloadError(f"not JSON: {str(error)[:100]}") from error
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        body = body["value"]
    if not isinstance(body, list | dict):
        raise MalformedPayloadError("neither an entity nor a list of them")
    for count, found in enumerate(_spread(body if isinstance(body, list) else [body])):
        if count >= _MOST_OBSERVATIONS:
            raise MalformedPayloadError(f"more than {_MOST_OBSERVATIONS} observations")
        yield found


def _spread(entities: list[Any]) -> Iterator[Any]:
    for entity in entities:
        if not isinstance(entity, dict):
            yield entity
        elif isinstance(entity.get("dataArray"), list) and isinstance(entity.get("components"), list):
            yield from _read_rows(entity)
        elif isinstance(entity.get("Observations"), list) and entity["Observations"] and "result" not in entity:
            about = {name: value for name, value in entity.items() if not name.startswith("Observations")}
            for inner in entity["Observations"]:
                yield {"Datastream": about, **inner} if isinstance(inner, dict) else inner
        else:
            yield entity


def _read_rows(group: Mapping[str, Any]) -> Iterator[Any]:
    """Give the observations of a data array (SensorThings 1.1, OGC 18-088)."""
    about = {name: group[name] for name in ("Datastream", LINK) if name in group}
    # A property's name may be written as the path of a selection: "result" or "Observation/result".
    names = [str(name).rpartition("/")[2] for name in group["components"]]
    names = ["@iot.id" if name == "id" else name for name in names]
    for row in group["dataArray"]:
        fits = isinstance(row, list) and len(row) == len(names)
        yield {**dict(zip(names, row, strict=True)), **about} if fits else {"dataArray": row, **about}


def is_datastream(entity: Mapping[str, Any]) -> bool:
    """Whether an entity is a datastream that only tells about itself."""
    return "result" not in entity and "unitOfMeasurement" in entity


def find_datastream_id(observation: Mapping[str, Any]) -> str | None:
    """Give the id of an observation's datastream, from the entity that it brings or from the link to it."""
    about = observation.get("Datastream")
    if isinstance(about, dict):
        found = to_id(about.get("@iot.id"))
        if found is not None:
            return found
        link = about.get("@iot.selfLink")
    else:
        link = observation.get(LINK)
    match = _DATASTREAM.search(link) if isinstance(link, str) else None
    return None if match is None else match[1].strip("'")


def to_id(value: Any) -> str | None:
    """Write an entity's id, a number or a text, as a text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**30 else ""
    return text if 0 < len(text) <= 200 else None


def _to_int(text: str) -> int | float:
    """Read a whole number; one of hundreds of digits costs its own record only, not the body around it."""
    return int(text) if len(text) <= 300 else float("inf")
