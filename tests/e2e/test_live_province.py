"""The whole path with every real part: `ioc demo` → browser and webhook. What the README promises, seen."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.servers import REPOSITORY, reachable_folder

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(240)]

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
BROWSER_OPTIONS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip
SCENARIO = """
title: {vi: "Thử", en: "Trial"}
effects:
  - {effect: border.queue, at: 0, lasts: 600, gate: km3-4, vehicles: 20, perishable_min: 300}
  - {effect: air.silent, at: 1, lasts: 600, station: air.hong-gai}
"""
SILENT = "air.hong-gai"


class Province:
    """A demo in a process of its own, and a receiver for its webhooks."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        (folder / "trial.yaml").write_text(SCENARIO, encoding="utf-8")
        feeds = folder / "feeds"
        feeds.mkdir()
        # A station speaks every ten seconds in this world, so after 24 s its reading is stale.
        (feeds / "air.yaml").write_text("expected_period: 8\n", encoding="utf-8")
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.receiver = _receive_into(self.received)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IOC_")} | {
            "IOC_DATA_DIR": str(self.folder / "data"), "IOC_HTTP__PORT": str(self.port), "IOC_LOG_FORM": "json",
            "IOC_FEEDS__CONFIG_DIR": str(self.folder / "feeds"), "IOC_DELIVERY__ALLOW_HTTP": "true",
            "IOC_DELIVERY__ALLOW_LOOPBACK": "true",
        }  # fmt: skip
        with (self.folder / "demo.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ioc", "demo", str(self.folder / "trial.yaml"), "--speed", "6"],
                cwd=REPOSITORY, env=environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._wait(lambda: self._get("/health/ready") is not None and (self.folder / "data/demo-people.json").exists())

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(45)

    def password(self, name: str) -> str:
        return str(json.loads((self.folder / "data/demo-people.json").read_text(encoding="utf-8"))[name])

    def sign_in(self, name: str) -> Caller:
        return Caller(self.url, name, self.password(name))

    def _get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=3) as answer:
                return bytes(answer.read())
        except OSError:
            return None

    def _wait(self, is_done: Any, deadline_s: float = 90.0) -> None:
        ends_at = time.monotonic() + deadline_s
        while not is_done():
            said = (self.folder / "demo.log").read_text("utf-8", "replace")
            assert self._process.poll() is None, f"the demo ended:\n{said[-4000:]}"
            assert time.monotonic() < ends_at, f"not within {deadline_s:g} s:\n{said[-4000:]}"
            time.sleep(0.1)


class Caller:
    """Somebody who is signed in, without a browser."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._csrf = ""
        self._csrf = self.call("POST", "/api/v1/auth/login", {"username": name, "password": password})["csrf"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("X-CSRF-Token", self._csrf)
        with self._opener.open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def province() -> Iterator[Province]:
    with reachable_folder() as folder:
        made = Province(folder)
        made.start()
        yield made
        made.stop()
        made.receiver.shutdown()
        made.receiver.server_close()


@pytest.fixture
def page(province: Province, chromium_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=BROWSER_OPTIONS)
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        page = context.new_page()
        page.asked = []  # type: ignore[attr-defined]
        page.faults = []  # type: ignore[attr-defined]
        context.on("request", lambda request: page.asked.append(request.url))  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
        yield page
        browser.close()


def _until(page: Page, condition: str, *, deadline_s: float = 60.0, argument: object = None) -> None:
    ends_at = time.monotonic() + deadline_s
    while not page.evaluate(condition, argument):
        if time.monotonic() > ends_at:
            _keep(page, "live-failed")
            pytest.fail(f"not within {deadline_s:g} s: {condition}")
        page.wait_for_timeout(100)


def _keep(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_an_operator_sees_the_province_live_and_acknowledges(province: Province, page: Page) -> None:
    page.goto(f"{province.url}/wall/")
    page.fill("#login-form [name=username]", "operator")
    page.fill("#login-form [name=password]", province.password("operator"))
    page.keyboard.press("Enter")
    _until(page, "() => Boolean(window.__wall && __wall.counts()['map:vessels'] > 20)")

    # A vessel moves.
    moving = page.evaluate(
        "() => Object.keys(__wall.positions('map:vessels')).find((id) => __wall.row('map:vessels', id).sog_kn > 3)"
    )
    before = page.evaluate("(id) => __wall.positions('map:vessels')[id]", moving)
    _until(page, "([id, at]) => String(__wall.positions('map:vessels')[id]) !== String(at)", argument=[moving, before])

    # An alert comes, and is acknowledged.
    _until(page, "() => __wall.counts().alerts > 0")
    row = page.locator(".alert", has_text="hàng tươi").first
    row.wait_for()
    _keep(page, "live-alert")
    row.locator(".alert-ack").click()
    page.locator(".alert[data-operator='acknowledged']", has_text="hàng tươi").first.wait_for()

    # A reading goes stale: its station has fallen silent.
    _until(page, "(id) => __wall.row('map:sensors', id)?.q === 2", argument=SILENT, deadline_s=90)
    _keep(page, "live-stale")

    strangers = [url for url in page.asked if not url.startswith((province.url, "data:", "blob:"))]  # type: ignore[attr-defined]
    assert strangers == []
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_department_gets_the_alert_signed(province: Province) -> None:
    admin = province.sign_in("admin")
    port = province.receiver.server_address[1]
    made = admin.call(
        "POST", "/api/v1/subscriptions", {"url": f"http://127.0.0.1:{port}/hook", "department": "so-cong-thuong"}
    )
    admin.call("POST", f"/api/v1/subscriptions/{made['subscription_id']}/test")
    _comment_on_one(province.sign_in("operator"))
    ends_at = time.monotonic() + 30
    while not any(b"alert.commented" in body for _, body in province.received):
        assert time.monotonic() < ends_at, f"came: {[body[:80] for _, body in province.received]}"
        time.sleep(0.1)
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    for headers, body in province.received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        assert wanted in headers["webhook-signature"].split()
    # Alerts go on meanwhile: what was told just now may be under way.
    deliveries = f"/api/v1/subscriptions/{made['subscription_id']}/deliveries"
    while (states := {item["state"] for item in admin.call("GET", deliveries)["items"]}) != {"delivered"}:
        assert states <= {"delivered", "pending"}
        assert time.monotonic() < ends_at, "something is still to be delivered"
        time.sleep(0.1)


def _comment_on_one(operator: Caller) -> None:
    """Comment on an alert; of one that has moved on meanwhile, on what it is now."""
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        # Of an alert in shadow nobody is told.
        for alert in [item for item in operator.call("GET", "/api/v1/alerts")["items"] if not item["shadow"]][:1]:
            asked = {"expected_revision": alert["rev"], "comment": "đã gọi"}
            try:
                operator.call("POST", f"/api/v1/alerts/{alert['id']}/comment", asked)
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise
            else:
                return
        time.sleep(0.2)
    raise AssertionError("no alert came that could be commented on")


def test_the_next_start_goes_on_with_the_same_data(province: Province) -> None:
    operator = province.sign_in("operator")
    before = {item["id"] for item in operator.call("GET", "/api/v1/alerts?state=all&limit=1000")["items"]}
    assert before
    assert province.stop() == 0
    province.start()
    again = province.sign_in("operator")
    after = {item["id"] for item in again.call("GET", "/api/v1/alerts?state=all&limit=1000")["items"]}
    assert before <= after


def _receive_into(received: list[tuple[dict[str, str], bytes]]) -> HTTPServer:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
