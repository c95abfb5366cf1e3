"""The twin: how every thing stands now or stood at an instant, page by page, and the tracks of those that move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection, sql

from ioc.domain.kinds import KINDS
from ioc.errors import NotFoundError
from ioc.storage.pool import Database
from ioc.storage.series import Reading
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES

_SQL = load_statements("twin")
_FIRST = ("", "")

_REGISTERS = frozenset(
    {"unit", "case", "report", "directive", "indicator", "training", "milestone", "cyber", "warning"}
)
_REGISTER_LOOKBACK = timedelta(days=400)
_LOOKBACK = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box in WGS 84 degrees that does not cross the antimeridian."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinQuery:
    """Which things. ``as_of``: how they stood then; with ``known_at``, as far as it had been received by then.

    ``since``: only those heard of at or after it.
    """

    kinds: Sequence[str] = field(default_factory=lambda: tuple(KINDS))
    unit_code: str | None = None
    prefix: str | None = None
    asset_id: str | None = None
    box: Box | None = None
    since: datetime | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinPage:
    """A page in the order of kind and asset; ``next`` is where the next one begins, None at the end."""

    items: Sequence[Reading]
    next: tuple[str, str] | None


def lookback_of(kind: str) -> timedelta:
    """How far back a state is looked for: a month for what measures, a year and more for registers."""
    return _REGISTER_LOOKBACK if KINDS[kind].asset_class in _REGISTERS else _LOOKBACK


class TwinStore:
    """Reads states and tracks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: TwinQuery, *, after: tuple[str, str] | None = None, limit: int = 100) -> TwinPage:
        """Give the states behind ``after``, at most ``limit``.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the database does not answer.
        """
        for kind in query.kinds:
            if kind not in KINDS:
                raise NotFoundError("kind", kind)
        place = after or _FIRST
        async with self._database.connection() as connection:
            if query.as_of is None:
                found = await self._page_now(connection, query, place, limit + 1)
            else:
                found = await self._page_then(connection, query, query.as_of, place, limit + 1)
        more = len(found) > limit
        items = found[:limit]
        return TwinPage(items=items, next=(items[-1].kind, items[-1].asset_id) if more else None)

    async def _page_now(
        self, connection: AsyncConnection, query: TwinQuery, after: tuple[str, str], limit: int
    ) -> list[Reading]:
        wanted = {
            **_conditions(query),
            "kinds": list(query.kinds),
            "after_kind": after[0],
            "after_asset": after[1],
            "limit": limit,
        }
        rows = await (await connection.execute(_SQL["page_latest"], wanted)).fetchall()
        return [_to_reading(row[0], row[1:10], row[10]) for row in rows]

    async def _page_then(
        self, connection: AsyncConnection, query: TwinQuery, as_of: datetime, after: tuple[str, str], limit: int
    ) -> list[Reading]:
        found: list[Reading] = []
        for kind in sorted(set(query.kinds)):
            if kind < after[0] or len(found) >= limit:
                continue
            table = TABLES[kind]
            names = [item.name for item in table.kind.fields]
            statement = _SQL["page_as_of"].format(
                table=table.identifier, fields=sql.SQL(", ").join(sql.Identifier("held", name) for name in names)
            )
            wanted = {
                **_conditions(query),
                "kind": kind,
                "after_asset": after[1] if kind == after[0] else "",
                "at": as_of,
                "oldest": as_of - lookback_of(kind),
                "known_at": query.known_at,
                "limit": limit - len(found),
            }
            rows = await (await connection.execute(statement, wanted)).fetchall()
            found += [_to_reading(kind, row[:9], dict(zip(names, row[9:], strict=True))) for row in rows]
        return found

    async def track(
        self, *, kind: str, asset_id: str, start: datetime, end: datetime, limit: int
    ) -> list[tuple[datetime, float, float]]:
        """Give the positions of a thing from ``start`` to before ``end``, oldest first, as (at, lon, lat).

        Raises:
            NotFoundError: no such kind.
        """
        if kind not in TABLES:
            raise NotFoundError("kind", kind)
        statement = _SQL["list_track"].format(table=TABLES[kind].identifier)
        wanted = {"asset_id": asset_id, "start": start, "end": end, "limit": limit}
        async with self._database.connection() as connection:
            return list(await (await connection.execute(statement, wanted)).fetchall())


def _conditions(query: TwinQuery) -> dict[str, Any]:
    box = query.box
    return {
        "unit_code": query.unit_code,
        "prefix": query.prefix,
        "asset_id": query.asset_id,
        "since": query.since,
        "west": None if box is None else box.west,
        "south": None if box is None else box.south,
        "east": None if box is None else box.east,
        "north": None if box is None else box.north,
    }


def _to_reading(kind: str, envelope: Sequence[Any], values: dict[str, Any]) -> Reading:
    asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg = envelope
    return Reading(
        kind=kind, asset_id=asset_id, observed_at=observed_at, received_at=received_at, event_id=event_id.bytes,
        quality=quality, feed_id=feed_id, unit_code=unit_code, lon_deg=lon_deg, lat_deg=lat_deg, values=values,
    )  # fmt: skip
