"""Backtests: draft rules over stored history, in the background, with progress, and an end for who asks for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.rulebook.book import Rulebook, RulebookError
from geo.catalogue import load_units
from ioc.api.auth import OPERATORS, SUPERVISORS, signed_in
from ioc.api.idempotency import IdempotentRouter
from ioc.api.paging import check_instant, read_cursor, write_cursor
from ioc.api.people import Person, person_with
from ioc.api.problems import problem
from ioc.api.services import ApiServices, Services
from ioc.api.views import to_ms
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.backtest_runs import BacktestRun, BacktestTask

LONGEST = timedelta(days=400)
_MOST_RULES = 200_000
_MOST_FAULTS = 50


class NewBacktest(BaseModel):
    """Draft rules as YAML documents, the period, and the unit whose alerts count (unset: all)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    rules: str = Field(min_length=1, max_length=_MOST_RULES)
    start: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    unit: str | None = Field(None, max_length=20)


def router(services: Services, api: ApiServices) -> APIRouter:
    """Make the routes of backtests."""
    Supervisor = Annotated[Person, Depends(person_with(api, *SUPERVISORS))]  # noqa: N806  it is a type
    units = {unit.code for unit in load_units(api.geo_directory)}
    reader = Depends(signed_in(api.accounts, *OPERATORS))
    routes = IdempotentRouter(api.answers, prefix="/api/v1/backtests", tags=["backtests"], dependencies=[reader])

    @routes.post("", status_code=202, response_model=None)
    async def add(response: Response, wanted: NewBacktest, by: Supervisor) -> dict[str, Any] | Response:
        """Queue a backtest. Faults of the rules come at once, each with its line; nothing is queued then."""
        task = _to_task(wanted, units, services.clock.now())
        try:
            drafts = await asyncio.to_thread(Rulebook.read, task.rules, "rules")
        except RulebookError as error:
            faults = [{"line": fault.line, "what": fault.what} for fault in error.rule_faults[:_MOST_FAULTS]]
            return problem(422, "rules_have_faults", str(error), faults=faults)
        run_id = await api.backtests.add(task, created_by=by.name)
        names = [rule.rule_id for rule in drafts.rules]
        await by.note("backtest.start", run_id, rules=names[:_MOST_FAULTS], unit=task.unit_code)
        response.headers["Location"] = f"/api/v1/backtests/{run_id}"
        return _show(await api.backtests.get(run_id))

    @routes.get("")
    async def runs(
        cursor: Annotated[str | None, Query(max_length=200)] = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> dict[str, Any]:
        """The backtests of the last week, newest first."""
        found, following = await api.backtests.list_runs(before=_to_place(cursor), limit=limit)
        place = None if following is None else (following[0].isoformat(), str(following[1]))
        return {"items": [_show(run) for run in found], "next": write_cursor(place)}

    @routes.get("/{run_id}")
    async def one(run_id: UUID) -> dict[str, Any]:
        """How far a backtest is."""
        return _show(await api.backtests.get(run_id))

    @routes.post("/{run_id}/cancel", status_code=202)
    async def cancel(run_id: UUID, by: Supervisor) -> dict[str, Any]:
        """Have it stop within seconds; what it found until then stays as a partial result."""
        run = await api.backtests.ask_cancel(run_id)
        await by.note("backtest.cancel", run_id)
        return _show(run)

    @routes.get("/{run_id}/result")
    async def result(run_id: UUID) -> dict[str, Any]:
        """What it found: a line per rule and unit beside the rules in force, and the first differences."""
        found = await api.backtests.result(run_id)
        if found is None:
            raise NotFoundError("result of backtest", str(run_id))
        return dict(found)

    @routes.get("/{run_id}/plot.svg")
    async def plot(run_id: UUID) -> Response:
        """When the alerts of both sides were open."""
        drawn = await api.backtests.plot(run_id)
        if drawn is None:
            raise NotFoundError("plot of backtest", str(run_id))
        return Response(drawn, media_type="image/svg+xml")

    return routes


def _to_task(wanted: NewBacktest, units: set[str], now: datetime) -> BacktestTask:
    start, end = check_instant(wanted.start.astimezone(UTC)), min(check_instant(wanted.end.astimezone(UTC)), now)
    if not timedelta(0) < end - start <= LONGEST:
        raise InvalidRequestError(
            "bad_period", f"a period begins before it ends, in the past, and lasts at most {LONGEST.days} days"
        )
    if wanted.unit is not None and wanted.unit not in units:
        raise InvalidRequestError("no_such_unit", "the unit is none of the province's units")
    return BacktestTask(rules=wanted.rules, start=start, end=end, unit_code=wanted.unit)


def _to_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    place = read_cursor(cursor)
    if place is None:
        return None
    try:
        return datetime.fromisoformat(place[0]), UUID(place[1])
    except ValueError as error:
        raise InvalidRequestError("bad_cursor", "the cursor is not one that this list gave") from error


def _show(run: BacktestRun) -> dict[str, Any]:
    estimate = run.events_estimate
    share = 1.0 if run.state == "done" else min(1.0, run.events_count / estimate) if estimate else 0.0
    return {
        "id": str(run.run_id), "state": run.state, "is_cancel_asked": run.is_cancel_asked, "reason": run.reason,
        "created_at": to_ms(run.created_at), "created_by": run.created_by,
        "from": to_ms(run.period_from), "to": to_ms(run.period_to), "unit": run.unit_code,
        "started_at": run.started_at and to_ms(run.started_at),
        "finished_at": run.finished_at and to_ms(run.finished_at),
        "progress": {
            "events": run.events_count, "estimate": estimate, "share": round(share, 4),
            "events_per_s": round(run.rate_per_s), "reached_at": run.reached_at and to_ms(run.reached_at),
        },
    }  # fmt: skip
