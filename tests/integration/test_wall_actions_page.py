"""What an operator does to alerts on the wall's page, on the real server: every action ends in the journal."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from ioc.domain.alerts import ChangeType
from tests.support.alerts import apply, decide
from tests.support.wall_live import open_wall, prepare
from tests.support.wall_page import keep_screenshot, open_page, sign_in, sign_out

pytestmark = pytest.mark.chromium

STATIONS = ("air.hong-gai", "air.bai-chay", "air.cam-pha", "air.uong-bi", "air.mong-cai")


@pytest.fixture
async def wall(tmp_path, plain_postgres_url, fresh_database):
    async with open_wall(tmp_path, await fresh_database(plain_postgres_url, prepare=prepare)) as wall:
        await wall.add_person()
        await wall.add_person("truong-ca", "supervisor")
        await apply(wall.store, *[decide(asset_id=name, minute=n, began=n) for n, name in enumerate(STATIONS)])
        yield wall


@pytest.fixture
async def page(chromium_path):
    async with open_page(chromium_path) as page:
        yield page


async def journal(wall) -> list[tuple[str, str | None, str | None]]:
    """What people did, oldest first: type, actor, reason."""
    return [(str(e.type), e.actor, e.reason) for e in await wall.api.alerts.events_after(0) if e.actor is not None]


async def test_only_the_selected_alerts_are_acknowledged_and_one_that_changed_says_so(wall, page):
    await sign_in(page, wall.port)
    rows = page.locator("[data-alert]")
    await page.wait_for_function("() => window.__wall.counts().alerts === 5")
    await rows.nth(0).locator(".alert-pick").click()
    await page.keyboard.down("Shift")
    await rows.nth(2).locator(".alert-pick").click()
    await page.keyboard.up("Shift")
    bar = page.locator("#selection")
    assert "Đã chọn 3" in await bar.inner_text()
    await keep_screenshot(page, "wall-selection")
    await bar.locator("input").fill("đã xem cả ba")
    await bar.locator(".selection-send").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-operator=acknowledged]').length === 3")
    assert await bar.is_hidden()
    done = await journal(wall)
    assert done == [("acknowledged", "truc", "đã xem cả ba")] * 3
    assert await page.locator("[data-alert].is-waiting").count() == 2


async def test_the_same_rule_can_be_selected_but_nothing_that_has_no_row(wall, page):
    await sign_in(page, wall.port)
    await apply(wall.store, *[decide(asset_id=f"air.{n}", minute=10 + n, began=10 + n) for n in range(70)])
    await page.wait_for_function("() => window.__wall.counts().alerts === 75")
    await page.locator("[data-alert] .alert-pick").first.click()
    bar = page.locator("#selection")
    await bar.get_by_role("button", name="Cùng quy tắc: 60").click()
    assert "Đã chọn 60" in await bar.inner_text()
    await bar.get_by_role("button", name="Bỏ chọn").click()
    assert await bar.is_hidden()
    assert await page.locator(".alert.is-picked").count() == 0
    assert await journal(wall) == []


async def test_an_operator_shelves_finds_it_again_and_takes_it_off_the_shelf(wall, page):
    wall.api.alert_actions.longest_shelf = timedelta(hours=2)  # the page offers nothing longer
    await sign_in(page, wall.port)
    await page.locator("[data-alert] .alert-title").first.click()
    panel = page.locator("#panel")
    shelve = panel.locator("[data-form=shelve]")
    await shelve.locator("summary").click()
    assert await shelve.locator("option").all_text_contents() == ["15 phút", "30 phút", "1 giờ", "2 giờ"]
    await shelve.locator("select").select_option(label="30 phút")
    # An event of the journal redraws the drawer; what is being written stays.
    await shelve.locator("[name=reason]").fill("đang bảo trì")
    await apply(wall.store, decide(ChangeType.UPDATED, 20, asset_id="air.mong-cai", began=4, value=99.0))
    await panel.get_by_text("99 > 50 µg/m³").wait_for()
    await keep_screenshot(page, "wall-shelve")
    await shelve.get_by_role("button", name="Tạm gác").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-alert]').length === 4")
    aside = page.locator("#alert-aside")
    assert await aside.inner_text() == "1 để riêng"
    await aside.click()
    await page.locator("[data-alert][data-operator=shelved]").wait_for()
    await panel.locator("[data-form=unshelve]").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-operator=shelved]').length === 0")
    assert [entry[:2] for entry in await journal(wall)] == [("shelved", "truc"), ("unshelved", "truc")]
    assert await aside.is_hidden()


async def test_what_the_server_refuses_is_told_with_its_reason(wall, page):
    await sign_in(page, wall.port)
    await page.locator("[data-alert] .alert-title").first.click()
    panel = page.locator("#panel")
    shelve = panel.locator("[data-form=shelve]")

    async def ask_for_a_year(route):
        asked = json.loads(route.request.post_data)
        await route.continue_(post_data=json.dumps(asked | {"until": "2099-01-01T00:00:00Z"}))

    await page.route("**/shelve", ask_for_a_year)
    await shelve.locator("summary").click()
    await shelve.locator("[name=reason]").fill("đang bảo trì")
    await shelve.get_by_role("button", name="Tạm gác").click()
    await panel.get_by_text("Không được: an alert can be shelved for 8:00:00 at most").wait_for()

    async def ask_with_an_old_revision(route):
        asked = json.loads(route.request.post_data)
        await route.continue_(post_data=json.dumps(asked | {"expected_revision": 7}))

    await page.route("**/acknowledge", ask_with_an_old_revision)
    await panel.locator("[data-form=acknowledge] button").click()
    await panel.get_by_text("Người khác vừa thay đổi cảnh báo này").wait_for()
    assert await journal(wall) == []


async def test_an_operator_takes_an_alert_and_a_supervisor_gives_it_to_somebody_else_and_raises_it(wall, page):
    await sign_in(page, wall.port)
    await page.locator("[data-alert] .alert-title").first.click()
    panel = page.locator("#panel")
    assert await panel.locator("[data-form=assign], [data-form=severity], [data-form=suppress]").count() == 0
    await panel.locator("[data-form=take]").click()
    await page.locator("[data-alert]").get_by_text("giao truc").wait_for()
    await panel.locator("[data-form=give_up]").wait_for()
    await sign_out(page)
    await sign_in(page, wall.port, "truong-ca")
    await page.locator("[data-alert] .alert-title").first.click()
    await panel.locator("[data-form=assign] summary").click()
    await panel.locator("[data-form=assign] select").select_option("truong-ca")
    await panel.locator("[data-form=assign]").get_by_role("button", name="Giao").click()
    await page.locator("[data-alert]").get_by_text("giao truong-ca").wait_for()
    severity = panel.locator("[data-form=severity]")
    await severity.locator("summary").click()
    await severity.locator("select").select_option("critical")
    await severity.locator("[name=reason]").fill("trường học ngay bên cạnh")
    await panel.locator(".journal").get_by_text("Giao xử lý · truong-ca · truong-ca").wait_for()
    await keep_screenshot(page, "wall-supervisor")
    await severity.get_by_role("button", name="Đổi").click()
    await page.locator("[data-alert][data-severity=critical]").wait_for()
    assert await journal(wall) == [
        ("assigned", "truc", None), ("assigned", "truong-ca", None),
        ("severity_set", "truong-ca", "trường học ngay bên cạnh"),
    ]  # fmt: skip
    assert await page.evaluate("() => window.__wall.missingKeys()") == []


async def test_a_supervisor_takes_a_condition_off_the_list_and_brings_it_back(wall, page):
    await sign_in(page, wall.port, "truong-ca")
    await page.locator("[data-alert] .alert-title").first.click()
    panel = page.locator("#panel")
    suppress = panel.locator("[data-form=suppress]")
    await suppress.locator("summary").click()
    await suppress.locator("[name=reason]").fill("trạm đang thay cảm biến")
    await suppress.get_by_role("button", name="Đưa ra").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-alert]').length === 4")
    await page.locator("#alert-aside").click()
    aside = page.locator("[data-alert][data-operator=out_of_service]")
    await aside.wait_for()
    await aside.locator(".alert-title").click()
    back = panel.locator("[data-form=return]")
    await back.locator("summary").click()
    await back.locator("[name=reason]").fill("xong")
    await keep_screenshot(page, "wall-return")
    await back.get_by_role("button", name="Đưa lại").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-alert].is-waiting').length === 5")
    assert await journal(wall) == [
        ("out_of_service", "truong-ca", "trạm đang thay cảm biến"), ("returned", "truong-ca", "xong"),
    ]  # fmt: skip
    assert await page.evaluate("() => window.__wall.missingKeys()") == []


async def test_what_was_written_stays_until_the_server_has_it(wall, page):
    await sign_in(page, wall.port)
    panel = page.locator("#panel")
    comment, shelve = panel.locator("[data-form=comment]"), panel.locator("[data-form=shelve]")
    text, reason = comment.locator("[name=text]"), shelve.locator("[name=reason]")
    failed = panel.get_by_text("Không gửi được. Hãy thử lại.")
    await page.route("**/api/v1/alerts/**", lambda route: route.abort())
    await page.locator("[data-alert] .alert-title").first.click()
    await comment.locator("summary").click()
    await text.fill("đã gọi trạm")
    await comment.get_by_role("button", name="Ghi").click()
    await failed.wait_for()
    assert (await text.is_visible(), await text.input_value()) == (True, "đã gọi trạm")
    await keep_screenshot(page, "wall-not-sent")
    await shelve.locator("summary").click()
    await shelve.locator("select").select_option(label="30 phút")
    await reason.fill("đang bảo trì")
    await failed.wait_for(state="hidden", timeout=60_000)
    await shelve.get_by_role("button", name="Tạm gác").click()
    await failed.wait_for()
    assert (await reason.is_visible(), await reason.input_value()) == (True, "đang bảo trì")
    assert await shelve.locator("select").input_value() == "1800000"
    # Back on line, the same is sent again with a click; then there is nothing to send any more.
    await page.unroute("**/api/v1/alerts/**")
    await comment.locator("summary").click()
    await comment.get_by_role("button", name="Ghi").click()
    await panel.locator(".journal").get_by_text("đã gọi trạm").wait_for()
    await panel.locator(".alert-notice").wait_for(state="hidden")
    await text.wait_for(state="hidden")
    assert await text.input_value() == ""
    await shelve.locator("summary").click()
    await shelve.get_by_role("button", name="Tạm gác").click()
    await panel.locator("[data-form=unshelve]").wait_for()
    assert await journal(wall) == [("commented", "truc", "đã gọi trạm"), ("shelved", "truc", "đang bảo trì")]


async def test_what_is_written_about_one_alert_is_not_put_under_another(wall, page):
    await sign_in(page, wall.port)
    text = page.locator("#panel [data-form=comment] [name=text]")
    rows = page.locator("[data-alert]")
    await rows.nth(0).locator(".alert-title").click()
    await page.locator("#panel [data-form=comment] summary").click()
    await text.fill("đã gọi trạm")
    other = await rows.nth(1).get_attribute("data-alert")
    await rows.nth(1).locator(".alert-title").click()
    await page.locator(f"#panel [data-form=comment][data-of='{other}']").wait_for()
    assert await text.input_value() == ""


async def test_a_selection_that_could_not_be_sent_is_there_to_be_sent_again(wall, page):
    await sign_in(page, wall.port)
    rows, bar = page.locator("[data-alert]"), page.locator("#selection")
    await page.route("**/alerts/acknowledge", lambda route: route.abort())
    await rows.nth(0).locator(".alert-pick").click()
    await rows.nth(1).locator(".alert-pick").click()
    await bar.locator("input").fill("đã xem cả hai")
    await bar.locator(".selection-send").click()
    await page.locator("[data-alert]", has_text="Không gửi được").first.wait_for()
    await bar.get_by_text("Đã chọn 2").wait_for()
    assert await bar.locator("input").input_value() == "đã xem cả hai"
    await page.unroute("**/alerts/acknowledge")
    await bar.locator(".selection-send").click()
    await page.wait_for_function("() => document.querySelectorAll('[data-operator=acknowledged]').length === 2")
    assert await journal(wall) == [("acknowledged", "truc", "đã xem cả hai")] * 2


async def test_signing_out_without_an_answer_says_that_it_did_not_happen(wall, page):
    await sign_in(page, wall.port)
    await page.route("**/auth/logout", lambda route: route.abort())
    await page.locator("#sign-out").click()
    await page.get_by_role("button", name="Chưa thoát – bấm lại").wait_for()
    await keep_screenshot(page, "not-signed-out")
    await page.unroute("**/auth/logout")
    await sign_out(page)
    await page.locator("#login[open]").wait_for()


async def test_what_is_pressed_while_the_map_still_opens_counts(wall, page):
    may_open = asyncio.Event()

    async def hold(route):
        await may_open.wait()
        await route.continue_()

    await page.route("**/map-gl.js", hold)
    await sign_in(page, wall.port)
    await page.locator("#lang").click()
    await page.locator("[data-view=bay]").click()
    await page.get_by_role("button", name="Sign out").wait_for()
    assert await page.evaluate("() => window.__wall.map().metresPerPixel") is None
    may_open.set()
    # The bay, not the province, which takes three times as many.
    await page.wait_for_function("() => (window.__wall.map().metresPerPixel ?? Infinity) < 100")
    assert await page.locator("[data-view=bay]").get_attribute("aria-pressed") == "true"
    await keep_screenshot(page, "wall-pressed-early")
    await sign_out(page)
    await page.locator("#login[open]").wait_for()
