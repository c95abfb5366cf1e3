"""Whatever groups one alert is in: what one leaves to another, the same people are told there."""

from __future__ import annotations

from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from alerts.notification.covering import Cover, Covering, Elsewhere
from alerts.notification.flood import FloodLimits
from alerts.notification.policy import Policy, Route

ALERT = UUID(int=1)
NAMES = "abc"
groups = st.lists(st.tuples(st.frozensets(st.sampled_from(NAMES), min_size=1), st.booleans()), min_size=1, max_size=4)


def _leave(told: list[tuple[frozenset[str], bool]]) -> list[Cover | None]:
    """What each of some groups does with an alert that is in all of them; they tell whom, and have done so or not."""
    routes = tuple(Route(route_id=f"r{place}", departments=tuple(names)) for place, (names, _) in enumerate(told))
    covering = Covering(Policy(root=Route(route_id="root", children=routes), timing={}, flood=FloodLimits()))
    everywhere = [
        Elsewhere(route_id=f"r{place}", departments=names, has_told=has_told)
        for place, (names, has_told) in enumerate(told)
    ]
    return [
        covering.find(
            f"r{place}",
            names,
            {ALERT: [other for number, other in enumerate(everywhere) if number != place]},
            {ALERT} if has_told else (),
        ).get(ALERT)
        for place, (names, has_told) in enumerate(told)
    ]


@given(groups)
def test_nobody_is_left_out_and_nobody_who_was_told_is_forgotten(told):
    stays = [one for one, cover in zip(told, _leave(told), strict=True) if cover is not Cover.LEAVE]
    assert frozenset().union(*(names for names, _ in stays)) == frozenset().union(*(names for names, _ in told))
    for names, has_told in told:
        assert not has_told or any(names <= others and knows for others, knows in stays)


@given(groups)
def test_of_two_groups_one_of_which_tells_all_that_the_other_tells_one_speaks(told):
    """But where both told it before they met."""
    speaking = [one for one, cover in zip(told, _leave(told), strict=True) if cover is None]
    for (mine, has_told), (others, have_told) in permutations(speaking, 2):
        assert not mine <= others or (mine == others and has_told and have_told)


@given(groups)
def test_who_awaits_another_group_leaves_when_that_has_told(told):
    for place, cover in enumerate(_leave(told)):
        if cover is Cover.AWAIT:
            later = [(names, True) for names, _ in told]
            assert _leave(later)[place] is Cover.LEAVE


def test_a_route_without_ends_takes_no_alert_from_one_that_tells_them():
    quiet = Route(route_id="quiet", departments=("a", "b"), wants_ends=False)
    covering = Covering(Policy(root=Route(route_id="root", departments=("a",), children=(quiet,)), timing={}))
    other = Elsewhere(route_id="quiet", departments=frozenset("ab"), has_told=True)
    assert covering.find("root", ("a",), {ALERT: [other]}, ()) == {}
    back = Elsewhere(route_id="root", departments=frozenset("ab"), has_told=True)
    assert covering.find("quiet", ("a", "b"), {ALERT: [back]}, ()) == {ALERT: Cover.LEAVE}


def test_a_group_of_a_route_that_is_gone_takes_no_alert():
    covering = Covering(Policy(root=Route(route_id="root", departments=("a",)), timing={}))
    other = Elsewhere(route_id="gone", departments=frozenset("ab"), has_told=True)
    assert covering.find("root", ("a",), {ALERT: [other]}, ()) == {}
