"""People who ask for something: who, from where, and the note of it in the audit log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from ioc.api.auth import address_of, signed_in
from ioc.api.services import ApiServices
from ioc.storage.accounts import Session
from ioc.storage.audit import AuditLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is signed in and has one of the roles that the request needs."""

    session: Session
    address: str
    audit: AuditLog

    @property
    def name(self) -> str:
        """The account's name, as journals and logs have it."""
        return self.session.account.name

    @property
    def roles(self) -> frozenset[str]:
        """Every role of the account."""
        return frozenset(self.session.account.roles)

    @property
    def department(self) -> str:
        """The department that the account acts for; one without stands for itself."""
        return self.session.account.department or f"account:{self.name}"

    async def note(self, action: str, on: object, **detail: object) -> None:
        """Put into the audit log what this person did, and to what."""
        await self.audit.note(actor=self.name, address=self.address, action=action, on=str(on), detail=detail)


def person_with(api: ApiServices, *roles: str) -> Callable[..., Awaitable[Person]]:
    """Make a dependency that gives the caller, who must have one of the roles; see ``ioc.api.auth.signed_in``."""
    find = signed_in(api.accounts, *roles)

    async def give(request: Request, session: Annotated[Session, Depends(find)]) -> Person:
        return Person(session=session, address=address_of(request), audit=api.audit)

    return give
