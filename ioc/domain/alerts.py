"""Alerts as both machines see them: what the world does (condition) and what people did about it (operator).

States after ISA-18.2 / IEC 62682; the two machines are never merged into one enum.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ioc.domain.grounds import Grounds


class StateKey(NamedTuple):
    """Address of one piece of engine state inside a partition."""

    rule_id: str
    key: str


class Severity(enum.StrEnum):
    """Priority of an alert; compare with ``rank``."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Higher is more urgent: critical 3 … info 0."""
        return {"critical": 3, "major": 2, "minor": 1, "info": 0}[self.value]


class ConditionState(enum.StrEnum):
    """What the world does, per rule and identity labels."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"


class OperatorState(enum.StrEnum):
    """What people did about it (ISA-18.2 states A to G)."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class ResolveReason(enum.StrEnum):
    """Why a condition ended. Silence is never a reason by itself.

    Where a rule lets what is not evaluated any more end (`no_data: {policy: resolve}`, `clear_if_quiet_for`), the
    reason says why it was not: ``error``, the rule failed on what came; ``missing_series``, its thing told other things
    but nothing that it could be judged by; ``no_data``, its thing told nothing.
    """

    CONDITION = "condition"
    MISSING_SERIES = "missing_series"
    NO_DATA = "no_data"
    ERROR = "error"
    MANUAL = "manual"
    EXPIRED = "expired"
    RULE_DELETED = "rule_deleted"


class ChangeType(enum.StrEnum):
    """What an entry of an alert's journal records. The first eight come from the engine, the rest from people."""

    FIRED = "fired"
    UPDATED = "updated"
    SEVERITY = "severity"
    RECOVERING = "recovering"
    RESOLVED = "resolved"
    NO_DATA = "no_data"
    FLAPPING = "flapping"
    STEADY = "steady"
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    ASSIGNED = "assigned"
    SEVERITY_SET = "severity_set"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """One decision of the engine about one occurrence of a condition.

    ``fingerprint`` is the sha-256 over the identity labels; ``alert_id`` names this occurrence (same condition, same
    ``started_at``, same id). ``observed_at`` and ``received_at`` are those of the reading that tipped it,
    ``decided_at`` the log time of the decision. ``input_ids`` are the events it rests on, newest last.
    Texts are ready to show, in both languages. ``flip_count`` is how often the condition came or went since it began,
    ``kind`` the kind of event that the rule looks at. ``grounds`` is what its condition asked for then, where the
    readings, the windows and the limits of the rule do not say that by themselves.
    """

    type: ChangeType
    alert_id: UUID
    fingerprint: bytes
    rule_id: str
    rule_version: str
    labels: tuple[tuple[str, str], ...]
    severity: Severity
    condition: ConditionState
    feed_id: str
    asset_id: str | None
    unit_code: str | None
    zone_id: str | None
    lon_deg: float | None
    lat_deg: float | None
    title_vi: str
    title_en: str
    detail_vi: str
    detail_en: str
    value: float | None
    limit: float | None
    quantity_unit: str
    observed_at: datetime
    received_at: datetime
    decided_at: datetime
    started_at: datetime
    reason: ResolveReason | None = None
    shadow: bool = False
    input_ids: tuple[bytes, ...] = ()
    flapping: bool = False
    flip_count: int = 0
    kind: str = ""
    grounds: Grounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert as it stands: one row of the store, one row of the wall's list.

    ``flapping``: its condition comes and goes (ISA-18.2: chattering); ``flip_count`` times so far.
    ``rule_severity`` is what the rule says, None where that was not kept apart yet. Where a person says otherwise,
    ``severity_by`` is that person and ``overruled_severity`` what the rule said then. ``highest_severity`` is the
    highest that it has had, None where that was not kept yet. ``suppression_id`` is the entry of the register that
    keeps it off the list, ``suppressed_until`` when that ends.
    """

    alert_id: UUID
    revision: int
    fingerprint: bytes
    rule_id: str
    rule_version: str
    labels: tuple[tuple[str, str], ...]
    severity: Severity
    condition: ConditionState
    operator: OperatorState
    feed_id: str
    asset_id: str | None
    unit_code: str | None
    zone_id: str | None
    lon_deg: float | None
    lat_deg: float | None
    title_vi: str
    title_en: str
    detail_vi: str
    detail_en: str
    value: float | None
    limit: float | None
    quantity_unit: str
    observed_at: datetime
    received_at: datetime
    decided_at: datetime
    started_at: datetime
    ended_at: datetime | None
    resolve_reason: ResolveReason | None
    acked_by: str | None
    acked_at: datetime | None
    shelved_until: datetime | None
    shadow: bool
    flapping: bool = False
    flip_count: int = 0
    assigned_to: str | None = None
    rule_severity: Severity | None = None
    severity_by: str | None = None
    overruled_severity: Severity | None = None
    suppressed_until: datetime | None = None
    suppression_id: UUID | None = None
    kind: str = ""
    highest_severity: Severity | None = None

    @property
    def severity_reached(self) -> Severity:
        """The highest severity so far; where it was not kept yet, the one that stands."""
        return self.highest_severity or self.severity

    @property
    def is_open(self) -> bool:
        """Whether operators still have it on their list: the world has not returned, or nobody has seen that it did."""
        return self.ended_at is None or self.operator is not OperatorState.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One entry of an alert's append-only journal. ``event_id`` orders all entries of all alerts as committed."""

    event_id: int
    alert_id: UUID
    revision: int
    type: ChangeType
    at: datetime
    actor: str | None
    reason: str | None
    alert: Alert
