"""One CAP 1.2 message read and checked: what it says, of what, for when, and which of our areas it covers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element

from connectors.feeds.weather.cap_areas import match_areas
from connectors.markup import read_xml
from connectors.values import RefusedRecordError, check_instant
from ioc.errors import MalformedPayloadError

NAMESPACE = "{urn:oasis:names:tc:emergency:cap:1.2}"
_VALID_FOR = timedelta(hours=24)
_FARTHEST = timedelta(days=30)
_MOST_HEADLINE = 500
_MOST_REFERENCES = 64
_IDENTIFIER = re.compile(r"[^\s,<&]{1,128}")
_SEVERITIES = frozenset({"extreme", "severe", "moderate", "minor", "unknown"})
_URGENCIES = frozenset({"immediate", "expected", "future", "past", "unknown"})
_CERTAINTIES = frozenset({"observed", "likely", "possible", "unlikely", "unknown"})
_HAZARDS = (
    ("squall", ("squall", "thunderstorm", "tornado", "dông", "tố", "lốc")),
    ("typhoon", ("typhoon", "tropical cyclone", "tropical storm", "bão", "áp thấp nhiệt đới")),
    ("fog", ("fog", "sương mù")),
    ("flood", ("flood", "lũ", "ngập")),
    ("landslide", ("landslide", "sạt lở")),
    ("rain", ("rain", "mưa")),
    ("surge", ("surge", "nước dâng", "triều cường")),
    ("wind", ("wind", "gale", "gió")),
    ("storm", ("storm",)),
    ("heat", ("heat", "nắng nóng")),
    ("cold", ("cold", "rét", "frost")),
)
"""Words of an ``event`` to the hazards that rules and walls know; the first that is in it counts."""


@dataclass(frozen=True, slots=True)
class Info:
    """What one info block says, or several that differ in their language only."""

    hazard: str
    severity: str
    urgency: str
    certainty: str
    onset_at: datetime
    expires_at: datetime
    areas: tuple[str, ...]


@dataclass(slots=True)
class CapMessage:
    """A message: ``kind`` is alert, update or cancel; ``infos`` to their headlines by language."""

    identifier: str
    kind: str
    sent_at: datetime
    references: list[str]
    infos: dict[Info, dict[str, str]] = field(default_factory=dict)


def read_message(payload: bytes, *, received_at: datetime, latest_at: datetime) -> CapMessage | None:
    """Read a message; None for what warns nobody: exercises, tests, drafts, acknowledgements, errors.

    Raises:
        MalformedPayloadError: it is no XML that we read, or no CAP 1.2.
        RefusedRecordError: what it says cannot be true, or breaks the standard.
    """
    alert = read_xml(payload)
    if alert.tag != f"{NAMESPACE}alert":
        raise MalformedPayloadError("not an alert of CAP 1.2")
    identifier = _find(alert, "identifier")
    if _IDENTIFIER.fullmatch(identifier) is None:
        raise RefusedRecordError("identifier: missing, longer than 128, or with forbidden characters")
    sent_at = check_instant(_to_instant(_find(alert, "sent"), "sent"), latest_at, what="sent")
    kind = _find(alert, "msgType").lower()
    if kind not in ("alert", "update", "cancel", "ack", "error"):
        raise RefusedRecordError("msgType: not one of the standard's")
    if _find(alert, "status").lower() != "actual" or kind in ("ack", "error"):
        return None
    references = _read_references(_find(alert, "references"))
    if kind != "alert" and not references:
        raise RefusedRecordError(f"references: an {kind} must name what it replaces")
    message = CapMessage(identifier=identifier, kind=kind, sent_at=sent_at, references=references)
    _read_infos(alert, message, farthest_at=received_at + _FARTHEST)
    return message


def _read_infos(alert: Element, message: CapMessage, *, farthest_at: datetime) -> None:
    blocks = alert.findall(f"{NAMESPACE}info")
    if not blocks and message.kind != "cancel":
        raise RefusedRecordError("info: missing")
    for block in blocks:
        categories = {_text(item).lower() for item in block.findall(f"{NAMESPACE}category")}
        if "met" not in categories:
            continue
        info = _read_info(block, message.sent_at, farthest_at)
        # Blocks of one warning in several languages name the event in their own words: the first one names it.
        same = next((known for known in message.infos if _sense(known) == _sense(info)), info)
        language = "en" if _find(block, "language").lower().startswith("en") else "vi"
        if not _find(block, "language"):
            language = "en"  # the standard's default is en-US
        headline = _find(block, "headline") or _find(block, "event")
        message.infos.setdefault(same, {}).setdefault(language, " ".join(headline.split())[:_MOST_HEADLINE])


def _read_info(block: Element, sent_at: datetime, farthest_at: datetime) -> Info:
    begins = _find(block, "onset") or _find(block, "effective")
    ends = _find(block, "expires")
    onset_at = check_instant(_to_instant(begins, "onset"), farthest_at, what="onset") if begins else sent_at
    expires_at = (
        check_instant(_to_instant(ends, "expires"), farthest_at, what="expires")
        if ends
        else max(onset_at, sent_at) + _VALID_FOR
    )
    if expires_at <= onset_at:
        raise RefusedRecordError("expires: not after onset")
    over = any(_text(item).lower() == "allclear" for item in block.findall(f"{NAMESPACE}responseType"))
    return Info(
        hazard=_find_hazard(_find(block, "event")),
        severity=_find_word(block, "severity", _SEVERITIES),
        urgency="past" if over else _find_word(block, "urgency", _URGENCIES),
        certainty=_find_word(block, "certainty", _CERTAINTIES),
        onset_at=onset_at,
        expires_at=expires_at,
        areas=match_areas(block.findall(f"{NAMESPACE}area"), NAMESPACE),
    )


def _sense(info: Info) -> tuple[object, ...]:
    return (info.severity, info.urgency, info.certainty, info.onset_at, info.expires_at, info.areas)


def _find_hazard(event: str) -> str:
    words = f" {unicodedata.normalize('NFC', event).casefold()} "
    for hazard, names in _HAZARDS:
        if any(re.search(rf"(?<!\w){re.escape(name)}", words) for name in names):
            return hazard
    return "weather"


def _find_word(block: Element, name: str, known: frozenset[str]) -> str:
    word = _find(block, name).lower()
    if word not in known:
        raise RefusedRecordError(f"{name}: not one of the standard's")
    return word


def _read_references(text: str) -> list[str]:
    found: list[str] = []
    for triple in text.split():
        parts = triple.split(",")
        if len(parts) != 3 or _IDENTIFIER.fullmatch(parts[1]) is None:
            raise RefusedRecordError("references: not sender,identifier,sent")
        found.append(parts[1])
    if len(found) > _MOST_REFERENCES:
        raise RefusedRecordError(f"references: more than {_MOST_REFERENCES}")
    return found


def _to_instant(text: str, what: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedRecordError(f"{what}: no date and time") from error


def _find(item: Element, name: str) -> str:
    return _text(item.find(f"{NAMESPACE}{name}"))


def _text(item: Element | None) -> str:
    return "" if item is None or item.text is None else item.text.strip()
