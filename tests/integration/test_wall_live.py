"""The wall's socket over real parts: uvicorn, the event log, PostgreSQL, and a client that checks every frame."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ioc.domain.alerts import ChangeType
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import VesselPosition
from ioc.ports import Topic
from tests.support.alerts import apply, decide
from tests.support.wall_live import open_wall, prepare


@pytest.fixture
async def wall(tmp_path, plain_postgres_url, fresh_database):
    async with open_wall(tmp_path, await fresh_database(plain_postgres_url, prepare=prepare)) as wall:
        await wall.add_person()
        yield wall


def vessel(number: int, *, at: datetime | None = None, lon_deg: float = 107.06, sog_kn: float = 6.0) -> Event:
    at = at or datetime.now(UTC)
    asset_id = f"vessel.5740{number:05}"
    return Event(
        event_id=event_id("vessels", asset_id, at, "vessel.position"), feed_id="vessels", asset_id=asset_id,
        observed_at=at, received_at=at, data=VesselPosition(sog_kn=sog_kn, cog_deg=90.0, name=f"Hạ Long {number}"),
        lon_deg=lon_deg, lat_deg=20.86,
    )  # fmt: skip


async def test_a_wall_gets_a_vessel_that_was_stored_before_and_one_that_comes_later(wall):
    async with wall.store.begin("process") as transaction:
        await transaction.record([vessel(1)])
    async with wall.client() as client:
        welcome = client.frames[0]
        assert (welcome["t"], welcome["user"], welcome["roles"], welcome["hb"]) == ("welcome", "truc", ["operator"], 10)
        await client.follow("map:vessels")
        await client.until(lambda: "vessel.574000001" in client.rows["map:vessels"])
        await wall.base.log.append(Topic.EVENTS, [vessel(2)])
        await client.until(lambda: "vessel.574000002" in client.rows["map:vessels"])
        row = client.rows["map:vessels"]["vessel.574000002"]
        assert (row["name"], row["sog_kn"], row["lon"], row["q"]) == ("Hạ Long 2", 6.0, 107.06, 0)
        assert row["zone"] is not None


async def test_every_alert_event_reaches_the_wall_once_and_in_order(wall):
    await apply(wall.store, decide(asset_id="air.before"))
    async with wall.client() as client:
        await client.follow("alerts")
        assert [row["asset_id"] for row in client.rows["alerts"].values()] == ["air.before"]
        for number in range(30):
            await apply(
                wall.store,
                decide(asset_id=f"air.{number}"),
                decide(ChangeType.UPDATED, 1, asset_id=f"air.{number}", value=99),
            )
        await client.until(lambda: len(client.events) >= 60)
        ids = [event["event_id"] for event in client.events]
        assert ids == sorted(set(ids))
        assert len(client.rows["alerts"]) == 31
