"""Dead letters of a mapped source without personal data: what the mapping does not read is dropped."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from connectors.feed import Redact, keep_raw
from connectors.mapping.bodies import load_body
from connectors.mapping.config import MappingConfig
from connectors.mapping.paths import AmbiguousError, Path
from connectors.mapping.template import Template
from connectors.mapping.values import to_text
from connectors.pseudonym import to_pseudonym
from ioc.errors import MalformedPayloadError

_INSTANT = re.compile(
    r"(?=.*(?<!\d)(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d)|\d{1,2}:\d\d))[-0-9:/., +TZ]{4,40}|1\d{9}(\d{3})?"
)
"""A date, a time of day, or seconds since 1970; a number of a telephone or of a document is none."""

_WORD = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")


def make_redact(config: MappingConfig) -> Redact:
    """Give what takes personal data out of a source's refused bytes; a source without any keeps them as they came."""
    return _Redaction(config) if config.personal else keep_raw


class _Redaction:
    """Keeps what lies at the paths that the mapping reads; at personal ones the pseudonym, which a retry takes as is.

    A name may stand where it does not belong. So of a number, a time or a word of a list, only what could be one stays.
    """

    def __init__(self, config: MappingConfig) -> None:
        self._records = None if config.records is None else Path.read(config.records)
        self._personal = frozenset(Path.read(path) for path in config.personal)
        self._numbers, self._others = _collect(config)
        self._times = frozenset(Path.read(path) for rule in config.becomes for path in rule.observed_at.sources)
        self._words = _collect_words(config)
        self._columns = config.csv.columns

    def __call__(self, raw: bytes, pseudonym_key: bytes) -> bytes:
        """Give the bytes without personal data, parseable where they were."""
        try:
            body = load_body(raw)
        except MalformedPayloadError:
            return self._redact_rows(raw, pseudonym_key)
        record = self._find_record(body)
        if not isinstance(body, dict) or not isinstance(record, dict):
            return b'"x"'
        root = () if self._records is None else self._records.parts
        kept: dict[str, Any] = {}
        if root:
            _put(kept, root, {})
        for path in sorted(self._numbers | self._others, key=lambda path: path.text):
            try:
                value = self._redact_value(path, path.find(record, body), pseudonym_key)
            except AmbiguousError:
                continue
            if value is not None:
                _put(kept, path.parts if path.is_rooted else (*root, *path.parts), value)
        return json.dumps(kept).encode()

    def _find_record(self, body: Any) -> Any:
        try:
            found = body if self._records is None else self._records.find(body, body)
        except AmbiguousError:
            return None
        return found[0] if isinstance(found, list) and found and self._records is not None else found

    def _redact_value(self, path: Path, value: Any, pseudonym_key: bytes) -> Any:
        if value is None or isinstance(value, bool | int | float):
            is_hidden = path in self._personal and value is not None
            return self._hide(to_text(value) or "", pseudonym_key) if is_hidden else value
        if path in self._personal and isinstance(value, str):
            return self._hide(value, pseudonym_key)
        if path in self._numbers and isinstance(value, str):
            return value if re.fullmatch(r"[-+0-9., eE]{0,40}", value) else "x"
        if isinstance(value, list) and path in self._numbers:
            return [item if isinstance(item, int | float) else "x" for item in value[:3]]
        if isinstance(value, dict) and path in self._numbers:
            point = value.get("coordinates")
            return {"coordinates": self._redact_value(path, point, pseudonym_key) if isinstance(point, list) else "x"}
        if not isinstance(value, str):
            return []  # a list or an object where one value is wanted: refused again, whatever was in it
        if path in self._times and not _INSTANT.fullmatch(value):
            return "x"
        return value if value in self._words.get(path, (value,)) else "x"

    def _hide(self, text: str, pseudonym_key: bytes) -> str:
        return f"pseudonym:{to_pseudonym(text.strip(), pseudonym_key)}"

    def _redact_rows(self, raw: bytes, pseudonym_key: bytes) -> bytes:
        """Redact a row of CSV with its header; what is no such thing keeps its shape only."""
        try:
            rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), strict=True))
        except (UnicodeDecodeError, csv.Error):
            rows = []
        if len(rows) != 2 or len(rows[0]) != len(rows[1]) or raw[:1] in (b"{", b"["):
            return _WORD.sub(lambda found: b"x" * len(found[0]), raw)
        known = {path.text: path for path in self._numbers | self._others}
        kept = [
            (column, str(self._redact_value(known[name], cell, pseudonym_key)))
            for column, cell in zip(*rows, strict=True)
            if (name := self._columns.get(column, column)) in known
        ]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([[column for column, _ in kept], [cell for _, cell in kept]])
        return out.getvalue().encode()


def _collect(config: MappingConfig) -> tuple[frozenset[Path], frozenset[Path]]:
    """Give the paths of numbers and places, and those of names, words and times."""
    numbers, others = set[str | None](), set[str | None]()
    templates = list[str]()
    for rule in config.becomes:
        numbers |= {part.source for part in rule.quantities.values()}
        others |= {part.unit_from for part in rule.quantities.values()} | {part.source for part in rule.fields.values()}
        others |= {*rule.when, *rule.observed_at.sources}
        if rule.position is not None:
            numbers |= {rule.position.lon, rule.position.lat, rule.position.point}
        templates += [rule.asset_id, rule.unit_code or ""]
    names = {path for template in templates for path, _ in Template.read(template).places}
    read = frozenset(Path.read(path) for path in others if path is not None) | names
    return frozenset(Path.read(path) for path in numbers if path is not None) - read, read


def _collect_words(config: MappingConfig) -> dict[Path, frozenset[str]]:
    """Give the words that are known at the paths where nothing else can be meant."""
    words: dict[Path, set[str]] = {}
    for rule in config.becomes:
        for part in rule.fields.values():
            if part.source is not None and part.words:
                words.setdefault(Path.read(part.source), set()).update(part.words)
        for path, wanted in rule.when.items():
            known = {to_text(word) or "" for word in (wanted if isinstance(wanted, tuple) else (wanted,))}
            words.setdefault(Path.read(path), set()).update(known)
    return {path: frozenset(known) for path, known in words.items()}


def _put(kept: dict[str, Any], places: tuple[str, ...], value: Any) -> None:
    for place in places[:-1]:
        inside = kept.get(place)
        if not isinstance(inside, dict):
            inside = kept[place] = {}
        kept = inside
    kept[places[-1]] = value
