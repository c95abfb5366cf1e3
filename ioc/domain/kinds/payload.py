"""What every kind's payload is, and what a kind tells codec, store and API about itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, ClassVar, get_args, get_origin, get_type_hints

import msgspec

from ioc.domain.quantities import Quantity


class Payload(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The measured or reported part of an event; its envelope is ``ioc.domain.events.Event``."""

    KIND: ClassVar[str] = ""
    ASSET_CLASS: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a kind: its Python type, whether it may be missing, and its quantity when it is a measurement."""

    name: str
    type: type
    optional: bool
    quantity: Quantity | None


class Kind:
    """A kind of event with everything that codec, store and API need to know about it."""

    def __init__(self, payload: type[Payload]) -> None:
        self.payload = payload
        self.name = payload.KIND
        self.table = payload.KIND.replace(".", "_")
        self.asset_class = payload.ASSET_CLASS

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All fields in column order."""
        hints = get_type_hints(self.payload, include_extras=True)
        return tuple(_describe_field(name, hints[name]) for name in self.payload.__struct_fields__)

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The measured fields by name: what history, rollups and rules may ask for."""
        return {field.name: field.quantity for field in self.fields if field.quantity is not None}

    def find_fault(self, payload: Payload) -> str | None:
        """Say which value is not finite or out of its instrument's range, or None when all are sound."""
        for name, quantity in self.quantities.items():
            value = getattr(payload, name)
            if value is not None and (fault := quantity.find_fault(value)) is not None:
                return f"{name}: {fault}"
        return None


def _describe_field(name: str, hint: object) -> Field:
    quantity = None
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        quantity = next((note for note in notes if isinstance(note, Quantity)), None)
    optional = False
    if isinstance(hint, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        optional, hint = len(members) < len(get_args(hint)), members[0]
    if not isinstance(hint, type):
        raise TypeError(f"field {name} has a type that no column can hold: {hint!r}")
    return Field(name=name, type=hint, optional=optional, quantity=quantity)
