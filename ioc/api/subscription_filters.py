"""Whether the filters of a subscription can ever let something through."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from ioc.api.services import ApiServices
from ioc.errors import InvalidRequestError

_MOST_NAMED = 5
"""Names of one filter that an answer lists, each with what is near it."""


def check_names(api: ApiServices, wanted: Mapping[str, Sequence[str] | None]) -> None:
    """Refuse names that nothing has: who mistyped one would wait for ever.

    Args:
        api: what there is: rules in force, the deployment's feeds, units and zones of the map.
        wanted: the names that each filter lets through, by filter; None lets everything through.

    Raises:
        InvalidRequestError: with every unknown name and the known ones nearest to it.
    """
    known: Mapping[str, Collection[str]] = {
        "rule_ids": [rule.rule_id for rule in api.rulebook.rules],
        "feed_ids": api.feeds.keys(),
        "unit_codes": api.world.unit_codes,
        "zone_ids": api.world.zones.zones.keys(),
    }
    faults = [fault for name, there in known.items() for fault in _find_unknown(name, wanted.get(name) or (), there)]
    if faults:
        raise InvalidRequestError("unknown_name", "; ".join(faults))


def _find_unknown(name: str, wanted: Sequence[str], known: Collection[str]) -> list[str]:
    unknown = [one for one in wanted if one not in known]
    faults = [f"{name}: {one!r} is not known{_name_near(one, known)}" for one in unknown[:_MOST_NAMED]]
    if len(unknown) > _MOST_NAMED:
        faults.append(f"{name}: {len(unknown) - _MOST_NAMED} more are not known")
    return faults


def _name_near(wanted: str, known: Collection[str]) -> str:
    near = get_close_matches(wanted, known, n=3)
    return f" (near it: {', '.join(near)})" if near else ""
