"""docs/asyncapi.yaml says what the code does: the same frames, the same fields, the same codes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest
import yaml

from ioc.api.views import ALERT_FIELDS
from ioc.api.wall import protocol
from ioc.api.wall.feed_states import FEED_FIELDS
from ioc.api.wall.hub import INDICATOR_FIELDS
from ioc.api.wall.picture import FIELDS
from ioc.api.wall.session import Session
from ioc.storage.accounts import Account

DOCUMENT = yaml.safe_load((Path(__file__).resolve().parents[3] / "docs" / "asyncapi.yaml").read_text("utf-8"))
MESSAGES = DOCUMENT["components"]["messages"]
SPOKEN = {struct.__struct_config__.tag: struct for struct in get_args(protocol.Frame)}
UNSERVED = {struct.__struct_config__.tag for struct in get_args(protocol.Unserved)}
WISHES = {"rate", "filter", "fields"}


def test_a_wall_may_say_exactly_the_frames_that_are_described():
    described = {ref["$ref"].rsplit("/", 1)[1] for ref in DOCUMENT["operations"]["speak"]["messages"]}
    assert described == SPOKEN.keys() - UNSERVED
    said = {ref["$ref"].rsplit("/", 1)[1] for ref in DOCUMENT["operations"]["show"]["messages"]}
    assert described | said == MESSAGES.keys() == DOCUMENT["channels"]["wall"]["messages"].keys()
    assert not described & said


@pytest.mark.parametrize("name", sorted(SPOKEN.keys() - UNSERVED))
def test_a_frame_of_a_wall_has_the_fields_that_are_described(name):
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(SPOKEN[name])}
    payload = MESSAGES[name]["payload"]
    assert payload["properties"].keys() - {"t"} == fields.keys() - WISHES
    assert set(payload["required"]) - {"t"} == {field for field, is_required in fields.items() if is_required}


def test_every_close_code_is_described():
    text = DOCUMENT["info"]["description"]
    for code in protocol.Close:
        # 1001 is the bare end of a connection that went away by itself.
        assert str(code.value) in text or code is protocol.Close.GOING_AWAY, code


def test_a_heartbeat_has_the_fields_that_are_described():
    payload = MESSAGES["hb"]["payload"]
    session = Session(Account(name="truc", display_name="", roles=(), department=None, disabled=False), print, int)
    sent = []
    for unjudged_since in (None, 1_796_000_000_000):
        session.beat(12, unjudged_since)
        sent.append(msgspec.json.decode(str(session.next_frame()).encode()).keys())
    assert [set(fields) for fields in sent] == [set(payload["required"]), set(payload["properties"])]


def test_every_channel_is_described_with_its_fields_in_order():
    text = " ".join(DOCUMENT["components"]["schemas"]["Row"]["description"].split())
    channels = {**FIELDS, "kpi:province": INDICATOR_FIELDS, "feeds": FEED_FIELDS}
    for name, fields in channels.items():
        assert f"`{name}` {' '.join(fields)}" in text, name
    assert set(DOCUMENT["components"]["schemas"]["Channel"]["enum"]) == {*channels, "alerts"}
    assert tuple(DOCUMENT["components"]["schemas"]["Alert"]["properties"]) == ALERT_FIELDS
