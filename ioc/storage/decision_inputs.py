"""The readings that a decision of the engine rests on, as the store still has them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql

from ioc.domain.events import Event
from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.questions import find_table
from ioc.storage.series import Reading, to_reading, to_stored_event
from ioc.storage.statements import load_statements

_SQL = load_statements("decision_inputs")
_LATEST = timedelta(days=1)
"""How much older than its arrival, or newer, a reading may be that a decision names."""
_BACK = (timedelta(hours=1), timedelta(days=1))
"""How far back the readings that a decision names are looked for: nearly all came just before it."""


class Cut(enum.StrEnum):
    """Why readings that a window looked back on are missing from what is read of it now."""

    ARCHIVE = "archive"
    RETENTION = "retention"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReadings:
    """Readings of one asset in the order of their arrival; ``cut`` is why some are missing, None when none is."""

    events: Sequence[Event]
    cut: Cut | None


class DecisionInputs:
    """Reads what a decision looked at. What has gone to the archive is not read for that; it is told that it has.

    Args:
        database: the open pool.
        clock: says what is past its retention.
        keep_readings: how long the store keeps readings.
    """

    def __init__(self, database: Database, clock: Clock, *, keep_readings: timedelta) -> None:
        self._database, self._clock, self._keep_readings = database, clock, keep_readings

    async def of_asset(
        self,
        kind: str,
        asset_id: str,
        *,
        after: datetime,
        until: datetime,
        received_by: datetime,
        limit: int,
        quantity: str | None = None,
    ) -> KnownReadings:
        """Give the newest ``limit`` readings of an asset after an instant, up to and with another.

        Both instants are of the source's time. Readings that came after ``received_by`` are left out. ``quantity``
        chooses one where the kind holds several under one asset.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        table = find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["list_of_asset"].format(
            table=table.identifier, fields=_list_fields(names),
            only=sql.SQL("") if quantity is None else _SQL["only_quantity"],
        )  # fmt: skip
        wanted = {
            "kind": kind, "asset_id": asset_id, "after": after, "until": until, "received_by": received_by,
            "quantity": quantity, "limit": limit + 1,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(statement, wanted)).fetchall()
            archived = await (await connection.execute(_SQL["is_archived"], wanted)).fetchone()
        events = [to_stored_event(table.kind, names, row) for row in rows[:limit]]
        return KnownReadings(
            events=sorted(events, key=lambda event: (event.received_at, event.event_id)),
            cut=self._find_cut(after, is_archived=bool(archived and archived[0]), is_full=len(rows) > limit),
        )

    async def of_all(self, kind: str, *, after: datetime, until: datetime, received_by: datetime) -> list[Event]:
        """Give the newest reading of every asset after an instant, up to and with another, that had come by a third.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        table = find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["list_newest"].format(table=table.identifier, fields=_list_fields(names))
        wanted = {"after": after, "until": until, "received_by": received_by}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(statement, wanted)).fetchall()
        return [to_stored_event(table.kind, names, row) for row in rows]

    async def find(
        self, ids: Sequence[str], *, kinds: Sequence[str], received_at: datetime, decided_at: datetime
    ) -> list[Reading]:
        """Give the readings with these ids (hex) that are stored and came by ``decided_at``.

        They are looked for from a day before ``received_at`` on, when the reading came that tipped the decision.

        They come in the order of the ids. An id that no reading has is left out.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        found: dict[str, Reading] = {}
        until = decided_at
        for back in _BACK:
            after = received_at - back
            for kind in kinds:
                missing = [UUID(hex=item) for item in ids if item not in found]
                if missing:
                    rows = await self._find(kind, missing, after, until)
                    found.update({UUID(bytes=bytes(reading.event_id)).hex: reading for reading in rows})
            until = after
        return [found[item] for item in dict.fromkeys(ids) if item in found]

    async def _find(self, kind: str, ids: Sequence[UUID], after: datetime, until: datetime) -> list[Reading]:
        table = find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["find_by_id"].format(table=table.identifier, fields=_list_fields(names))
        wanted: dict[str, Any] = {
            "ids": list(ids), "after": after, "until": until,
            "observed_after": after - _LATEST, "observed_until": until + _LATEST,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(statement, wanted)).fetchall()
        return [to_reading(kind, row[:9], dict(zip(names, row[9:], strict=True))) for row in rows]

    def _find_cut(self, after: datetime, *, is_archived: bool, is_full: bool) -> Cut | None:
        if is_archived:
            return Cut.ARCHIVE
        if after < self._clock.now() - self._keep_readings:
            return Cut.RETENTION
        return Cut.TOO_MANY if is_full else None


def _list_fields(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
