"""The port office: papers of every trip that a boat of the fleet sails, and calls of distress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import shapely

from geo.catalogue import load_zones
from geo.zones import ZoneKind
from simulators.feeds.fleet import Boat, Trade
from simulators.message import Message
from simulators.province import World

FEED = "ports"
PEOPLE_A_TRIP = {Trade.TOUR: (28.0, 11.0, 60), Trade.FERRY: (70.0, 30.0, 150)}
"""Mean (28 in the bay, press), spread and most people of a trip (assumed)."""
_PERMIT_BEFORE, _LIST_BEFORE = timedelta(minutes=20), timedelta(minutes=8)
_PERMIT_LASTS = timedelta(hours=10)
_COUNTS_OFF = (-4, -2, 2, 4)


class PortOffice:
    """Writes the papers of trips: permit, list, departure, arrival. Boats that fish or carry freight have none here."""

    def __init__(self, world: World) -> None:
        self._world = world
        ports = [zone for zone in load_zones() if zone.kind is ZoneKind.PORT]
        self._names = [zone.zone_id.removeprefix("port-") for zone in ports]
        self._areas = shapely.STRtree([zone.polygon for zone in ports])
        self._trips: dict[int, dict[str, Any]] = {}
        self._ordinals: dict[int, int] = {}

    def clear(self, boat: Boat, at: datetime) -> Iterator[Message]:
        """Give the papers of a boat that leaves: permit and list a while before, the departure now."""
        if boat.trade not in PEOPLE_A_TRIP:
            return
        ordinal = self._ordinals[boat.number] = self._ordinals.get(boat.number, 0) + 1
        random = Random(f"{self._world.seed}/trip/{boat.number}/{ordinal}")
        trip = self._trips[boat.number] = self._draw(boat, at, ordinal, random)
        papers = {"boat": str(boat.mmsi), "trip": trip["trip"], "port": trip["port"]}
        yield self._write(at, at - _PERMIT_BEFORE, {
            "type": "permit", **papers, "status": "granted", "most_pax": trip["most"],
            "valid_from": self._world.write_time(at - _PERMIT_BEFORE),
            "valid_until": self._world.write_time(at + _PERMIT_LASTS), "captain": "Nguyễn Văn Thử",
        })  # fmt: skip
        if not self._strikes("ports.no_manifest", at, random):
            declared = trip["pax"]
            if self._strikes("ports.mismatch", at, random):
                declared = max(0, declared + random.choice(_COUNTS_OFF))
            yield self._write(at, at - _LIST_BEFORE, {
                "type": "manifest", **papers, "pax": declared, "crew": trip["crew"],
                "children": round(declared * random.uniform(0, 0.3)),
                "passengers": [{"name": "Nguyễn Văn Thử", "id": "000000000000"}],
            })  # fmt: skip
        yield self._write(at, at, {
            "type": "departure", **papers, "pax": trip["pax"], "crew": trip["crew"], "phone": "0900000000",
        })  # fmt: skip

    def receive(self, boat: Boat, at: datetime) -> Iterator[Message]:
        """Give the arrival of a boat whose departure was written."""
        trip = self._trips.pop(boat.number, None)
        if trip is not None:
            papers = {"boat": str(boat.mmsi), "trip": trip["trip"], "port": self._port_of(boat)}
            yield self._write(at, at, {"type": "arrival", **papers, "pax": trip["pax"]})

    def call(self, boat: Boat, at: datetime, cause: str) -> Message:
        """Give a call of distress from where a boat is."""
        lon_deg, lat_deg, _ = boat.place()
        trip = self._trips.get(boat.number)
        on_board = {} if trip is None else {"on_board": trip["pax"] + trip["crew"]}
        record = {"type": "sos", "boat": str(boat.mmsi), "status": "active", "cause": cause, **on_board}
        return self._write(at, at, {**record, "lon": round(lon_deg, 5), "lat": round(lat_deg, 5)})

    def _draw(self, boat: Boat, at: datetime, ordinal: int, random: Random) -> dict[str, Any]:
        mean, spread, most = PEOPLE_A_TRIP[boat.trade]
        port = self._port_of(boat)
        initials = "".join(part[0] for part in port.split("-")).upper()[:4].ljust(2, "X")
        return {
            "trip": f"{initials}-{at:%y%m%d}-{boat.number % 1_000:03d}{ordinal % 1_000:02d}",
            "port": port,
            "pax": min(most, max(2, round(random.gauss(mean, spread)))),
            "crew": random.randint(3, 7),
            "most": most,
        }

    def _port_of(self, boat: Boat) -> str:
        lon_deg, lat_deg, _ = boat.place()
        return self._names[int(self._areas.nearest(shapely.Point(lon_deg, lat_deg)))]

    def _strikes(self, name: str, at: datetime, random: Random) -> bool:
        acting = self._world.acting(name, at)
        return any(random.random() < strength * float(effect.facts["share"]) for effect, strength in acting)

    def _write(self, at: datetime, written_at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, FEED, json.dumps({**record, "time": self._world.write_time(written_at)}).encode())
