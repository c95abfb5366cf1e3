"""What counts as an annunciation. Every figure of alarm performance counts these and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from ioc.domain.alerts import Alert, OperatorState, Severity


class Stand(NamedTuple):
    """How an alert stood before an entry of its journal."""

    operator: OperatorState
    severity: Severity


def stand_of(alert: Alert | None) -> Stand | None:
    """Give how an alert stands; None where there is none yet."""
    return None if alert is None else Stand(alert.operator, alert.severity)


def is_annunciation(alert: Alert, before: Stand | None) -> bool:
    """Whether an entry of the journal asks an operator for attention that was not asked for before.

    ANSI/ISA-18.2 and EEMUA 191 count annunciated alarms: each time that an alarm comes to the operator as new. In
    states of ISA-18.2, ``alert`` is as it stands after the entry: it counts if it is unacknowledged (B), and before

    - there was none: it fired; or
    - it was in another state: it was acknowledged (C) and its severity rose, it came off the shelf (E) or out of
      suppression (F, G) while its condition holds; or
    - it was unacknowledged, and its severity rose.

    So these do not count: updates, remarks, falls in severity, a return to normal (B to D), repeats to a department,
    and alerts of rules in the shadow, suppressed or shelved ones for as long as they are that. A silence or an
    inhibition holds back what departments are told, not what stands on the operators' list: it changes no figure.
    """
    if alert.operator is not OperatorState.UNACKNOWLEDGED or alert.shadow:
        return False
    if before is None or before.operator is not OperatorState.UNACKNOWLEDGED:
        return True
    return alert.severity.rank > before.severity.rank
