"""For administrators: who may come in, which keys sources hold, and who did what."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import ADMINS
from ioc.api.people import Person, person_with
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.errors import NotFoundError, RefusedActionError
from ioc.storage.accounts import Account
from ioc.storage.source_keys import SourceKey


class NewKey(BaseModel):
    """What a source's key is for, which feeds its holder may send, and for how long."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1, max_length=200, pattern=r"\S")
    feed_ids: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=50)
    days: int = Field(365, ge=1, le=3_650)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of accounts, keys and the audit log."""
    admin = person_with(api, *ADMINS)
    Admin = Annotated[Person, Depends(admin)]  # noqa: N806  it is a type
    routes = APIRouter(prefix="/api/v1", tags=["administration"], dependencies=[Depends(admin)])

    @routes.get("/accounts")
    async def accounts() -> dict[str, Any]:
        """Everybody who has an account."""
        return {"items": [_show_account(account) for account in await api.accounts.list_accounts()]}

    @routes.post("/accounts/{name}/disable", status_code=204)
    async def disable(name: str, by: Admin) -> Response:
        """Close an account: its sessions end now, its walls within minutes."""
        if name == by.name:
            raise RefusedActionError("own_account", "nobody closes their own account")
        await api.accounts.set_disabled(name, disabled=True)
        await by.note("account.disable", name)
        return Response(status_code=204)

    @routes.post("/accounts/{name}/enable", status_code=204)
    async def enable(name: str, by: Admin) -> Response:
        """Open an account again."""
        await api.accounts.set_disabled(name, disabled=False)
        await by.note("account.enable", name)
        return Response(status_code=204)

    @routes.get("/keys")
    async def keys() -> dict[str, Any]:
        """The keys of sources that were not revoked, without their secrets."""
        return {"items": [_show_key(key) for key in await api.keys.list_keys()]}

    @routes.post("/keys", status_code=201)
    async def add_key(wanted: NewKey, by: Admin) -> dict[str, Any]:
        """Make a key for a source. ``key`` is shown here and never again."""
        for feed_id in wanted.feed_ids:
            if feed_id not in api.feeds:
                raise NotFoundError("feed", feed_id)
        token = await api.keys.add(name=wanted.name, feed_ids=wanted.feed_ids, lifetime=timedelta(days=wanted.days))
        key_id = token.split("_")[1]
        await by.note("key.add", key_id)
        return {"key_id": key_id, "key": token}

    @routes.delete("/keys/{key_id}", status_code=204)
    async def revoke_key(key_id: str, by: Admin) -> Response:
        """End a key; every ingest process refuses it within half a minute."""
        await api.keys.revoke(key_id)
        await by.note("key.revoke", key_id)
        return Response(status_code=204)

    @routes.get("/audit")
    async def audit(limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> dict[str, Any]:
        """The newest entries of the audit log, newest first."""
        return {"items": [{**entry, "at": to_ms(entry["at"])} for entry in await api.audit.newest(limit)]}

    return routes


def _show_account(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "display_name": account.display_name,
        "roles": list(account.roles),
        "department": account.department,
        "disabled": account.disabled,
    }


def _show_key(key: SourceKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "feed_ids": sorted(key.feed_ids),
        "expires_at": to_ms(key.expires_at),
    }
