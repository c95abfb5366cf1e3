"""What people ask of one alert, against the revision that they saw."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ioc.api.people import Person
from ioc.api.views import to_alert
from ioc.domain.alerts import Alert, ChangeType
from ioc.storage.alert_actions import Action


class AlertRequest(BaseModel):
    """What is asked of an alert, with the revision that was seen: if somebody was faster, nothing happens (409)."""

    model_config = ConfigDict(extra="forbid")
    expected_revision: int = Field(ge=1)
    reason: Annotated[str | None, Field(max_length=2_000)] = None


def to_action(kind: ChangeType, by: Person, asked: AlertRequest, *, at: datetime, **more: Any) -> Action:
    """Make the action that a request asks for."""
    return Action(
        type=kind, actor=by.name, at=at, reason=asked.reason, expected_revision=asked.expected_revision, **more
    )  # fmt: skip


async def note_and_show(by: Person, action: Action, alert: Alert, **detail: Any) -> dict[str, Any]:
    """Note what was done in the audit log, and give the alert as it is now."""
    kept = {"revision": alert.revision, "reason": action.reason, **detail}
    await by.note(f"alert.{action.type}", alert.alert_id, **kept)
    return to_alert(alert)
