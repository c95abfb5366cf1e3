"""Trying a file says of it what parsing it says, record by record, whatever feed it is."""

from __future__ import annotations

import json

import pytest

from connectors.feed import Form
from connectors.trial import try_feed
from tests.support.feeds import RECEIVED_AT, RECORDINGS, Recording, fresh_feed


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.feed_id)
def test_a_trial_makes_the_same_events_and_the_same_refusals(recording: Recording):
    whole = fresh_feed(recording.feed_id)
    parsed = whole.parse(recording.read(), received_at=RECEIVED_AT, form=recording.form)
    rejected = [*parsed.rejected, *whole.flush().rejected]
    feed = fresh_feed(recording.feed_id)
    trials = list(try_feed(feed, recording.read(), form=recording.form, received_at=RECEIVED_AT))
    assert [event.event_id for trial in trials for event in trial.events] == [e.event_id for e in parsed.events]
    refusals = [reason for trial in trials for reason in trial.refusals]
    assert sorted(refusals) == sorted(record.reason for record in rejected)
    assert all(trial.events or trial.refusals or trial.ignored_because for trial in trials)


def test_records_of_a_sound_list_are_told_apart():
    records = [{"station": "air.hong-gai", "time": "2026-11-23T08:30:00+07:00", "pm25": 5}, {"station": 5}]
    feed = fresh_feed("air")
    first, second = try_feed(feed, json.dumps(records).encode(), form=Form.JSON, received_at=RECEIVED_AT)
    assert (first.index, len(first.events), first.refusals) == (1, 1, [])
    assert (second.index, second.raw, second.events) == (2, b'{"station": 5}', [])
    assert second.refusals
