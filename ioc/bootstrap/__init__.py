"""Composition: settings in, a running program out. The only place that knows which adapter stands behind which port."""

from ioc.bootstrap.accounts import (
    add_account,
    add_key,
    is_key,
    list_accounts,
    list_keys,
    revoke_key,
    set_account_disabled,
)
from ioc.bootstrap.examination import Finding, examine
from ioc.bootstrap.foundations import Foundations, open_foundations
from ioc.bootstrap.letters import list_dead_letters, retry_dead_letters, show_dead_letter
from ioc.bootstrap.preparation import apply_topics, migrate_store, prepared
from ioc.bootstrap.reports import report_performance, report_shift
from ioc.bootstrap.scratch import scratch

__all__ = [
    "Finding",
    "Foundations",
    "add_account",
    "add_key",
    "apply_topics",
    "examine",
    "is_key",
    "list_accounts",
    "list_dead_letters",
    "list_keys",
    "migrate_store",
    "open_foundations",
    "prepared",
    "report_performance",
    "report_shift",
    "retry_dead_letters",
    "revoke_key",
    "scratch",
    "set_account_disabled",
    "show_dead_letter",
]
