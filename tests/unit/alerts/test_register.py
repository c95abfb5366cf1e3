"""The register of suppressions as matchers over alerts: what an entry covers, and what names one condition alone."""

from __future__ import annotations

from uuid import UUID

import pytest

from alerts.notification.matchers import Matchers
from alerts.notification.register import RegisterEntry, find_cover, name_condition
from ioc.domain.alert_machines import decide_condition
from ioc.domain.alerts import Alert, ChangeType, OperatorState
from ioc.errors import RefusedActionError
from tests.support.alerts import at, decide


def _alert(*changes, **others) -> Alert:
    [alert] = decide_condition(None, decide(**others))
    for change in changes:
        [alert] = decide_condition(alert, change)
    return alert


def _entry(matchers: Matchers | str, number: int = 1) -> RegisterEntry:
    return RegisterEntry(
        suppression_id=UUID(int=number), state=OperatorState.SUPPRESSED, starts_at=at(number), ends_at=at(60),
        matchers=Matchers.parse(matchers) if isinstance(matchers, str) else matchers, author="giang", reason="sửa trạm",
        created_at=at(number),
    )  # fmt: skip


def test_a_condition_is_named_by_its_rule_and_its_identity():
    alert = _alert(labels=(("asset", "air.hong-gai"), ("rule", "air-pm25")))
    named = name_condition(alert)
    assert named.to_text() == "rule=air-pm25 asset=air.hong-gai"
    assert _entry(named).covers(alert)
    assert not _entry(named).covers(_alert(labels=(("asset", "air.x"), ("rule", "air-pm25")), asset_id="air.x"))


@pytest.mark.parametrize("value", ["Cửa Ông, bến 2", 'ghi "chú"', "~x", "\\", ""])
def test_whatever_a_label_says_its_condition_can_be_named(value):
    alert = _alert(labels=(("place", value),))
    assert _entry(name_condition(alert)).covers(alert)
    assert not _entry(name_condition(alert)).covers(_alert(labels=(("place", value + "2"),)))


@pytest.mark.parametrize("labels", [(("place", "x" * 201),), (("Place Name", "x"),)])
def test_a_condition_that_matchers_cannot_say_is_refused(labels):
    with pytest.raises(RefusedActionError) as refused:
        name_condition(_alert(labels=labels))
    assert refused.value.code == "cannot_name"


@pytest.mark.parametrize(
    ("matchers", "names_only"),
    [
        ("rule=air-pm25 asset_id=air.hong-gai rule_id=air-pm25", True),
        ("rule=air-pm25 asset_id=air.hong-gai rule_id=air-pm25 severity>=major", True),
        ("rule=air-pm25", False),
        ("asset=air.hong-gai", False),
        ("rule=air-pm25 asset_id=~air.hong-gai rule_id=air-pm25", False),
    ],
)
def test_an_entry_is_one_alerts_own_only_if_it_names_all_of_its_identity(matchers, names_only):
    alert = _alert()
    assert _entry(matchers).covers(alert)
    assert _entry(matchers).names_only(alert) is names_only


def test_what_is_over_or_in_shadow_is_covered_by_nothing():
    everything = _entry("rule!=x")
    assert everything.covers(_alert())
    assert not everything.covers(_alert(shadow=True))
    assert not everything.covers(_alert(decide(ChangeType.RESOLVED, 5)))


def test_of_the_entries_that_cover_an_alert_the_newest_decides():
    entries = [_entry("feed=air", 2), _entry("unit=06652", 3), _entry("feed=ais", 4), _entry("rule=air-pm25", 1)]
    assert find_cover(entries, _alert()) == entries[1]
    assert find_cover(entries[2:3], _alert()) is None
