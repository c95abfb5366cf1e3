"""What requests about rules have in common: how a rule is named, and who changes one for which reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import Field

from ioc.api.people import Person
from ioc.rules.desk import Caller

LARGEST_NUMBER = 2**31 - 1
"""Numbers of versions fit into the column that they are compared with."""

RuleId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_.]{0,79}$", examples=["crowd.density"])]
Reason = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]


def to_caller(by: Person) -> Caller:
    """Give a person as the desk of rules knows its callers; it keeps the audit log itself."""
    return Caller(actor=by.name, address=by.address)
