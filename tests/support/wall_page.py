"""The wall's page in a real browser, for tests against the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.support.servers import REPOSITORY
from tests.support.wall_live import PASSWORD

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
_OPTIONS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_ALL_THERE = "() => window.__wall?.connection().state === 'live' && window.__wall.counts()['kpi:province'] === 21"


@asynccontextmanager
async def open_page(chromium_path: Path) -> AsyncIterator[Page]:
    """A page of a wall's size; an error in its scripts fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=_OPTIONS)
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await browser.close()
        assert errors == []


async def sign_in(page: Page, port: int, name: str = "truc") -> None:
    """Sign in and wait until everything has come."""
    await page.goto(f"http://127.0.0.1:{port}/wall/")
    await page.locator("[name=username]").fill(name)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.locator("#login-form button").click()
    await page.wait_for_function(_ALL_THERE, timeout=30_000)


async def sign_out(page: Page) -> None:
    """Sign out and wait for the page that comes then.

    Whether it is another page, only a mark on the one before can tell: changes of the address count as navigation too.
    """
    await page.evaluate("window.__before = true")
    await page.locator("#sign-out").click()
    await page.wait_for_function("() => window.__before === undefined && document.readyState === 'complete'")


async def keep_screenshot(page: Page, name: str) -> None:
    """Keep what is seen, for people."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")
