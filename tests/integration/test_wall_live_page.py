"""The wall's page in a real browser on the real server: both ends of the protocol, with nothing in between made up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import VesselPosition
from ioc.ports import Topic
from tests.support.alerts import apply, decide
from tests.support.wall_live import open_wall, prepare
from tests.support.wall_page import keep_screenshot, open_page, sign_in

pytestmark = pytest.mark.chromium

TWO_HEARTBEATS_LATER = "(since) => performance.now() - since > 21_000"


@pytest.fixture
async def wall(tmp_path, plain_postgres_url, fresh_database):
    async with open_wall(tmp_path, await fresh_database(plain_postgres_url, prepare=prepare)) as wall:
        await wall.add_person()
        yield wall


@pytest.fixture
async def page(chromium_path):
    async with open_page(chromium_path) as page:
        yield page


def vessel(name: str, lon_deg: float) -> Event:
    at = datetime.now(UTC)
    return Event(
        event_id=event_id("vessels", "vessel.574000001", at, "vessel.position"), feed_id="vessels",
        asset_id="vessel.574000001", observed_at=at, received_at=at, lon_deg=lon_deg, lat_deg=20.86,
        data=VesselPosition(sog_kn=6.0, cog_deg=90.0, name=name),
    )  # fmt: skip


async def test_the_page_shows_what_the_hub_sends_and_acknowledges_over_the_journal(wall, page):
    await apply(wall.store, decide(asset_id="air.hong-gai"))
    await sign_in(page, wall.port)
    await page.locator("[data-alert] .alert-title").get_by_text("Bụi mịn vượt ngưỡng").wait_for()
    await wall.base.log.append(Topic.EVENTS, [vessel("Hạ Long 1", 107.05)])
    await page.wait_for_function("() => window.__wall.row('map:vessels', 'vessel.574000001')?.lon === 107.05")
    await wall.base.log.append(Topic.EVENTS, [vessel("Hạ Long 1", 107.06)])
    await page.wait_for_function("() => window.__wall.row('map:vessels', 'vessel.574000001')?.lon === 107.06")

    await page.locator("[data-alert] .alert-ack").click()
    await page.locator("[data-alert][data-operator=acknowledged]").wait_for()
    [fired, acknowledged] = await wall.api.alerts.events_after(0)
    assert (fired.type, acknowledged.type, acknowledged.actor) == ("fired", "acknowledged", "truc")

    since = await page.evaluate("() => performance.now()")
    await page.wait_for_function(TWO_HEARTBEATS_LATER, arg=since, timeout=40_000)
    facts = await page.evaluate("() => window.__wall.connection()")
    assert (facts["state"], facts["resyncCount"], facts["reconnectCount"], facts["isFrozen"]) == ("live", 0, 0, False)
    assert await page.evaluate("() => window.__wall.missingKeys()") == []
    await keep_screenshot(page, "wall-on-the-real-hub")


async def test_every_figure_can_be_reached_with_its_method_by_keyboard(wall, page):
    await sign_in(page, wall.port)
    await page.locator("[data-kpi='kpi.alerts_open'] .tile-method:not(:empty)").wait_for(state="attached")
    seen: list[str] = []
    for number in (1, 2, 3):
        await page.locator(".pager-count", has_text=f"{number}/3").wait_for()
        for tile in await page.locator(".tile").all():
            await tile.focus()
            await page.keyboard.press("Shift")
            assert (await tile.locator(".tile-method").inner_text()).endswith(".")
            assert await tile.locator(".tile-method").is_visible()
            seen.append(str(await tile.get_attribute("data-kpi")))
        await page.get_by_role("button", name="Chỉ số tiếp").press("Enter")
    await page.locator(".pager-count", has_text="1/3").wait_for()
    assert seen == [definition.indicator_id for definition in wall.api.hub.board.definitions]
    await keep_screenshot(page, "wall-figures")


async def test_the_page_comes_back_after_a_restart_without_losing_an_alert(
    tmp_path, plain_postgres_url, fresh_database, page
):
    address = await fresh_database(plain_postgres_url, prepare=prepare)
    async with open_wall(tmp_path, address) as wall:
        await wall.add_person()
        await apply(wall.store, decide(asset_id="air.hong-gai"))
        await sign_in(page, wall.port)
        await page.wait_for_function("() => window.__wall.counts().alerts === 1")
        port = wall.port
    await page.wait_for_function("() => window.__wall.connection().state === 'waiting'", timeout=30_000)
    async with open_wall(tmp_path, address, port=port) as wall:
        await apply(wall.store, decide(asset_id="air.bai-chay"))
        await page.wait_for_function("() => window.__wall.connection().state === 'live'", timeout=60_000)
        await page.wait_for_function("() => window.__wall.counts().alerts === 2", timeout=30_000)
        # The list was resumed, not sent anew: the second alert came as an event.
        assert await page.evaluate("() => window.__wall.alertEventCount()") == 1
