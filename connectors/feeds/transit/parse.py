"""GTFS-realtime vehicle positions to events: m/s to km/h; plates, labels and whatever else names people are dropped."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.transit import gtfs_realtime_pb2

from connectors.feed import ParseContext
from connectors.pseudonym import to_plate_pseudonym
from connectors.values import Measures, RefusedRecordError, check_instant, check_name
from geo.position import Position
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import KINDS, VehiclePosition
from ioc.errors import MalformedPayloadError

_MOST_ENTITIES = 20_000
_MOST_NAME = 64
_PLATE = re.compile(r"\d{2}[A-Za-z]{1,2}\d?[-. ]{0,2}\d{3}[. ]?\d{1,2}")
_WORD = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")
_MEASURES = Measures(KINDS[VehiclePosition.KIND], ("speed_km_h", "bearing_deg", "occupancy_pct"))
_STATUSES = {0: "incoming_at", 1: "stopped_at", 2: "in_transit_to"}
_OCCUPANCY_PCT = {0: 0.0, 5: 100.0}
"""Empty and full. What lies between has no figure in the standard, and we make none up."""


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a FeedMessage. Trip updates, service alerts and deleted entities are counted as ignored.

    Raises:
        MalformedPayloadError: it is no FeedMessage, or only the difference to another one.
    """
    feed: Any = gtfs_realtime_pb2.FeedMessage()
    try:
        feed.MergeFromString(payload)
    except (DecodeError, RecursionError) as error:
        raise MalformedPayloadError("not a FeedMessage of GTFS-realtime") from error
    if not feed.HasField("header") or not feed.header.gtfs_realtime_version:
        raise MalformedPayloadError("not a FeedMessage of GTFS-realtime: it has no header")
    if feed.header.incrementality != gtfs_realtime_pb2.FeedHeader.FULL_DATASET:
        raise MalformedPayloadError("a differential FeedMessage, which the standard has not settled")
    if len(feed.entity) > _MOST_ENTITIES:
        raise MalformedPayloadError(f"more than {_MOST_ENTITIES} entities")
    events: list[Event] = []
    rejected: list[Rejected] = []
    ignored_count = 0
    for index, entity in enumerate(feed.entity):
        if entity.is_deleted or not entity.HasField("vehicle"):
            ignored_count += 1
            continue
        try:
            events.append(_to_event(entity, feed.header, context))
        except RefusedRecordError as refusal:
            rejected.append(Rejected(raw=_keep(feed.header, entity), reason=str(refusal), index=index))
    return Parsed(events=events, rejected=rejected, ignored_count=ignored_count)


def _to_event(entity: Any, header: Any, context: ParseContext) -> Event:
    vehicle = entity.vehicle
    place = vehicle.position
    if not place.HasField("longitude") or not place.HasField("latitude"):
        raise RefusedRecordError("position: missing")
    lon_deg, lat_deg = round(place.longitude, 6), round(place.latitude, 6)
    position = Position(lon_deg=lon_deg, lat_deg=lat_deg)
    if not position.is_valid or (lon_deg == 0 and lat_deg == 0):
        raise RefusedRecordError("position: not on the Earth, or 0, 0 which stands for none")
    wire = (
        _scale(place, "speed", 3.6),
        _scale(place, "bearing", 1.0),
        _find_occupancy(vehicle),
    )
    (speed, bearing, occupancy), _ = _MEASURES.convert(wire)
    data = VehiclePosition(
        speed_km_h=speed,
        bearing_deg=bearing,
        route=vehicle.trip.route_id[:_MOST_NAME] or None,
        trip=vehicle.trip.trip_id[:_MOST_NAME] or None,
        status=_STATUSES.get(vehicle.current_status) if vehicle.HasField("current_status") else None,
        occupancy_pct=occupancy,
    )
    vehicle_id = check_name(_name(vehicle.vehicle.id or entity.id, context.pseudonym_key), what="vehicle")
    return context.make_event(
        data,
        asset_id=f"vehicle.{vehicle_id}",
        observed_at=_find_instant(vehicle.timestamp or header.timestamp, context),
        position=position,
        is_fixed=False,
    )


def _find_instant(timestamp: int, context: ParseContext) -> datetime:
    if not timestamp:
        raise RefusedRecordError("timestamp: missing")
    try:
        at = datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RefusedRecordError("timestamp: cannot be true") from error
    return check_instant(at, context.latest_at, what="timestamp")


def _scale(place: Any, name: str, factor: float) -> float | None:
    if not place.HasField(name):
        return None
    value = float(getattr(place, name)) * factor
    if not math.isfinite(value):
        raise RefusedRecordError(f"{name}: not a number")
    return round(value, 2)


def _find_occupancy(vehicle: Any) -> float | None:
    if vehicle.HasField("occupancy_percentage"):
        return float(vehicle.occupancy_percentage)
    return _OCCUPANCY_PCT.get(vehicle.occupancy_status) if vehicle.HasField("occupancy_status") else None


def _keep(header: Any, entity: Any) -> bytes:
    """Make a message of one entity, which can be read again once it is mended."""
    kept: Any = gtfs_realtime_pb2.FeedMessage()
    kept.header.CopyFrom(header)
    kept.entity.add().CopyFrom(entity)
    return bytes(kept.SerializePartialToString())


def _name(vehicle_id: str, key: bytes) -> str:
    """Give a vehicle's id; one that looks like a number plate becomes a pseudonym."""
    return to_plate_pseudonym(vehicle_id, key) if _PLATE.fullmatch(vehicle_id) else vehicle_id


def redact(raw: bytes, pseudonym_key: bytes) -> bytes:
    """Take plates and labels out of bytes that are kept; the words of what is no FeedMessage become ``x``."""
    feed: Any = gtfs_realtime_pb2.FeedMessage()
    try:
        feed.MergeFromString(raw)
    except (DecodeError, RecursionError):
        return _WORD.sub(lambda found: b"x" * len(found[0]), raw)
    feed.DiscardUnknownFields()
    for entity in feed.entity:
        entity.id = _name(entity.id, pseudonym_key)
        if entity.HasField("vehicle") and entity.vehicle.HasField("vehicle"):
            known = entity.vehicle.vehicle
            known.ClearField("license_plate")
            known.ClearField("label")
            known.id = _name(known.id, pseudonym_key)
    return bytes(feed.SerializePartialToString())
