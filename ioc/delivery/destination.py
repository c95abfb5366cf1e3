"""Where webhooks may go. Checked when an address is saved and again at each connection, against the address dialled.

Server-side request forgery is refused by address, not by name: a name may answer differently the second time.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ioc.errors import DestinationRefusedError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_FORM = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", re.IGNORECASE)

# `ipaddress.is_global` lets these through: tunnels and translations that can end at an inner address, documentation,
# segment-routing ids, 6to4 relays, and the metadata address of a large cloud.
_REFUSED_NETWORKS: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.88.99.0/24", "168.63.129.16/32", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48",
        "2002::/16", "2001::/23", "3fff::/20", "5f00::/16", "fec0::/10", "100::/64",
    )
)  # fmt: skip
_METADATA = (ipaddress.ip_address("169.254.169.254"), ipaddress.ip_address("fd00:ec2::254"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedNetwork:
    """A private network that an administrator lets webhooks reach, on one port."""

    network: IpNetwork
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPolicy:
    """What addresses are acceptable beside public https ones.

    ``allow_http`` lets plain http through (inside a closed network). Loopback, link-local and metadata addresses stay
    refused whatever is allowed; ``allow_loopback`` exists for a receiver on the same machine in tests and demos.
    """

    allow_http: bool = False
    allowed_networks: Sequence[AllowedNetwork] = ()
    allow_loopback: bool = False

    def check_url(self, url: str) -> SplitResult:
        """Check an address as it is saved.

        Raises:
            DestinationRefusedError: with the reason; nothing was resolved or called.
        """
        if any(character.isspace() or ord(character) < 0x21 or ord(character) > 0x7E for character in url):
            raise DestinationRefusedError("the address may hold printable ASCII only (write other names in punycode)")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise DestinationRefusedError(f"the address cannot be read: {error}") from error
        if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not self.allow_http):
            raise DestinationRefusedError("https is required" if not self.allow_http else "http or https is required")
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise DestinationRefusedError("the address may not carry a user name or password")
        if "\\" in url:
            raise DestinationRefusedError("the address may not contain a backslash")
        if parts.fragment:
            raise DestinationRefusedError("the address may not have a fragment")
        if port == 0:
            raise DestinationRefusedError("nobody listens on port 0")
        self._check_host(parts.hostname or "", port or (443 if parts.scheme == "https" else 80))
        return parts

    def check_address(self, address: str, port: int) -> None:
        """Check an address that is about to be dialled.

        Raises:
            DestinationRefusedError: the address is not one that we may call.
        """
        try:
            ip = ipaddress.ip_address(address)
        except ValueError as error:
            raise DestinationRefusedError(f"{address!r} is not an address") from error
        if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
            raise DestinationRefusedError("scoped addresses stay on one link")
        if ip.is_loopback and self.allow_loopback:
            return
        if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip in _METADATA:
            raise DestinationRefusedError(f"{ip} is this machine or its link")
        if any(ip in allowed.network and port == allowed.port for allowed in self.allowed_networks):
            return
        if not ip.is_global or ip.is_multicast or any(ip in network for network in _REFUSED_NETWORKS):
            raise DestinationRefusedError(f"{ip} is not a public address")

    def _check_host(self, host: str, port: int) -> None:
        if not host:
            raise DestinationRefusedError("the address has no host")
        if ":" in host:
            self.check_address(host, port)
            return
        if host.endswith("."):
            raise DestinationRefusedError("the host may not end with a dot")
        if _NUMERIC_HOST.fullmatch(host):
            # "127.1", "0x7f000001" and "017700000001" are addresses to a resolver: only the canonical form is read.
            self.check_address(host, port)
            return
        if len(host) > 253 or not _HOST_FORM.fullmatch(host):
            raise DestinationRefusedError("the host is not a valid name")
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            if host == "localhost" and self.allow_loopback:
                return
            raise DestinationRefusedError(f"{host!r} is a name of this machine or its network")


def guarded_socket(
    policy: DestinationPolicy, address_info: tuple[int, int, int, str, tuple[object, ...]]
) -> socket.socket:
    """Make the socket for one connection attempt, after checking the very address that it will dial.

    Raises:
        DestinationRefusedError: the resolver gave an address that policy refuses.
    """
    family, kind, protocol, _, target = address_info
    policy.check_address(str(target[0]), int(str(target[1])))
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made
