"""Commands before the first start: a database without a schema is told from one that fails, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ioc import bootstrap
from ioc.bootstrap.rule_health import open_inquirer, read_rule_health
from ioc.bootstrap.rulebooks import open_desk
from ioc.errors import ConfigurationError, one_cause
from ioc.settings import Settings

BEGIN, END = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)


async def _enter(context):
    async with context:
        pass


COMMANDS = {
    "accounts add": lambda settings: bootstrap.add_account(
        settings, name="lan", display_name="Lan", password="mat-khau-cua-lan", roles=["operator"], department=None
    ),
    "accounts list": bootstrap.list_accounts,
    "accounts disable": lambda settings: bootstrap.set_account_disabled(settings, "lan", disabled=True),
    "keys add": lambda settings: bootstrap.add_key(settings, name="trạm", feed_ids=["air"], days=1),
    "keys list": bootstrap.list_keys,
    "dlq list": lambda settings: bootstrap.list_dead_letters(settings, feed_id=None, state=None, limit=1),
    "dlq retry": lambda settings: bootstrap.retry_dead_letters(settings, letter_ids=[uuid4()], feed_id=None),
    "reports performance": lambda settings: bootstrap.report_performance(settings, BEGIN, END, unit_code=None),
    "rules health": read_rule_health,
    "rules activate": lambda settings: _enter(open_desk(settings)),
    "rules why-not": lambda settings: _enter(open_inquirer(settings)),
}


async def test_every_command_says_that_the_schema_is_missing_and_how_it_is_made(
    tmp_path, plain_postgres_url, fresh_database
):
    url = await fresh_database(plain_postgres_url)
    settings = Settings.model_validate({"data_dir": tmp_path, "store": {"url": url}})
    for name, command in COMMANDS.items():
        with pytest.raises(ConfigurationError) as refused, one_cause():
            await command(settings)
        [fault] = refused.value.faults
        assert fault.startswith("the database lacks 00"), name
        assert fault.endswith(" more; run `ioc db migrate`"), name
