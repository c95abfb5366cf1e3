"""Rules about boats against plain models of them: over random streams they say at each instant what the models say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import Alert
from ioc.domain.events import Event
from ioc.domain.kinds import Payload, VesselArrival, VesselDeparture, VesselManifest, VesselPosition
from tests.support.engine_runs import Lives, find_open, make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
BEFORE = datetime.min.replace(tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
MANIFEST, UNSEEN, LOST = (
    Rulebook.load([RULES / f"{name}.yaml"]) for name in ("26-manifest", "27-departure-unseen", "23-vessel-lost")
)
BOAT, OTHER_BOAT = "vessel.574000001", "vessel.574000002"
TRIPS = ("T1", "T2")
MINUTE = timedelta(minutes=1)
BAY, PORT = {"lon_deg": 107.12, "lat_deg": 20.86}, {"lon_deg": 106.988, "lat_deg": 20.9265}

Model = Callable[[Sequence[Event], datetime], list[str]]
"""Gives the severities of the alerts that should stand open at an instant, of what had come by then."""


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def told(data: Payload, second: float, delay_s: float = 0.0, *, boat: str = BOAT, **place: float) -> Event:
    return make_event(boat, data, at(second), delay_s=delay_s, **place)


def compare(rules: Rulebook, events: list[Event], looks: set[datetime], model: Model, random: Random) -> None:
    """Look at each instant whether what is open is what should be; the process dies somewhere."""
    lives, came = Lives(rules, WORLD), []
    events = sorted(events, key=lambda event: event.received_at)
    dies_before = random.randrange(len(events))
    steps = [(event.received_at, place) for place, event in enumerate(events)]
    for now, place in sorted(steps + [(look, len(events)) for look in looks if look >= steps[0][0]]):
        if place == dies_before:
            lives.die()
        if place < len(events):
            lives.take(events[place])
            came.append(events[place])
        else:
            lives.wait(now)
            expected = model(came, now)
            found = [alert.severity.value for alert in find_open(lives.changes) if is_of_boat(alert)]
            assert sorted(found) == sorted(expected), (now - START) / MINUTE


def is_of_boat(alert: Alert) -> bool:
    return alert.asset_id == BOAT


def in_order(events: Sequence[Event]) -> list[Event]:
    """Leave out repetitions and what was overtaken by something newer of its kind."""
    newest: dict[type[Payload], datetime] = {}
    kept = []
    for event in events:
        if event.asset_id == BOAT and event.observed_at > newest.get(type(event.data), BEFORE):
            newest[type(event.data)] = event.observed_at
            kept.append(event)
    return kept


def of_trip(events: Sequence[Event], trip: str) -> list[Event]:
    return [event for event in events if getattr(event.data, "trip", "") == trip]


def last_of(events: Sequence[Event], kind: type[Payload], after: datetime = BEFORE) -> Event | None:
    """Give the newest of a kind; of two of the same instant the one that came first."""
    found = [event for event in events if isinstance(event.data, kind) and event.observed_at > after]
    return max(found, key=lambda event: event.observed_at, default=None)


def expect_of_lists(events: Sequence[Event], now: datetime) -> list[str]:
    """Rule 26: a list that differs, or none five minutes after a departure that was told within half an hour."""
    expected = []
    for trip in TRIPS:
        own = of_trip(events, trip)
        back = last_of(own, VesselArrival)
        over_at = BEFORE if back is None else back.observed_at
        left = last_of([event for event in own if event.lateness <= 30 * MINUTE], VesselDeparture, over_at)
        if left is None or not isinstance(left.data, VesselDeparture):
            continue
        declared = last_of(own, VesselManifest, over_at)
        if declared is None:
            expected += ["minor"] if now >= left.observed_at + 5 * MINUTE else []
        elif isinstance(declared.data, VesselManifest) and left.data.pax_count not in {None, declared.data.pax_count}:
            expected.append("major")
    return expected


@pytest.mark.parametrize("seed", range(40))
def test_lists_of_passengers_are_missing_or_wrong_as_the_plain_model_says(seed):
    random = Random(seed)
    events, looks = [], set()
    delays = (0, 0, 5, 60, 300, 1500, 1800, 1860)
    for trip in TRIPS:
        left_at = random.randrange(0, 3600, 30)
        where = {"trip": trip, "port": "tuan-chau"}
        for _ in range(random.randint(1, 3)):
            left = VesselDeparture(**where, pax_count=random.choice([None, 40, 41]))
            events.append(told(left, left_at + random.choice([0, 0, 60]), random.choice(delays)))
        for _ in range(random.randint(0, 3)):
            second = left_at + random.choice([-600, -60, 0, 240, 300, 301, 600, 1200])
            declared = VesselManifest(**where, pax_count=random.choice([40, 40, 41]))
            events.append(told(declared, second, random.choice(delays)))
        if random.random() < 0.6:
            second = left_at + random.choice([200, 900, 3600])
            events.append(told(VesselArrival(**where), second, random.choice(delays)))
    for event in events:
        looks |= {event.received_at, event.observed_at + 5 * MINUTE, event.observed_at + 6 * MINUTE}
    compare(MANIFEST, events, looks, expect_of_lists, random)


def expect_unseen(events: Sequence[Event], now: datetime) -> list[str]:
    """Rule 27: every three minutes since a departure it is looked whether the boat was seen, while others are heard."""
    kept = in_order(events)
    left = next((event for event in kept if isinstance(event.data, VesselDeparture)), None)
    if left is None or left.lateness > 15 * MINUTE:
        return []
    is_open, looked_at = False, left.observed_at
    shown = [event for event in kept if not isinstance(event.data, VesselDeparture)]
    seen_at = min((event.received_at for event in shown if event.observed_at >= left.observed_at), default=None)
    heard = [event.received_at for event in events if isinstance(event.data, VesselPosition)]
    while (looked_at := looked_at + 3 * MINUTE) <= now:
        if looked_at > left.received_at and (seen_at is None or looked_at < seen_at):
            is_open = is_open or any(looked_at - 3 * MINUTE <= once <= looked_at for once in heard)
    return ["major"] if is_open and (seen_at is None or seen_at > now) else []


@pytest.mark.parametrize("seed", range(40))
def test_boats_that_left_are_unseen_as_the_plain_model_says(seed):
    random = Random(seed)
    deaf_from = random.choice([0, 600, 1200, 9000, 9000, 9000])
    seconds = [second for second in range(7, 5400, 59) if not deaf_from <= second < deaf_from + 900]
    others = VesselPosition(sog_kn=5.0)
    events = [told(others, second, boat=OTHER_BOAT, **BAY) for second in seconds]
    left_at = random.randrange(300, 2400, 30)
    left = VesselDeparture(trip="T1", port="tuan-chau")
    delays = [random.choice([0, 1, 30, 170, 180, 181, 600, 900, 901]) for _ in range(random.randint(1, 2))]
    events += [told(left, left_at, delay_s) for delay_s in delays]
    for _ in range(random.randint(0, 2)):
        second = left_at + random.choice([-60, -1, 0, 1, 100, 179, 200, 900])
        events.append(told(VesselPosition(sog_kn=5.0), second, random.choice([0, 0, 30, 400]), **BAY))
    looks = {at(left_at) + number * MINUTE for number in range(40)}
    compare(UNSEEN, events, looks, expect_unseen, random)


def expect_lost(events: Sequence[Event], now: datetime) -> list[str]:
    """Rule 23: under way at sea, five minutes ago and five of its own intervals, which are all short here."""
    kept = in_order(events)
    if not kept or now < kept[-1].received_at + 5 * MINUTE:
        return []
    last = kept[-1].data
    assert isinstance(last, VesselPosition)
    lies = last.nav_status in {1, 5} if last.sog_kn is None else last.sog_kn < 1.0
    return [] if lies or kept[-1].lon_deg == PORT["lon_deg"] else ["major"]


@pytest.mark.parametrize("seed", range(40))
def test_signals_are_lost_as_the_plain_model_says(seed):
    random = Random(seed)
    events = [told(VesselPosition(sog_kn=9.0), second, boat=OTHER_BOAT, **BAY) for second in range(3, 4800, 97)]
    second, speed, place, looks = 0, 8.0, BAY, set()
    while second < 3600:
        speed = random.choice([8.0, 0.0, 0.9, 1.0, None]) if random.random() < 0.1 else speed
        place = random.choice([BAY, BAY, PORT]) if random.random() < 0.1 else place
        position = VesselPosition(sog_kn=speed, nav_status=random.choice([None, 0, 5]))
        delays = [random.choice([0, 0, 2, 20]) for _ in range(random.choice([1, 1, 1, 2]))]
        events += [told(position, second, delay_s, **place) for delay_s in delays]
        heard_at = events[-1].received_at
        looks |= {heard_at, heard_at + timedelta(seconds=299), heard_at + 5 * MINUTE}
        second += random.choice([10, 10, 20, 30, 30, 700, 900, 1500])
    compare(LOST, events, looks, expect_lost, random)
