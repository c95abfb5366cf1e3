"""The ASGI app, made of the services that run in this process."""

from __future__ import annotations

from fastapi import FastAPI

from ioc import __version__
from ioc.api import pages, problems
from ioc.api.gate import Gate
from ioc.api.routes import (
    administration,
    alert_actions,
    alert_suppression,
    alerts,
    auth,
    backtests,
    catalogue,
    dead_letters,
    features,
    health,
    history,
    indicators,
    ingest,
    notifications,
    reasons,
    reports,
    routing,
    rule_activations,
    rule_health,
    rules,
    silences,
    subscription_deliveries,
    subscription_state,
    subscriptions,
    supervision,
    suppressions,
    twin,
)
from ioc.api.services import Services
from ioc.api.wall import endpoint


def create_app(services: Services) -> FastAPI:
    """Make the app: health and metrics always; ingest, API, wall and pages where their services are given."""
    app = FastAPI(
        title="IOC Quảng Ninh",
        version=__version__,
        docs_url=None,  # its page would load scripts from elsewhere; /openapi.json has everything
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(health.router(services))
    if services.ingest is not None:
        app.include_router(ingest.router(services.ingest))
    if (api := services.api) is not None:
        app.include_router(auth.router(services, api))
        for routes in (
            administration,
            supervision,  # this and the next one before the alerts' own verbs, which take any word
            alert_suppression,
            alert_actions,
            alerts,
            backtests,
            catalogue,
            dead_letters,
            features,
            history,
            indicators,
            notifications,
            reasons,
            reports,
            routing,
            rule_activations,
            rule_health,
            rules,
            silences,
            subscription_deliveries,
            subscription_state,
            subscriptions,
            suppressions,
            twin,
        ):
            app.include_router(routes.router(services, api))
        app.include_router(endpoint.router(services, api))
        pages.mount(app)
    app.add_middleware(Gate)
    app.add_middleware(pages.SecurityHeaders, secure=services.secure_cookies)
    return app
