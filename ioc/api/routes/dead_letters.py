"""Dead letters for administrators: list, look, parse again."""

import base64
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import ADMINS
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.storage.letters import LetterState, StoredLetter


class Retry(BaseModel):
    """Which letters to parse again."""

    model_config = ConfigDict(extra="forbid")
    ids: list[UUID] = Field(min_length=1, max_length=1_000)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/dead-letters``."""
    admin = person_with(api, *ADMINS)
    routes = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

    @routes.get("", dependencies=[Depends(admin)])
    async def page(
        feed: Annotated[str | None, Query(max_length=64)] = None,
        state: LetterState | None = LetterState.NEW,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> dict[str, Any]:
        """The newest letters, without their bytes."""
        return {"items": [_show(item) for item in await api.letters.page(feed_id=feed, state=state, limit=limit)]}

    @routes.get("/{letter_id}", dependencies=[Depends(admin)])
    async def show(letter_id: UUID) -> dict[str, Any]:
        """One letter with its bytes in base64, as they came."""
        letter, raw = await api.letters.show(letter_id)
        return {**_show(letter), "raw_base64": base64.b64encode(raw).decode("ascii")}

    @routes.post("/retry")
    async def retry(wanted: Retry, by: Annotated[Person, Depends(admin)]) -> dict[str, Any]:
        """Parse letters again; what can be read now goes onto the log."""
        revived_count, left_count = await api.retry_letters(wanted.ids)
        await by.note("dead_letters.retry", f"{len(wanted.ids)} letters", revived=revived_count, left=left_count)
        return {"revived": revived_count, "left": left_count}

    return routes


def _show(letter: StoredLetter) -> dict[str, Any]:
    return {
        "id": str(letter.dead_letter_id),
        "feed_id": letter.feed_id,
        "received_at": to_ms(letter.received_at),
        "reason": letter.reason,
        "source": letter.source,
        "state": letter.state.value,
        "retried_at": to_ms(letter.retried_at),
        "size_bytes": letter.size_bytes,
    }
