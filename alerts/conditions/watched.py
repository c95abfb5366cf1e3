"""What rules about the sensors themselves share: which quantities of which kinds they watch, each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import TypeVar

from alerts.language.files import Table
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Payload

How = TypeVar("How")

Watched = Mapping[str, Mapping[str, How]]
"""By kind and quantity, how it is watched."""


def read_watched(table: Table, read_one: Callable[[Table], How]) -> Watched[How]:
    """Read ``watch``: by kind, by quantity, a mapping that says how."""
    found: dict[str, dict[str, How]] = {}
    watch = table.table("watch")
    for kind_name in watch.names if watch is not None else ():
        part = watch.table(kind_name) if watch is not None else None
        if part is None or kind_name not in KINDS:
            table.fault(f"watch: no kind {kind_name!r}; there are {', '.join(KINDS)}", watch.node if watch else None)
            continue
        known = KINDS[kind_name].quantities
        for quantity in part.names:
            if quantity not in known:
                part.fault(f"no quantity {quantity!r}; there are {', '.join(sorted(known))}")
            how = part.table(quantity)
            if how is not None:
                found.setdefault(kind_name, {})[quantity] = read_one(how)
                how.finish()
    if watch is not None and not found:
        watch.fault("watch: at least one quantity of one kind")
    return found


def kinds_of(watched: Watched[How]) -> tuple[type[Payload], ...]:
    """Give the kinds that are watched."""
    return tuple(KINDS[name].payload for name in watched)


def values_of(event: Event, names: Iterable[str]) -> dict[str, float]:
    """Give the finite values that a reading has of some quantities."""
    return {
        name: float(value) for name in names if (value := getattr(event.data, name)) is not None and isfinite(value)
    }


def names_of(places: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Name quantities, given as (kind, quantity), in both languages."""
    quantities = [KINDS[kind].quantities[name] for kind, name in places]
    return ", ".join(item.vi for item in quantities), ", ".join(item.en for item in quantities)
