"""The edge as a whole: one shape of errors, catalogue, health, pages, and hostile requests to every route."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from connectors.registry import DEFINITIONS
from geo.catalogue import read_layer
from ioc.api.app import create_app
from ioc.api.services import Services
from ioc.domain.kinds import KINDS
from ioc.errors import StoreUnavailableError
from ioc.storage.feed_status import FeedStatusStore
from tests.support.edge import SetClock

PROBLEM = {"type", "title", "status", "detail", "code"}


@pytest.fixture
async def admin(edge):
    await edge.add_person("quantri", "admin")
    async with edge.signed_in("quantri") as client:
        yield client


def caller(services, *, lets_errors_out=True):
    transport = httpx.ASGITransport(app=create_app(services), raise_app_exceptions=lets_errors_out)
    return httpx.AsyncClient(transport=transport, base_url="http://ioc.test")


ERRORS = [
    ("GET", "/nothing", 404, "not_found"),
    ("GET", "/api/v1/nothing", 404, "not_found"),
    ("PUT", "/api/v1/kinds", 405, "method_not_allowed"),
    ("GET", "/api/v1/auth/login", 405, "method_not_allowed"),
    ("GET", "/api/v1/alerts/not-a-uuid", 422, "invalid"),
    ("GET", "/api/v1/alerts/00000000000000000000000000000000", 404, "not_found"),
    ("GET", "/api/v1/alerts?limit=-1", 422, "invalid"),
    ("GET", "/api/v1/alerts?cursor=nonsense", 422, "bad_cursor"),
    ("GET", "/api/v1/latest?kind=nothing", 404, "not_found"),
    ("GET", "/api/v1/geo/secrets.geojson", 404, "not_found"),
    ("GET", "/api/v1/geo/..%2Fkeys.geojson", 404, "not_found"),
    ("GET", "/wall/../keys.json", 404, "not_found"),
    ("GET", "/wall/%2e%2e/%2e%2e/pyproject.toml", 404, "not_found"),
    ("GET", "/api/v1/history/met.obs/met.x?quantity=nothing", 404, "not_found"),
    ("GET", "/api/v1/history/met.obs/met.x?quantity=temp_c&from=0001-01-01T00:00:00%2B14:00", 422, "bad_instant"),
]
BODIES = [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 100_000, b'{"a":' * 20_000,
        b'{"username": "\\ud800", "password": "x"}', b'{"\\ud800": 1}', b'{"username": 1, "password": {}}',
        b'{"username": "a", "password": "b", "c": 1}', b'{"username": "\\u0000", "password": "b"}', b"1e400",
        b"9" * 5_000, b'{"username": NaN}', json.dumps({f"field-{number}": 1 for number in range(5_000)}).encode(),
]  # fmt: skip
CONTENT_TYPES = ("application/json", "text/plain", "", "application/json; charset=utf-16")


async def test_every_error_is_a_problem(admin):
    for method, path, status, code in ERRORS:
        answer = await admin.request(method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        shown = answer.json()
        assert (answer.status_code, shown["status"], shown["code"]) == (status, status, code), shown
        assert shown.keys() - {"faults"} == PROBLEM


async def test_a_malformed_body_is_refused_and_repeats_nothing_back_at_length(edge):
    async with edge.client() as client:
        for body in BODIES:
            for content_type in CONTENT_TYPES:
                answer = await client.post("/api/v1/auth/login", content=body, headers={"Content-Type": content_type})
                assert answer.status_code in {400, 422}
                assert answer.json().keys() - {"faults"} == PROBLEM
                assert len(answer.content) < 10_000


async def test_what_we_did_not_foresee_is_a_problem_without_its_story():
    async def broken():
        raise ZeroDivisionError("a secret of the inside")

    async with caller(Services(clock=SetClock(), checks={"broken": broken}), lets_errors_out=False) as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (500, "unforeseen")
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text


async def test_ready_names_every_check_with_its_reason():
    async def sound():
        return "answers"

    async def away():
        raise StoreUnavailableError("connection refused")

    async with caller(Services(clock=SetClock(), checks={"log": sound})) as client:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]) == (200, {"log": {"ok": True, "detail": "answers"}})
    async with caller(Services(clock=SetClock(), checks={"log": sound, "store": away})) as client:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        assert answer.json()["checks"]["store"] == {
            "ok": False, "detail": "store is not available: connection refused",
        }  # fmt: skip
        assert (await client.get("/health/live")).status_code == 200


async def test_a_role_that_does_not_run_here_has_no_routes_here():
    async with caller(Services(clock=SetClock())) as client:
        for path in ("/", "/wall/", "/api/v1/kinds", "/api/v1/auth/me"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/api/v1/ingest/air", json=[])).status_code == 404
        assert "ioc_" in (await client.get("/metrics")).text


async def test_every_answer_keeps_the_browser_on_this_server(admin):
    for path in ("/", "/wall/", "/wall/js/wall.js", "/api/v1/kinds", "/nothing", "/health/live"):
        headers = (await admin.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self';"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-store" if path.startswith("/api/") else "no-cache")


async def test_the_pages_are_asked_for_anew_and_sent_only_when_they_changed(admin):
    first = await admin.get("/wall/js/wall.js")
    assert first.headers["content-type"].startswith("text/javascript")
    again = await admin.get("/wall/js/wall.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_no_page_of_ours_loads_anything_from_elsewhere(admin):
    assert (await admin.get("/docs")).status_code == 404
    assert (await admin.get("/openapi.json")).json()["info"]["title"] == "IOC Quảng Ninh"


async def test_map_layers_come_whole_packed_or_not_and_only_when_they_changed(admin):
    for layer in ("land", "units", "zones", "places"):
        await check_layer(admin, layer)


async def check_layer(admin, layer):
    path = f"/api/v1/geo/{layer}.geojson"
    plain = await admin.get(path, headers={"Accept-Encoding": "identity"})
    packed = await admin.get(path, headers={"Accept-Encoding": "gzip"})
    assert plain.headers["content-type"] == "application/geo+json"
    assert plain.content == packed.content == read_layer(layer)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert (await admin.get(path, headers={"If-None-Match": plain.headers["etag"]})).status_code == 304
    assert (await admin.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_boundaries_that_are_imported_while_we_run_are_shown(edge, admin):
    before = await admin.get("/api/v1/geo/units.geojson")
    edge.base.geo_directory.mkdir()
    imported = read_layer("units").replace(b"true", b"false")
    (edge.base.geo_directory / "units.geojson").write_bytes(imported)
    after = await admin.get("/api/v1/geo/units.geojson", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.content) == (200, imported)
    assert len(gzip.compress(imported)) < len(imported)


async def test_the_catalogue_names_what_there_is_in_both_languages(admin):
    kinds = (await admin.get("/api/v1/kinds")).json()["items"]
    assert [kind["kind"] for kind in kinds] == list(KINDS)
    fields = {field["name"]: field for kind in kinds for field in kind["fields"]}
    assert (fields["pm25_ug_m3"]["unit"], bool(fields["pm25_ug_m3"]["name_vi"])) == ("µg/m³", True)
    rules = (await admin.get("/api/v1/rules")).json()["items"]
    assert rules
    assert all(rule["title_vi"] and rule["title_en"] and rule["severities"] for rule in rules)


async def test_a_feed_that_nobody_reports_any_more_is_not_live(edge, admin):
    statuses = FeedStatusStore(edge.base.database, edge.clock)
    at = round(edge.clock.now().timestamp() * 1000)
    status = {"feed_id": "air", "state": "live", "last_at": at, "received_at": at, "rate_per_min": 60.0,
              "expected_period_s": 300, "assets": 9, "dead_letters": 0}  # fmt: skip
    await statuses.report([status, {**status, "feed_id": "units", "state": "never", "received_at": None}])

    async def states():
        return {feed["feed_id"]: feed["state"] for feed in (await admin.get("/api/v1/feeds")).json()["items"]}

    assert await states() == {"air": "live", "units": "never"}
    edge.clock.step(seconds=16)
    assert await states() == {"air": "late", "units": "never"}
    edge.clock.step(seconds=45)
    assert await states() == {"air": "lost", "units": "never"}


async def test_an_administrator_hands_out_a_key_and_takes_it_back(edge, admin):
    made = (await admin.post("/api/v1/keys", json={"name": "Trạm Bãi Cháy", "feed_ids": ["weather"]})).json()
    assert (await edge.ingest.keys.find(made["key"])).feed_ids == {"weather"}
    (shown,) = (await admin.get("/api/v1/keys")).json()["items"]
    assert (shown["key_id"], shown["feed_ids"]) == (made["key_id"], ["weather"])
    assert made["key"] not in json.dumps(shown)
    assert (await admin.delete(f"/api/v1/keys/{made['key_id']}")).status_code == 204
    assert (await admin.delete(f"/api/v1/keys/{made['key_id']}")).status_code == 404
    assert (await admin.post("/api/v1/keys", json={"name": "x", "feed_ids": ["nothing"]})).status_code == 404
    entries = (await admin.get("/api/v1/audit")).json()["items"]
    assert [(entry["action"], entry["object"]) for entry in entries[:2]] == [
        ("key.revoke", made["key_id"]), ("key.add", made["key_id"]),
    ]  # fmt: skip
    assert set(DEFINITIONS) >= {"weather"}


async def test_an_administrator_closes_accounts_but_not_their_own(edge, admin):
    await edge.add_person("truc", "operator")
    async with edge.signed_in("truc") as truc:
        assert (await admin.post("/api/v1/accounts/truc/disable")).status_code == 204
        assert (await truc.get("/api/v1/auth/me")).status_code == 401
    assert (await admin.post("/api/v1/accounts/quantri/disable")).json()["code"] == "own_account"
    shown = {account["name"]: account["disabled"] for account in (await admin.get("/api/v1/accounts")).json()["items"]}
    assert shown == {"quantri": False, "truc": True}


async def test_one_department_does_not_learn_of_anothers_subscriptions(edge):
    await edge.add_person("yte", "department", department="y-te")
    await edge.add_person("giaothong", "department", department="giao-thong")
    async with edge.signed_in("yte") as health, edge.signed_in("giaothong") as traffic:
        made = await health.post("/api/v1/subscriptions", json={"url": "https://hooks.example.org/in"})
        assert made.status_code == 201, made.text
        path = f"/api/v1/subscriptions/{made.json()['subscription_id']}"
        assert (await traffic.get("/api/v1/subscriptions")).json()["items"] == []
        for method, below in (("GET", ""), ("GET", "/deliveries"), ("POST", "/rotate-secret"), ("DELETE", "")):
            answer = await traffic.request(method, path + below)
            assert answer.status_code == 404
            assert "hooks.example.org" not in answer.text
        assert (await health.get(path)).status_code == 200


def send(client, loop, case):
    """Send a generated request from the thread that hypothesis runs in."""
    made = case.as_transport_kwargs(base_url="http://ioc.test")
    made = {name: made.get(name) for name in ("method", "url", "params", "json", "headers")}
    made["headers"] = {"X-CSRF-Token": client.headers["X-CSRF-Token"], "Content-Type": "application/json"}
    if made["json"] is None:
        del made["json"]
    return asyncio.run_coroutine_threadsafe(client.request(**made), loop).result(20)


def attack(client, loop, operation):
    """Ask one route with generated parameters and bodies, good and bad; give the statuses that came."""
    statuses = set()
    strategies = (operation.as_strategy(), operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))

    @settings(
        max_examples=30, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(case=st.one_of(*strategies))
    def ask(case):
        try:
            answer = send(client, loop, case)
        except httpx.InvalidURL:
            reject()  # longer than this client sends; test_serving asks how long a line may be
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (case.method, str(answer.request.url), answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"

    ask()
    return statuses


async def test_no_request_that_the_description_allows_or_forbids_breaks_the_edge(edge, admin):
    schema = schemathesis.openapi.from_dict((await admin.get("/openapi.json")).json())
    loop = asyncio.get_running_loop()
    statuses = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path not in {"/api/v1/auth/logout", "/metrics"}:
            asked = asyncio.to_thread(attack, admin, loop, operation)
            statuses[f"{operation.method} {operation.path}"] = await asked
    assert len(statuses) > 25
    assert sum(200 in found or 202 in found or 201 in found for found in statuses.values()) > 10, statuses
