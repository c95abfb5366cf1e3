"""Signing in and out, and tickets for wall sockets."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ioc.api.auth import COOKIE, VIEWERS, address_of, signed_in, to_user
from ioc.api.brake import LoginBrake
from ioc.api.problems import NotSignedInError
from ioc.api.services import ApiServices, Services
from ioc.storage.accounts import LONGEST, Session


class Credentials(BaseModel):
    """What somebody signs in with."""

    model_config = ConfigDict(extra="forbid", strict=True)
    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=1_000)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes under ``/api/v1/auth``."""
    routes = APIRouter(prefix="/api/v1/auth", tags=["auth"])
    brake = LoginBrake(services.clock)
    anybody = signed_in(api.accounts, *VIEWERS)

    @routes.post("/login")
    async def login(request: Request, response: Response, credentials: Credentials) -> dict[str, Any]:
        """Sign in: sets the session cookie and gives the CSRF token."""
        name, address = credentials.username, address_of(request)
        brake.begin(name, address)
        account = await api.accounts.verify(name, credentials.password)
        if account is None:
            await api.audit.note(actor="-", address=address, action="login.refused", on=name)
            raise NotSignedInError("name or password is wrong")
        brake.succeeded(name, address)
        token, session = await api.accounts.open_session(account)
        await api.audit.note(actor=account.name, address=address, action="login", on=account.name)
        response.set_cookie(
            COOKIE, token, max_age=int(LONGEST.total_seconds()), httponly=True, samesite="strict",
            secure=services.secure_cookies, path="/",
        )  # fmt: skip
        return {"user": to_user(account), "csrf": session.csrf}

    @routes.get("/me")
    async def me(session: Annotated[Session, Depends(anybody)]) -> dict[str, Any]:
        """Say who is signed in."""
        return {"user": to_user(session.account), "csrf": session.csrf}

    @routes.post("/logout", status_code=204)
    async def logout(request: Request, session: Annotated[Session, Depends(anybody)]) -> Response:
        """Sign out; the cookie is worth nothing afterwards."""
        await api.accounts.close_session(request.cookies[COOKIE])
        name = session.account.name
        await api.audit.note(actor=name, address=address_of(request), action="logout", on=name)
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=services.secure_cookies)
        return answer

    @routes.post("/ws-ticket")
    async def ws_ticket(request: Request, session: Annotated[Session, Depends(anybody)]) -> dict[str, Any]:
        """Give a ticket that opens one wall socket within a minute."""
        token, expires_at = await api.accounts.issue_ticket(session.account, session_token=request.cookies[COOKIE])
        return {"token": token, "expires_at": expires_at.isoformat()}

    return routes
