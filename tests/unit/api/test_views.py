"""How an alert looks over REST."""

from __future__ import annotations

from ioc.api.views import ALERT_FIELDS, to_alert, to_alert_row
from ioc.domain.alert_machines import decide_condition
from tests.support.alerts import decide


def test_an_alert_has_its_fingerprint_and_the_alias_that_alertmanager_knows_it_by():
    [alert] = decide_condition(None, decide())
    shown = to_alert(alert)
    assert shown["fingerprint"] == alert.fingerprint.hex()
    # FNV-1a-64 over asset_id 0xFF air.hong-gai 0xFF rule_id 0xFF air-pm25 0xFF.
    assert shown["fingerprint_fnv1a"] == "2db0f9bfb9c29584"
    assert len(to_alert_row(alert)) == len(ALERT_FIELDS)
