"""The demo's devices stand in known units, near them, and say how well their place is known."""

from __future__ import annotations

from collections import Counter

from connectors.inventory import load_inventory
from geo.catalogue import load_units
from geo.distance import distance_m
from geo.installations import load_installations
from geo.position import is_in_province_box


def test_every_device_has_an_id_of_its_own_that_begins_as_its_kind_does() -> None:
    devices = load_installations()
    assert len({device.asset_id for device in devices}) == len(devices)
    prefixes = {"plate_reader": "camera."}
    for device in devices:
        assert device.asset_id.startswith(prefixes.get(device.kind, f"{device.kind}.")), device
    assert Counter(device.kind for device in devices).keys() == {
        *("water", "rain", "tide", "road", "plate_reader", "feeder", "light", "camera")
    }


def test_every_device_stands_in_the_province_and_near_the_unit_that_it_names() -> None:
    units = {unit.code: unit for unit in load_units()}
    for device in load_installations():
        assert is_in_province_box(device.position)
        assert device.name_vi
        assert device.name_en
        # The islands' units are wide, and gauges of the sea stand off the label point.
        assert distance_m(device.position, units[device.unit_code].position) < 40_000, device


def test_no_device_claims_to_be_surveyed() -> None:
    for device in load_installations():
        assert device.accuracy_m >= 200, device
        assert "not surveyed" in device.source or "relic map" in device.source or "Người Lao Động" in device.source, (
            device
        )


def test_feeds_find_every_device_in_the_inventory() -> None:
    inventory = load_inventory()
    for device in load_installations():
        assert inventory[device.asset_id].unit_code == device.unit_code
