"""Where webhooks end up on the network: inner addresses never, whatever a name resolves to, and only trusted TLS."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import pytest

from ioc.delivery.client import WebhookClient
from ioc.delivery.destination import AllowedNetwork, DestinationPolicy
from ioc.delivery.policy import Outcome
from tests.support import receivers
from tests.support.certificates import Authority
from tests.support.receivers import Receiver, status

HOST = "pccc.example.org"
HTTP = DestinationPolicy(allow_http=True)
LOOPBACK = DestinationPolicy(allow_http=True, allow_loopback=True)
HEADERS = {"webhook-id": "msg_1"}


@pytest.fixture
def resolving(monkeypatch) -> Callable[..., list[str]]:
    """Decide what names resolve to: each look-up takes the next list of addresses, the last one stays."""
    asked: list[str] = []

    def decide(*answers: list[str]) -> list[str]:
        left = list(answers)

        def look_up(host, port, *args, **kwargs):
            if _is_address(host):
                return real(host, port, *args, **kwargs)
            asked.append(host)
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [info for address in addresses for info in real(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    real = socket.getaddrinfo
    return decide


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return True


async def _post(url: str, *, policy: DestinationPolicy, **options) -> tuple[Outcome, str]:
    async with WebhookClient(policy=policy, deadline_s=2.0, **options) as client:
        answer = await client.post(url, b"{}", HEADERS)
    return answer.outcome, answer.detail


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "10.0.0.1", "172.16.0.1",
     "192.168.0.1", "100.64.0.1", "169.254.169.254", "168.63.129.16", "fd00:ec2::254", "fc00::1", "fe80::1",
     "fec0::1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "255.255.255.255", "192.88.99.1"],
)  # fmt: skip
async def test_a_harmless_name_that_resolves_inward_is_refused_at_the_connection(resolving, address):
    asked = resolving([address])
    async with Receiver() as sink:
        outcome, detail = await _post(f"http://{HOST}:{sink.port}/hook", policy=HTTP)
        assert sink.connections == 0
    assert asked == [HOST], "the name was looked up once, and what it gave was judged"
    assert outcome is Outcome.REFUSED_DESTINATION, detail


async def test_a_name_that_changes_its_address_between_two_attempts_gets_nothing_at_the_second(resolving):
    """The policy allows one private network; the name moves from there to the loopback address."""
    async with Receiver() as sink:
        url = f"http://{HOST}:{sink.port}/hook"
        allowed = AllowedNetwork(network=ipaddress.ip_network("10.255.255.0/24"), port=sink.port)
        policy = DestinationPolicy(allow_http=True, allowed_networks=[allowed])
        asked = resolving(["10.255.255.1"], ["127.0.0.1"])
        async with WebhookClient(policy=policy, deadline_s=0.3) as client:
            first = await client.post(url, b"{}", HEADERS)
            second = await client.post(url, b"{}", HEADERS)
        assert sink.connections == 0
    assert first.outcome in (Outcome.TIMED_OUT, Outcome.UNREACHABLE), "allowed, and nobody is there"
    assert second.outcome is Outcome.REFUSED_DESTINATION
    assert asked == [HOST, HOST], "a look-up is never remembered"


async def test_one_good_address_beside_a_bad_one_does_not_let_the_bad_one_in(resolving):
    resolving(["127.0.0.1", "10.255.255.1", "::1"])
    async with Receiver() as sink:
        allowed = AllowedNetwork(network=ipaddress.ip_network("10.255.255.0/24"), port=sink.port)
        policy = DestinationPolicy(allow_http=True, allowed_networks=[allowed])
        outcome, _ = await _post(f"http://{HOST}:{sink.port}/hook", policy=policy)
        assert sink.connections == 0
    assert outcome is not Outcome.DELIVERED


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1:{}/", "http://127.1:{}/", "http://2130706433:{}/", "http://[::1]:{}/"]
)
async def test_an_address_that_policy_refuses_is_refused_though_it_was_saved(path):
    async with Receiver() as sink:
        outcome, _ = await _post(path.format(sink.port), policy=HTTP)
        assert sink.connections == 0
    assert outcome is Outcome.REFUSED_DESTINATION


async def test_a_redirect_inward_is_not_followed():
    async with Receiver() as sink:
        there = f"Location: http://127.0.0.1:{sink.port}/"
        async with Receiver(then=status(307, headers=[there])) as receiver:
            outcome, _ = await _post(receiver.url, policy=LOOPBACK)
        assert sink.connections == 0
    assert outcome is Outcome.REDIRECTED


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch):
    async with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        outcome, _ = await _post(receiver.url, policy=LOOPBACK)
        assert (proxy.connections, receiver.connections) == (0, 1)
    assert outcome is Outcome.DELIVERED


async def test_a_cookie_that_a_receiver_sets_is_never_sent_back():
    async with Receiver(then=status(200, headers=["Set-Cookie: track=1; Path=/"])) as receiver:
        async with WebhookClient(policy=LOOPBACK) as client:
            for _ in range(2):
                await client.post(receiver.url, b"{}", HEADERS)
        assert len(receiver.received) == 2
        assert all("cookie" not in item.headers for item in receiver.received)


async def test_what_a_receiver_says_is_kept_short_and_printable():
    evil = b"\x1b[31mred\x00\r\nlevel=error msg=forged " + "nhảy dòng\u202e".encode() + b"x" * 50_000
    async with Receiver(then=status(500, body=evil)) as receiver:
        outcome, detail = await _post(receiver.url, policy=LOOPBACK)
    assert outcome is Outcome.SERVER_ERROR
    assert len(detail) <= 200
    assert detail.isprintable()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


async def _post_tls(server, authority, resolving, **options) -> Outcome:
    resolving(["127.0.0.1"])
    async with Receiver(tls=server) as receiver:
        outcome, _ = await _post(
            f"https://{HOST}:{receiver.port}/hook", policy=LOOPBACK, **{"ssl_context": authority.trusting(), **options}
        )
        assert len(receiver.received) == (1 if outcome is Outcome.DELIVERED else 0)
    return outcome


async def test_a_receiver_with_a_trusted_certificate_gets_its_webhook(authority, resolving):
    assert await _post_tls(authority.server(HOST), authority, resolving) is Outcome.DELIVERED


async def test_a_certificate_that_has_ended_gets_nothing(authority, resolving):
    assert await _post_tls(authority.server(HOST, days=-1), authority, resolving) is Outcome.TLS_FAILED


async def test_a_certificate_for_another_name_gets_nothing(authority, resolving):
    assert await _post_tls(authority.server("other.example.org"), authority, resolving) is Outcome.TLS_FAILED


async def test_a_certificate_of_an_authority_that_nobody_trusts_gets_nothing(authority, resolving):
    assert await _post_tls(authority.server(HOST), authority, resolving, ssl_context=None) is Outcome.TLS_FAILED


async def test_a_receiver_that_speaks_no_tls_at_an_https_address_gets_nothing(authority, resolving):
    resolving(["127.0.0.1"])
    async with Receiver(then=receivers.talk_nonsense) as receiver:
        outcome, _ = await _post(f"https://{HOST}:{receiver.port}/", policy=LOOPBACK, ssl_context=authority.trusting())
        assert receiver.received == []
    assert outcome in (Outcome.TLS_FAILED, Outcome.TIMED_OUT)
