"""What two rules about vessels share: a zone of water with the weather over it and the vessels in it.

Vessels, stations and warnings live on different partitions; they meet on the zone's partition of ``signals``. A vessel
is sent there when something about it changes, once a minute under way, and every six hours at rest: few signals, and
never an old picture.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

import msgspec
import numpy as np

from alerts.language.rule import Rule
from alerts.memory.partition import BEGINNING, PartitionMemory
from alerts.memory.series import Series
from alerts.world import HARBOUR_KINDS, SEA_KINDS, World
from ioc.domain.events import Event
from ioc.domain.kinds import Payload, VesselPosition, WeatherObservation, WeatherWarning

OPEN_SEA = "sea"
"""Water in no zone. A scope of its own: what rules about the province hear is no weather out there."""
UNDER_WAY_KN = 1.0
AGAIN = timedelta(minutes=1)
AGAIN_AT_REST = timedelta(hours=6)
"""A vessel may lie at anchor for days: rules believe its position for a while only."""
HOLE_KINDS = frozenset({"coverage_hole"})
IN = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a vessel is, as rules care: its water, whether it is in a harbour or a known hole of reception."""

    scope: str
    is_sheltered: bool
    is_in_hole: bool
    is_under_way: bool


class ZoneWeather(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="weather"):
    """The weather over one water: warnings by key, the newest wind of each station that stands for it, since when it
    has been bad, and the squall cells, for the rules that look at them.
    """

    cells: dict[str, Event] = msgspec.field(default_factory=dict)
    warnings: dict[str, WeatherWarning] = msgspec.field(default_factory=dict)
    winds: dict[str, tuple[datetime, float, float]] = msgspec.field(default_factory=dict)
    bad_since: datetime | None = None

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class VesselState(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="vessel"):
    """One vessel in one water: its last position there, whether it moved or was lost, since when it has been out."""

    event: Event | None = None
    is_under_way: bool = False
    is_sheltered: bool = False
    is_lost: bool = False
    out_since: datetime | None = None

    @property
    def heard_until(self) -> datetime | None:
        """The arrival of the last that it knows of."""
        return None if self.event is None else self.event.received_at


class SquallCells(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="cells"):
    """The squall cells that a water knows of, by name."""

    cells: dict[str, Event] = msgspec.field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class SeaPlaces:
    """Tells whereabouts from zone ids. There are few sets of zones that overlap, so each answer is worked out once."""

    def __init__(self, world: World) -> None:
        self._water = world.zone_ids(SEA_KINDS)
        self._harbour = world.zone_ids(HARBOUR_KINDS)
        self._holes = world.zone_ids(HOLE_KINDS)
        self._known: dict[tuple[str, ...], tuple[Whereabouts, Whereabouts]] = {}

    def find(self, event: Event, zones: tuple[str, ...]) -> Whereabouts:
        """Say where a vessel is."""
        found = self._known.get(zones)
        if found is None:
            found = self._known[zones] = (
                self._work_out(zones, is_under_way=False),
                self._work_out(zones, is_under_way=True),
            )
        data = event.data
        speed = data.sog_kn if isinstance(data, VesselPosition) else None
        return found[1] if speed is not None and speed >= UNDER_WAY_KN else found[0]

    def harbour_of(self, zones: tuple[str, ...]) -> str | None:
        """Name the harbour among zones, if one is."""
        return next((zone for zone in zones if zone in self._harbour), None)

    def _work_out(self, zones: tuple[str, ...], *, is_under_way: bool) -> Whereabouts:
        water = next((zone for zone in zones if zone in self._water), None)
        return Whereabouts(
            scope=OPEN_SEA if water is None else f"zone:{water}",
            is_sheltered=any(zone in self._harbour for zone in zones),
            is_in_hole=any(zone in self._holes for zone in zones),
            is_under_way=is_under_way,
        )


def zones_of(memory: PartitionMemory, world: World, event: Event) -> tuple[str, ...]:
    """Give the zones that an event's position lies in: looked up with its whole batch, or now if it is an older one."""
    found = memory.located.get(id(event))
    if found is None:
        position = event.position
        found = () if position is None else world.zones_at(position)
    return found


SEA_FORWARDS: Mapping[type[Payload], str] = {
    VesselPosition: "vessels to their waters",
    WeatherWarning: "weather to its waters",
    WeatherObservation: "weather to its waters",
}
"""What rules send on that use ``vessel_scopes`` and ``weather_scopes``. Each would send the same, so one is asked."""


_key_of: Callable[[tuple[str, Series]], str] = itemgetter(0)


def newest_vessels(
    memory: PartitionMemory, world: World, *, but: Container[str] = ()
) -> Iterator[tuple[Event, tuple[str, ...]]]:
    """Give the newest position of each vessel with the zones that it lies in, looked up all at once."""
    newest = memory.readings("", VesselPosition).items()
    events = [event for asset_id, event in newest if asset_id not in but and event.position is not None]
    if events:
        lon_deg = np.array([event.lon_deg for event in events], dtype=np.float64)
        lat_deg = np.array([event.lat_deg for event in events], dtype=np.float64)
        yield from zip(events, world.zones.locate(lon_deg, lat_deg), strict=True)


def resume_scopes(memory: PartitionMemory, places: SeaPlaces, world: World) -> None:
    """Note after a restart where each vessel was, so that a water that it leaves meanwhile hears of it.

    What a vessel was like when it was sent last is what its newest position says: any change would have been sent.
    """
    sent = memory.sent_for_all
    for event, zones in newest_vessels(memory, world, but=sent):
        sent[event.asset_id] = places.find(event, zones), BEGINNING


def vessel_scopes(memory: PartitionMemory, places: SeaPlaces, event: Event, zones: tuple[str, ...]) -> Sequence[str]:
    """Say which waters must hear of a position now: at a change the old and the new, else every so often.

    To be asked once for each position: it notes what it says. The first one after a restart is sent in any case: it may
    be news to a rule that was not there before.
    """
    now, sent = places.find(event, zones), memory.sent_for_all
    known: tuple[Whereabouts, datetime] | None = sent.get(event.asset_id)
    if known is None:
        sent[event.asset_id] = now, event.observed_at
        return (now.scope,)
    before, sent_at = known
    is_same = before is now or (
        before.scope == now.scope
        and before.is_sheltered is now.is_sheltered
        and before.is_under_way is now.is_under_way
    )
    again = AGAIN if now.is_under_way else AGAIN_AT_REST
    if is_same and sent_at is not BEGINNING and event.observed_at - sent_at < again:
        return ()
    sent[event.asset_id] = now, event.observed_at
    return (now.scope,) if before.scope == now.scope else (before.scope, now.scope)


def weather_scopes(world: World, event: Event) -> list[str]:
    """Say which waters a warning or an observation speaks of."""
    if isinstance(event.data, WeatherWarning):
        return [f"zone:{event.data.zone_id}"]
    if isinstance(event.data, WeatherObservation) and (zone := world.station_zones.get(event.asset_id)):
        return [f"zone:{zone}"]
    return []


def take_weather(state: ZoneWeather, event: Event, at: datetime) -> bool:
    """Take a warning or wind in; say whether it was a warning or wind at all."""
    data = event.data
    if isinstance(data, WeatherWarning):
        if data.status == "cancel":
            state.warnings.pop(data.warning_key, None)
        else:
            state.warnings[data.warning_key] = data
        for key in [key for key, warning in state.warnings.items() if warning.expires_at <= at]:
            del state.warnings[key]
        return True
    if isinstance(data, WeatherObservation):
        state.winds[event.asset_id] = (event.observed_at, data.wind_m_s or 0.0, data.gust_m_s or 0.0)
        return True
    return False


def active_warning(state: ZoneWeather | None, at: datetime) -> WeatherWarning | None:
    """Give a warning in force; the one that lasts longest where there are several."""
    if state is None or not state.warnings:
        return None
    held = [warning for warning in state.warnings.values() if warning.onset_at <= at < warning.expires_at]
    return max(held, key=lambda warning: (warning.expires_at, warning.warning_key), default=None)


def vessels_of(memory: PartitionMemory, index: int, scope: str) -> list[tuple[str, VesselState]]:
    """Give the vessels of one water with their keys, in the order of these."""
    prefix = scope + IN
    found = [(key, state) for key, state in memory.series[index].items() if key.startswith(prefix)]
    found.sort(key=_key_of)
    return [(key, state) for key, state in found if isinstance(state, VesselState)]


def vessels_near(
    memory: PartitionMemory, index: int, place: str, asset_id: str | None
) -> list[tuple[str, VesselState]]:
    """Give the vessels of a water, or the one that a key names, each with its water; with an asset that one alone."""
    scope, _, name = place.partition(IN)
    wanted = name or asset_id
    if wanted is None:
        return [(scope, state) for _, state in vessels_of(memory, index, scope)]
    state = memory.series[index].get(f"{scope}{IN}{wanted}")
    return [(scope, state)] if isinstance(state, VesselState) and asset_id in {None, wanted} else []


def weather_of(memory: PartitionMemory, rule: Rule, index: int, scope: str) -> ZoneWeather:
    """Give the weather over a water, made when it is new."""
    found = memory.series[index].get(scope)
    if not isinstance(found, ZoneWeather):
        found = memory.series[index][scope] = ZoneWeather(shape=rule.condition_name)
    return found
