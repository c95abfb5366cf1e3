"""The twin over the real app: how things stand, how they stood, page by page, and the tracks of what moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Directive, VesselPosition
from ioc.storage.batches import PostgresBatchStore
from tests.support.alerts import no_alerts
from tests.support.edge import open_edge, prepare

NOW = datetime.now(UTC).replace(microsecond=0)


def event(asset_id, data, minutes, *, late_min=0, lon=None, lat=None, unit=None) -> Event:
    at = NOW + timedelta(minutes=minutes)
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND), feed_id="test", asset_id=asset_id, observed_at=at,
        received_at=at + timedelta(minutes=late_min, seconds=1), data=data, unit_code=unit, lon_deg=lon, lat_deg=lat,
    )  # fmt: skip


def vessel(minutes, lon, *, name="vessel.574000001", late_min=0) -> Event:
    return event(name, VesselPosition(sog_kn=9.0), minutes, lon=lon, lat=20.9, late_min=late_min)


EVENTS = [
    event("air.a", AirReading(pm25_ug_m3=10), -120, lon=107.0, lat=20.9, unit="06652"),
    event("air.a", AirReading(pm25_ug_m3=20), -60, lon=107.0, lat=20.9, unit="06652"),
    event("air.a", AirReading(pm25_ug_m3=30), -5, lon=107.0, lat=20.9, unit="06652"),
    event("air.b", AirReading(pm25_ug_m3=50), -90, late_min=80, lon=107.9, lat=21.5, unit="06709"),
    event("directive.7", Directive(owner="Sở X", status="open", due_on=NOW.date()), -3000),
    *[vessel(-50 + minute, 107.0 + 0.002 * minute) for minute in range(20)],
    *[vessel(-10 + minute, 107.1 + 0.002 * minute) for minute in range(5)],
    vessel(-5, 109.9),
]


@pytest.fixture(params=["plain_postgres_url", "timescaledb_apache_url"])
def store_url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def client(store_url, tmp_path, fresh_database):
    address = await fresh_database(store_url, prepare=prepare)
    async with open_edge(tmp_path, address) as edge:
        store = PostgresBatchStore(edge.base.database, alerts=no_alerts)
        async with store.begin("test") as transaction:
            await transaction.record(EVENTS)
        await edge.add_person("xem", "viewer")
        async with edge.signed_in("xem") as signed_in:
            yield signed_in


async def ask(client, path, **params):
    answer = await client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refuse(client, path, **params):
    answer = await client.get(f"/api/v1/{path}", params=params)
    assert 400 <= answer.status_code < 500, answer.text
    return answer.json()["code"]


def pm25(found) -> dict[str, float]:
    return {item["asset_id"]: item["values"]["pm25_ug_m3"] for item in found["items"] if item["class"] == "sensor"}


async def test_it_says_how_everything_stands(client):
    found = await ask(client, "twin")
    assert pm25(found) == {"air.a": 30, "air.b": 50}
    assert {item["asset_id"] for item in found["items"]} == {"air.a", "air.b", "directive.7", "vessel.574000001"}
    assert found["next"] is None


async def test_it_says_how_everything_stood_as_is_known_now_and_as_was_known_then(client):
    then = (NOW - timedelta(minutes=30)).isoformat()
    assert pm25(await ask(client, "twin", as_of=then)) == {"air.a": 20, "air.b": 50}
    assert pm25(await ask(client, "twin", as_of=then, known="then")) == {"air.a": 20}
    assert pm25(await ask(client, "twin", as_of=(NOW - timedelta(minutes=119)).isoformat())) == {"air.a": 10}
    assert pm25(await ask(client, "twin", as_of=(NOW - timedelta(minutes=121)).isoformat())) == {}


async def test_a_register_is_remembered_for_longer_than_a_month(client):
    found = await ask(client, "twin", **{"class": "directive"}, as_of=(NOW + timedelta(days=300)).isoformat())
    assert [item["values"]["owner"] for item in found["items"]] == ["Sở X"]


async def test_what_is_asked_for_narrows_it(client):
    assert set(pm25(await ask(client, "twin", unit="06709"))) == {"air.b"}
    assert set(pm25(await ask(client, "twin", bbox="106.9,20.8,107.1,21"))) == {"air.a"}
    assert set(pm25(await ask(client, "twin", prefix="air.", kind="env.air.reading"))) == {"air.a", "air.b"}
    then = (NOW - timedelta(minutes=30)).isoformat()
    assert set(pm25(await ask(client, "twin", unit="06709", as_of=then))) == {"air.b"}


@pytest.mark.parametrize("is_past", [False, True])
async def test_pages_give_everything_once(client, is_past):
    seen, cursor = [], None
    then = (NOW - timedelta(minutes=1)).isoformat() if is_past else None
    while True:
        params = {"limit": 1} | ({"as_of": then} if then else {}) | ({"cursor": cursor} if cursor else {})
        page = await ask(client, "twin", **params)
        seen += [(item["kind"], item["asset_id"]) for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert len(seen) == 4
    assert seen == sorted(set(seen))


async def test_a_track_is_cut_where_nothing_was_heard_and_where_it_leaps(client):
    # The events are as old as the run of the tests, so the hour is named.
    hour = {"from": (NOW - timedelta(hours=1)).isoformat(), "to": NOW.isoformat()}
    found = await ask(client, "tracks/vessel.574000001", **hour)
    lines, times = found["geometry"]["coordinates"], found["properties"]["times"]
    assert [len(line) for line in lines] == [20, 5]
    assert [len(line) for line in times] == [20, 5]
    assert not found["properties"]["truncated"]
    simple = await ask(client, "tracks/vessel.574000001", simplify_m=50, **hour)
    assert [len(line) for line in simple["geometry"]["coordinates"]] == [2, 2]
    assert simple["properties"]["times"][0] == [times[0][0], times[0][-1]]


async def test_nothing_heard_is_no_track(client):
    assert (await ask(client, "tracks/vessel.1"))["geometry"] is None
    assert await refuse(client, "tracks/air.a") == "not_found"


async def test_collections_follow_the_standard(client):
    landing = await ask(client, "ogc")
    assert {link["rel"] for link in landing["links"]} >= {"self", "service-desc", "conformance", "data"}
    assert any("geojson" in name for name in (await ask(client, "ogc/conformance"))["conformsTo"])
    collections = (await ask(client, "ogc/collections"))["collections"]
    for item in collections:
        assert (await ask(client, f"ogc/collections/{item['id']}"))["id"] == item["id"]
    found = await ask(client, "ogc/collections/env.air.reading/items", limit=1)
    assert (found["type"], found["numberReturned"]) == ("FeatureCollection", 1)
    assert found["features"][0]["geometry"] == {"type": "Point", "coordinates": [107.0, 20.9]}
    (following,) = (link["href"] for link in found["links"] if link["rel"] == "next")
    answer = await client.get(following)
    assert [item["id"] for item in answer.json()["features"]] == ["air.b"]
    one = await ask(client, "ogc/collections/env.air.reading/items/air.b")
    assert one["properties"]["pm25_ug_m3"] == 50


async def test_a_collection_can_be_asked_for_an_instant_or_an_interval(client):
    path = "ogc/collections/env.air.reading/items"

    async def ids(when):
        return [item["id"] for item in (await ask(client, path, datetime=when))["features"]]

    half_an_hour_ago = (NOW - timedelta(minutes=30)).isoformat()
    assert await ids(half_an_hour_ago) == ["air.a", "air.b"]
    assert await ids(f"{half_an_hour_ago}/..") == ["air.a"]
    assert await ids(f"../{(NOW - timedelta(minutes=100)).isoformat()}") == ["air.a"]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("twin", {"cursor": "xx"}, "bad_cursor"),
        ("twin", {"bbox": "1,2,3"}, "bad_bbox"),
        ("twin", {"bbox": "3,2,1,4"}, "bad_bbox"),
        ("twin", {"bbox": "nan,0,1,1"}, "bad_bbox"),
        ("twin", {"kind": "no.kind"}, "not_found"),
        ("twin", {"class": "dragon"}, "not_found"),
        ("twin", {"as_of": "0001-01-01T00:00:00Z"}, "bad_instant"),
        ("tracks/vessel.1", {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "bad_range"),
        ("ogc/collections/nothing/items", {}, "not_found"),
        ("ogc/collections/env.air.reading/items", {"bboxx": "1"}, "unknown_parameter"),
        ("ogc/collections/env.air.reading/items", {"datetime": "yesterday"}, "bad_datetime"),
        ("ogc/collections/env.air.reading/items", {"datetime": "2026-02-01T00:00Z/2026-01-01T00:00Z"}, "bad_datetime"),
        ("ogc/collections/env.air.reading/items", {"datetime": "2026-02-01T00:00:00"}, "bad_datetime"),
        ("ogc/collections/env.air.reading/items/air.z", {}, "not_found"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_clearly(client, path, params, code):
    assert await refuse(client, path, **params) == code
