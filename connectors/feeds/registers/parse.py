"""Register entries to events: tasks, indicators, training, milestones. Who is named beside them goes no further."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name, to_count
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, Directive, IndicatorValue, Milestone, TrainingSession

TEXT = r"[^\x00-\x1f\x7f]{1,200}"
_FARTHEST = timedelta(days=20 * 366)
"""Registers hold aims of 2045 and sessions of years ago; a day beyond that is a slip of the pen."""
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Text = Annotated[str, msgspec.Meta(pattern=rf"\A{TEXT}\Z")]
_People = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

_PROGRESS = Measures(KINDS[Directive.KIND], ("progress_pct",))


class WireDirective(msgspec.Struct, kw_only=True, tag="directive"):
    """A task of the province's plan as it stands; the official in charge is dropped."""

    no: _Name
    time: _Instant
    owner: _Text
    status: Literal["open", "done", "dropped"]
    due_on: date
    progress_pct: Measured = msgspec.UNSET
    title: _Text | msgspec.UnsetType | None = msgspec.UNSET
    contact: Any = msgspec.UNSET


class WireIndicator(msgspec.Struct, kw_only=True, tag="indicator"):
    """A published figure with its unit, its period and the version of its method."""

    indicator: _Name
    time: _Instant
    period: _Name
    value: Measured
    unit: Annotated[str, msgspec.Meta(max_length=32)]
    method_version: _Name
    source: _Text | msgspec.UnsetType | None = msgspec.UNSET


class WireTraining(msgspec.Struct, kw_only=True, tag="training"):
    """A class of the training programme; lists of people are dropped."""

    session: _Name
    time: _Instant
    topic: _Text
    status: Literal["planned", "held", "cancelled"]
    held_on: date
    people: _People | msgspec.UnsetType | None = msgspec.UNSET
    planned: _People | msgspec.UnsetType | None = msgspec.UNSET
    trainees: Any = msgspec.UNSET
    trainer: Any = msgspec.UNSET


class WireMilestone(msgspec.Struct, kw_only=True, tag="milestone"):
    """A milestone of a project as it stands; the project's contact is dropped."""

    project: _Name
    no: _Name
    time: _Instant
    status: Literal["planned", "reached", "late"]
    due_on: date
    progress_pct: Measured = msgspec.UNSET
    title: _Text | msgspec.UnsetType | None = msgspec.UNSET
    contact: Any = msgspec.UNSET


Wire = WireDirective | WireIndicator | WireTraining | WireMilestone
READER: RecordReader[Wire] = RecordReader(
    {"directive": WireDirective, "indicator": WireIndicator, "training": WireTraining, "milestone": WireMilestone},
    quick=Wire,
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of register entries.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one entry.

    Raises:
        RefusedRecordError: a time, a day, a name or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    state: str
    data: Directive | IndicatorValue | TrainingSession | Milestone
    if isinstance(record, WireDirective):
        asset_id, state, data = _to_asset("directive", record.no), record.status, _to_directive(record, observed_at)
    elif isinstance(record, WireIndicator):
        asset_id, state, data = _to_asset("indicator", record.indicator), record.period, _to_indicator(record)
    elif isinstance(record, WireTraining):
        asset_id, state, data = _to_asset("training", record.session), record.status, _to_session(record, observed_at)
    else:
        project = check_name(record.project, what="project").removeprefix("milestone.")
        asset_id = f"milestone.{project}.{check_name(record.no, what='no')}"
        state, data = record.status, _to_milestone(record, project, observed_at)
    source_key = f"{asset_id}/{state}"
    return [context.make_event(data, asset_id=asset_id, observed_at=observed_at, source_key=source_key, is_fixed=False)]


def _to_directive(record: WireDirective, observed_at: datetime) -> Directive:
    (progress_pct,), _ = _PROGRESS.convert((record.progress_pct,))
    due_on = _check_day(record.due_on, observed_at, "due_on")
    return Directive(
        owner=record.owner, status=record.status, due_on=due_on, progress_pct=progress_pct, title=record.title or ""
    )


def _to_indicator(record: WireIndicator) -> IndicatorValue:
    # 9999 and the like are figures here: indicators have no range in which they could mean "none".
    if not isinstance(record.value, float):
        raise RefusedRecordError("value: none")
    if fault := KINDS[IndicatorValue.KIND].quantities["value"].find_fault(record.value):
        raise RefusedRecordError(f"value: {fault}")
    return IndicatorValue(
        period=check_name(record.period, what="period"),
        value=record.value,
        unit=record.unit,
        method_version=check_name(record.method_version, what="method_version"),
        source=record.source or None,
    )


def _to_session(record: WireTraining, observed_at: datetime) -> TrainingSession:
    return TrainingSession(
        topic=record.topic,
        status=record.status,
        held_on=_check_day(record.held_on, observed_at, "held_on"),
        people_count=to_count(record.people),
        planned_count=to_count(record.planned),
    )


def _to_milestone(record: WireMilestone, project: str, observed_at: datetime) -> Milestone:
    (progress_pct,), _ = _PROGRESS.convert((record.progress_pct,))
    due_on = _check_day(record.due_on, observed_at, "due_on")
    return Milestone(
        project=project, status=record.status, due_on=due_on, progress_pct=progress_pct, title=record.title or ""
    )


def _to_asset(kind: str, name: str) -> str:
    return f"{kind}.{check_name(name, what=kind).removeprefix(f'{kind}.')}"


def _check_day(day: date, observed_at: datetime, what: str) -> date:
    if abs(day - observed_at.date()) > _FARTHEST:
        raise RefusedRecordError(f"{what}: more than twenty years away from the time of the entry")
    return day
