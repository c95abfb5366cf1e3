from __future__ import annotations

import ipaddress
import socket

import pytest

from ioc.delivery.destination import AllowedNetwork, DestinationPolicy, guarded_socket
from ioc.errors import DestinationRefusedError

POLICY = DestinationPolicy()

REFUSED_URLS = [
    "http://example.org/hook", "ftp://example.org/", "https:///hook", "https://user@example.org/", "https://u:p@example.org/",
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/",
    "https://017700000001/", "https://0177.0.0.1/", "https://0/", "https://0.0.0.0/", "https://10.0.0.8/",
    "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/",
    "https://168.63.129.16/", "https://192.88.99.1/", "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/", "https://[fd00:ec2::254]/", "https://[3fff::1]/", "https://[5f00::1]/", "https://[ff02::1]/",
    "https://[2001:db8::1]/", "https://localhost/", "https://a.localhost/", "https://printer.local/",
    "https://metadata.google.internal/", "https://example.org./", "https://exa mple.org/",
    "https://example.org/\r\nHost: x",
    "https://１２７.0.0.1/", "https://ⓔxample.org/", "https://example.org\\@127.0.0.1/", "https://example.org:99999/",
    "https://example.org/#x", "https://-bad-.org/", "javascript:alert(1)", "//example.org/", "",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_an_address_that_could_turn_inward_is_refused_when_saved(url: str) -> None:
    with pytest.raises(DestinationRefusedError):
        POLICY.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/hook?x=1", "https://example.org:8443/a", "https://8.8.8.8/", "https://[2606:4700::1111]/"],
)
def test_a_public_https_address_is_accepted(url: str) -> None:
    assert POLICY.check_url(url).hostname


def test_plain_http_needs_the_policy_to_say_so() -> None:
    assert DestinationPolicy(allow_http=True).check_url("http://example.org/")


def test_a_private_network_is_reached_only_on_its_allowed_port() -> None:
    policy = DestinationPolicy(allowed_networks=[AllowedNetwork(network=ipaddress.ip_network("10.1.0.0/16"), port=443)])
    policy.check_address("10.1.2.3", 443)
    for address, port in (("10.1.2.3", 22), ("10.2.0.1", 443)):
        with pytest.raises(DestinationRefusedError):
            policy.check_address(address, port)


def test_loopback_and_metadata_stay_refused_whatever_is_allowed() -> None:
    everything = [AllowedNetwork(network=ipaddress.ip_network(net), port=443) for net in ("0.0.0.0/0", "::/0")]
    policy = DestinationPolicy(allowed_networks=everything)
    for address in ("127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254", "0.0.0.0"):
        with pytest.raises(DestinationRefusedError):
            policy.check_address(address, 443)


def test_a_name_that_resolves_inward_is_refused_at_the_connection() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))
    with pytest.raises(DestinationRefusedError):
        guarded_socket(POLICY, info)
