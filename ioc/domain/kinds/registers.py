"""Registers: tasks, reports, indicators, training and milestones, with a state instead of a measurement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class UnitReport(Payload, frozen=True, kw_only=True, array_like=True, tag="unit.report"):
    """The daily report of a commune-level unit: a register entry, due at 17:00 province time."""

    KIND: ClassVar[str] = "unit.report"
    ASSET_CLASS: ClassVar[str] = "unit"

    report_on: date
    status: str
    due_at: datetime
    items_count: Annotated[int | None, Quantity(unit="mục", vi="Số mục", en="Items", low=0, high=100_000)] = None


class Directive(Payload, frozen=True, kw_only=True, array_like=True, tag="directive.update"):
    """State of a task of the province's plan; ``status`` is ``open``, ``done`` or ``dropped``."""

    KIND: ClassVar[str] = "directive.update"
    ASSET_CLASS: ClassVar[str] = "directive"

    owner: str
    status: str
    due_on: date
    progress_pct: Annotated[float | None, Quantity(unit="%", vi="Tiến độ", en="Progress", low=0, high=100)] = None
    title: str = ""


class IndicatorValue(Payload, frozen=True, kw_only=True, array_like=True, tag="kpi.published"):
    """A published figure of an indicator. Sources disagree, so the version of the method stays with the number."""

    KIND: ClassVar[str] = "kpi.published"
    ASSET_CLASS: ClassVar[str] = "indicator"

    period: str
    value: Annotated[float, Quantity(unit="", vi="Giá trị", en="Value", low=-1e15, high=1e15)]
    unit: str
    method_version: str
    source: str | None = None


class TrainingSession(Payload, frozen=True, kw_only=True, array_like=True, tag="training.session"):
    """A class of the training programme; ``status`` is ``planned``, ``held`` or ``cancelled``."""

    KIND: ClassVar[str] = "training.session"
    ASSET_CLASS: ClassVar[str] = "training"

    topic: str
    status: str
    held_on: date
    people_count: Annotated[int | None, Quantity(unit="người", vi="Học viên", en="Attended", low=0, high=100_000)] = (
        None
    )
    planned_count: Annotated[int | None, Quantity(unit="người", vi="Dự kiến", en="Planned", low=0, high=100_000)] = None


class Milestone(Payload, frozen=True, kw_only=True, array_like=True, tag="project.milestone"):
    """State of a milestone of a project; ``status`` is ``planned``, ``reached`` or ``late``."""

    KIND: ClassVar[str] = "project.milestone"
    ASSET_CLASS: ClassVar[str] = "milestone"

    project: str
    status: str
    due_on: date
    progress_pct: Annotated[float | None, Quantity(unit="%", vi="Tiến độ", en="Progress", low=0, high=100)] = None
    title: str = ""
