"""Alerts for tests: the engine's decisions made by hand, applied as a worker applies them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from ioc.domain.alerts import AlertChange, ChangeType, ConditionState, ResolveReason, Severity
from ioc.domain.ids import alert_id
from ioc.storage.alert_actions import Action
from ioc.storage.batches import PostgresBatchStore

START = datetime(2026, 11, 23, 2, tzinfo=UTC)


def at(minute: float) -> datetime:
    """The instant so many minutes into the test."""
    return START + timedelta(minutes=minute)


def decide(
    kind: ChangeType = ChangeType.FIRED,
    minute: float = 0,
    *,
    began: float = 0,
    asset_id: str = "air.hong-gai",
    severity: Severity = Severity.MAJOR,
    value: float = 80.0,
    **others: Any,
) -> AlertChange:
    """What the engine says at ``minute`` about the occurrence of too much dust that began at ``began``."""
    is_over = kind is ChangeType.RESOLVED
    labels = (("asset_id", asset_id), ("rule_id", "air-pm25"))
    fingerprint = sha256(repr(labels).encode()).digest()
    given: dict[str, Any] = {
        "type": kind,
        "alert_id": alert_id(fingerprint, at(began)),
        "fingerprint": fingerprint,
        "rule_id": "air-pm25",
        "rule_version": "1",
        "labels": labels,
        "severity": severity,
        "condition": ConditionState.INACTIVE if is_over else ConditionState.FIRING,
        "feed_id": "air",
        "asset_id": asset_id,
        "unit_code": "06652",
        "zone_id": "ha-long-bay",
        "lon_deg": 107.07,
        "lat_deg": 20.95,
        "title_vi": "Bụi mịn vượt ngưỡng",
        "title_en": "Fine dust above its limit",
        "detail_vi": f"{value} µg/m³",
        "detail_en": f"{value} µg/m³",
        "value": value,
        "limit": 50.0,
        "quantity_unit": "µg/m³",
        "observed_at": at(minute),
        "received_at": at(minute),
        "decided_at": at(minute),
        "started_at": at(began),
        "reason": ResolveReason.CONDITION if is_over else None,
        "input_ids": (bytes([1]) * 16,),
    }
    return AlertChange(**{**given, **others})


async def apply(store: PostgresBatchStore, *changes: AlertChange) -> None:
    """Apply decisions in one batch of the worker."""
    async with store.begin("process") as transaction:
        await transaction.apply(changes)


async def no_alerts(connection: object, changes: Sequence[AlertChange]) -> None:
    """The alerts of a store whose test decides nothing."""
    raise AssertionError("no alert changes in this test")


def ask(kind: str, revision: int = 1, minute: float = 1, *, actor: str = "lan", **others: Any) -> Action:
    """What a person asks of an alert that they saw at ``revision``."""
    return Action(type=ChangeType(kind), actor=actor, at=at(minute), expected_revision=revision, **others)


def kinds(events: Sequence[Any]) -> list[str]:
    """The types of journal entries, in order."""
    return [str(event.type) for event in events]
