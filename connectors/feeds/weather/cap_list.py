"""Lists of warnings, Atom (RFC 4287) or RSS 2.0: which messages they link to, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element

from yarl import URL

from connectors.markup import read_xml
from ioc.errors import MalformedPayloadError

_ATOM = "{http://www.w3.org/2005/Atom}"
_CAP_TYPES = frozenset({"application/cap+xml", "application/common-alerting-protocol+xml"})
_XML_TYPES = frozenset({"application/xml", "text/xml"})
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_KEY = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One entry of a list: where its message is, and a ``key`` that changes when the entry does."""

    url: URL
    key: str
    updated_at: datetime


def read_list(body: bytes, base: URL) -> list[Link]:
    """Give the links of a list, the oldest first, so that what ends a warning is read after it.

    Raises:
        MalformedPayloadError: it is no XML that we read, or neither Atom nor RSS.
    """
    root = read_xml(body)
    if root.tag == f"{_ATOM}feed":
        found = list(_read_atom(root, base))
    elif root.tag == "rss":
        found = list(_read_rss(root, base))
    else:
        raise MalformedPayloadError("neither an Atom feed nor RSS 2.0")
    # Lists begin with the newest; where entries have no time, or the same, their order tells.
    found.reverse()
    return sorted({link.key: link for link in found}.values(), key=lambda link: link.updated_at)


def _read_atom(root: Element, base: URL) -> Iterator[Link]:
    for entry in root.findall(f"{_ATOM}entry"):
        updated = _text(entry, f"{_ATOM}updated") or _text(entry, f"{_ATOM}published")
        offers = [
            (item.get("type", ""), item.get("href", ""))
            for item in entry.findall(f"{_ATOM}link")
            if item.get("rel", "alternate") in ("alternate", "enclosure", "related", "item")
        ]
        yield from _to_links(offers, _text(entry, f"{_ATOM}id"), updated, _to_instant(updated), base)


def _read_rss(root: Element, base: URL) -> Iterator[Link]:
    for item in root.findall("channel/item"):
        published = _text(item, "pubDate")
        offers = [(found.get("type", ""), found.get("url", "")) for found in item.findall("enclosure")]
        offers.append(("", _text(item, "link")))
        yield from _to_links(offers, _text(item, "guid"), published, _to_http_date(published), base)


def _to_links(
    offers: list[tuple[str, str]], identifier: str, updated: str, updated_at: datetime, base: URL
) -> Iterator[Link]:
    """Give the link of an entry: to CAP rather than to XML, to XML rather than to a page; none leads nowhere."""
    offers = [(kind.partition(";")[0].strip().lower(), target.strip()) for kind, target in offers if target.strip()]
    if not offers:
        return
    _, target = min(offers, key=lambda offer: 0 if offer[0] in _CAP_TYPES else 1 if offer[0] in _XML_TYPES else 2)
    try:
        url = base.join(URL(target)).with_fragment(None)
    except ValueError:
        return
    if url.scheme not in ("http", "https") or not url.host:
        return
    yield Link(url=url, key=f"{identifier or url} {updated}"[:_MOST_KEY], updated_at=updated_at)


def _to_instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _EARLIEST


def _to_http_date(text: str) -> datetime:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _EARLIEST


def _text(item: Element, name: str) -> str:
    return (item.findtext(name) or "").strip()
