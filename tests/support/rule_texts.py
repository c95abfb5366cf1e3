"""Rules for tests, as texts: a crowd rule with its limit, its `for` and one test that fits them."""

from __future__ import annotations

from alerts.backtest.trial import Occurrence
from ioc.rules.desk import Caller, RuleDesk
from ioc.storage.rule_versions import RuleVersion

CALLER = Caller(actor="boss", address="test")


def crowd_rule(
    limit: float = 2.0, *, minutes: int = 5, title: str = "đông", rule_id: str = "crowd.density", has_test: bool = True
) -> str:
    """A threshold on density that must hold for some minutes."""
    text = f"""\
rule: {rule_id}
condition: threshold
on: tourism.crowd
levels:
  - severity: major
    when: density_p_m2 >= {limit}
    for: {minutes}m
unit: "người/m²"
keep: 2m
gap: 5m
title: {{vi: "{{asset}}: {title}", en: "{{asset}}: crowded"}}
detail: {{vi: "{{value}}", en: "{{value}}"}}
runbook: {{vi: "xem camera", en: "look"}}
"""
    if not has_test:
        return text
    return f"""{text}tests:
  - name: it fires once it has held
    given:
      - {{asset: site.x, at: 0m, every: 1m, until: {minutes}m, density_p_m2: {limit}}}
    expect:
      - {{type: fired, at: {minutes}m, severity: major}}
"""


async def save(desk: RuleDesk, source: str) -> RuleVersion:
    """Save a version as the shift's supervisor."""
    return await desk.save(source, by=CALLER, reason="bài thử")


def shown(items: list[Occurrence]) -> list[tuple[str, str | None]]:
    """Occurrences by rule and asset."""
    return [(item.rule_id, item.asset_id) for item in items]
