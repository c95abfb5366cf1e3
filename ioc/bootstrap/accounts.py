"""People and machines that may come in, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ioc.bootstrap.foundations import open_database
from ioc.clocks import SystemClock
from ioc.settings import Settings
from ioc.storage.accounts import Account, AccountStore
from ioc.storage.source_keys import SourceKey, SourceKeyStore


async def add_account(
    settings: Settings, *, name: str, display_name: str, password: str, roles: Sequence[str], department: str | None
) -> None:
    """Make an account, or set its roles and password anew."""
    async with open_database(settings) as database:
        await AccountStore(database, SystemClock()).add_account(
            name=name, display_name=display_name, password=password, roles=roles, department=department
        )


async def list_accounts(settings: Settings) -> Sequence[Account]:
    """Give every account."""
    async with open_database(settings) as database:
        return await AccountStore(database, SystemClock()).list_accounts()


async def set_account_disabled(settings: Settings, name: str, *, disabled: bool) -> None:
    """Lock an account out, or let it in again; its sessions end with it.

    Raises:
        NotFoundError: no such account.
    """
    async with open_database(settings) as database:
        await AccountStore(database, SystemClock()).set_disabled(name, disabled=disabled)


async def add_key(settings: Settings, *, name: str, feed_ids: Sequence[str], days: int) -> str:
    """Make a source's key and give it, the only time that it can be seen."""
    async with open_database(settings) as database:
        keys = SourceKeyStore(database, SystemClock())
        return await keys.add(name=name, feed_ids=feed_ids, lifetime=timedelta(days=days))


async def list_keys(settings: Settings) -> Sequence[SourceKey]:
    """Give the keys that were not revoked."""
    async with open_database(settings) as database:
        return await SourceKeyStore(database, SystemClock()).list_keys()


async def revoke_key(settings: Settings, key_id: str) -> None:
    """End a key; running processes notice within half a minute.

    Raises:
        NotFoundError: there is no such key, or it has ended already.
    """
    async with open_database(settings) as database:
        await SourceKeyStore(database, SystemClock()).revoke(key_id)


async def is_key(settings: Settings, token: str) -> bool:
    """Say whether a source key is one of ours and still good."""
    async with open_database(settings) as database:
        return await SourceKeyStore(database, SystemClock()).find(token) is not None
