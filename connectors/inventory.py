"""The fixed assets that feeds speak of, with their places: stations, gates, sites and units, from the geodata."""

from __future__ import annotations

from pathlib import Path

from connectors.feed import Station
from geo.catalogue import load_places, load_stations, load_units
from geo.installations import load_installations


def load_inventory(directory: Path | None = None) -> dict[str, Station]:
    """Give every fixed asset by its id; ``directory`` may hold imported boundaries of the units."""
    stations = [
        Station(
            asset_id=station.asset_id,
            lon_deg=station.position.lon_deg,
            lat_deg=station.position.lat_deg,
            unit_code=station.unit_code,
        )
        for station in load_stations()
    ]
    stations += [
        Station(
            asset_id=item.asset_id,
            lon_deg=item.position.lon_deg,
            lat_deg=item.position.lat_deg,
            unit_code=item.unit_code,
        )
        for item in load_installations()
    ]
    stations += [
        Station(
            asset_id=place.asset_id,
            lon_deg=place.geometry.representative_point().x,
            lat_deg=place.geometry.representative_point().y,
            unit_code=place.unit_code,
        )
        for place in load_places()
        if place.asset_id is not None
    ]
    stations += [
        Station(
            asset_id=f"unit.{unit.code}",
            lon_deg=unit.position.lon_deg,
            lat_deg=unit.position.lat_deg,
            unit_code=unit.code,
        )
        for unit in load_units(directory)
    ]
    return {station.asset_id: station for station in stations}
