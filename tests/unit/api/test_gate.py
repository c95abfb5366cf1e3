from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.api.gate import MOST_BODY_BYTES, BehindProxy, Gate


async def echo(scope, receive, send):
    """Answers with what reached it."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    seen = {"size": len(body), "client": scope["client"][0], "scheme": scope["scheme"]}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


def caller(app):
    transport = httpx.ASGITransport(app=app, client=("10.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://ioc.test")


@pytest.fixture
async def client():
    async with caller(Gate(echo)) as client:
        yield client


async def chunks(size, count):
    for _ in range(count):
        yield b" " * size


async def test_a_body_of_the_largest_size_passes_whole(client):
    answer = await client.post("/", content=b" " * MOST_BODY_BYTES)
    assert (answer.status_code, answer.json()["size"]) == (200, MOST_BODY_BYTES)


async def test_a_body_that_says_it_is_too_large_is_refused(client):
    answer = await client.post("/", content=b" " * (MOST_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_does_not_say_its_size_is_refused_where_it_becomes_too_large(client):
    answer = await client.post("/", content=chunks(64 * 1024, 5))
    assert answer.status_code == 413


async def test_ingest_bodies_are_left_to_their_route(client):
    answer = await client.post("/api/v1/ingest/air", content=chunks(64 * 1024, 5))
    assert (answer.status_code, answer.json()["size"]) == (200, 5 * 64 * 1024)


@pytest.mark.parametrize("url", ["/api/v1/history/a%00b/c", "/api/v1/latest?unit=%00", "/?a=1&b=x%00y"])
async def test_a_nul_in_the_address_is_refused(client, url):
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (400, "nul")


@given(text=st.text(max_size=20))
async def test_a_json_body_is_refused_exactly_when_a_text_in_it_holds_a_nul(text):
    async with caller(Gate(echo)) as client:
        for is_ascii in (True, False):
            answer = await client.post(
                "/", content=json.dumps({"t": text}, ensure_ascii=is_ascii).encode("utf-8", "replace")
            )
            assert answer.status_code == (400 if "\0" in text else 200)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\0", "a\\\0"])
async def test_a_backslash_before_the_letters_u0000_is_no_nul(client, text):
    answer = await client.post("/", content=json.dumps({"t": text}))
    assert answer.status_code == (400 if "\0" in text else 200)


async def test_behind_a_proxy_the_address_is_what_the_proxy_saw_not_what_the_caller_said():
    async with caller(BehindProxy(echo)) as client:
        headers = {"X-Forwarded-For": "127.0.0.1, 198.51.100.7", "X-Forwarded-Proto": "https"}
        seen = (await client.get("/", headers=headers)).json()
        assert (seen["client"], seen["scheme"]) == ("198.51.100.7", "https")
        seen = (await client.get("/")).json()
        assert (seen["client"], seen["scheme"]) == ("10.0.0.1", "http")
