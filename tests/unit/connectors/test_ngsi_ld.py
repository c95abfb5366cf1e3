"""NGSI-LD: three ways to write one entity, units, swapped axes, and nobody's data behind parse."""

from __future__ import annotations

import json

import pytest

from connectors.feed import Form
from ioc.domain.quantities import Quality
from tests.support.feeds import RECEIVED_AT, fresh_feed
from tests.support.servers import data_file

MODELS = {
    "AirQualityObserved": "env.air.reading",
    "WaterObserved": "env.water.level",
    "TrafficFlowObserved": "traffic.flow",
    "CrowdFlowObserved": "tourism.crowd",
    "Vehicle": "vehicle.position",
}
ENCODINGS = ["example-normalized.json", "example-normalized.jsonld", "example.json", "example.jsonld"]


def parse(body: object):
    return fresh_feed("ngsi_ld").parse(json.dumps(body).encode(), received_at=RECEIVED_AT, form=Form.NGSI_LD)


def air(**attributes):
    found = {"id": "urn:ngsi-ld:AirQualityObserved:x", "type": "AirQualityObserved", **attributes}
    return {"dateObserved": "2026-11-23T01:00:00Z", **found}


@pytest.mark.parametrize(
    "pm25",
    [
        35.2,
        {"value": 35.2},
        {"type": "Property", "value": 35.2, "unitCode": "GQ"},
        {"value": 0.0352, "unitCode": "GP"},
        [{"type": "Property", "value": 35.2}, {"type": "Property", "value": 9, "datasetId": "urn:other"}],
    ],
)
def test_every_way_to_write_it_means_the_same(pm25):
    (event,) = parse(air(pm25=pm25)).events
    assert event.data.pm25_ug_m3 == pytest.approx(35.2)


def test_one_entity_that_cannot_be_read_costs_the_others_nothing():
    parsed = parse([air(pm25=1), {"type": "x"}, air(id="urn:ngsi-ld:AirQualityObserved:y", pm25="high")])
    assert (len(parsed.events), [item.index for item in parsed.rejected]) == (1, [1, 2])


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"pm25": {"value": 3, "unitCode": "KMH"}}, "no way from unit"),
        ({"pm25": 9e9}, "outside"),
        ({"pm25": True}, "not a number"),
        ({}, "none of"),
        ({"pm25": 1, "location": {"type": "Point", "coordinates": [20.9, 107.0]}}, "swapped"),
        ({"pm25": 1, "location": {"type": "Point", "coordinates": ["a", 1]}}, "not a geometry"),
        ({"pm25": 1, "dateObserved": "yesterday"}, "not an instant"),
    ],
)
def test_what_cannot_be_true_is_refused_with_the_reason(attributes, reason):
    parsed = parse(air(**attributes))
    assert not parsed.events
    assert reason in parsed.rejected[0].reason


def test_instants_without_an_offset_are_the_provinces():
    (event,) = parse(air(pm25=1, dateObserved="2026-11-23T08:00:00")).events
    assert event.observed_at.isoformat() == "2026-11-23T01:00:00+00:00"


def test_what_has_no_model_comes_number_by_number_and_says_nothing_of_anybody():
    entity = {
        "id": "urn:ngsi-ld:StreetBin:42", "type": "StreetBin", "fillingLevel": 0.4, "temperature": {"value": 21},
        "ownerPhone": 912345678, "cardNumber": {"value": 22012345678}, "note": "Nguyễn Văn A",
        "dateObserved": "2026-11-23T01:00:00Z",
    }  # fmt: skip
    events = parse(entity).events
    assert {(event.data.quantity, event.data.value) for event in events} == {
        ("filling_level", 0.4),
        ("temperature", 21.0),
    }
    assert len({event.asset_id for event in events}) == 1


def test_no_plate_name_or_phone_gets_behind_parse():
    secrets = ["14C-123.45", "Trần Thị B", "0912345678", "tran@x.vn"]
    vehicle = {
        "id": "urn:ngsi-ld:Vehicle:14C-123.45", "type": "Vehicle", "license_plate": {"value": "14C-123.45"},
        "owner": "Trần Thị B", "phone": {"value": "0912345678"}, "contact": "tran@x.vn", "speed": 10,
        "serviceStatus": "14C-123.45",
    }  # fmt: skip
    sound = parse({**vehicle, "dateObserved": "2026-11-23T01:00:00Z"})
    broken = parse({**vehicle, "dateObserved": "Trần Thị B", "speed": "0912345678"})
    assert len(sound.events) == len(broken.rejected) == 1
    kept = repr(sound.events).encode() + b"".join(item.raw + item.reason.encode() for item in broken.rejected)
    assert not [secret for secret in secrets if secret.encode() in kept or json.dumps(secret).encode() in kept]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_models_own_examples_are_read_or_refused_with_a_reason(model, encoding):
    body = data_file("ngsi_ld", f"{model}__{encoding}").read_bytes()
    parsed = fresh_feed("ngsi_ld").parse(body, received_at=RECEIVED_AT, form=Form.NGSI_LD)
    assert len(parsed.events) + len(parsed.rejected) == 1
    for event in parsed.events:
        assert event.kind == MODELS[model]
        assert event.quality == Quality.UNCERTAIN, "it lies in another country"
    for rejected in parsed.rejected:
        assert rejected.reason
