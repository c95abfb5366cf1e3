"""The real server side of the wall for tests: hub, socket, REST, event log and store, served on the loopback.

``WallClient`` is a wall without a screen: it follows the protocol strictly and fails on any frame that breaks it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from jsonschema import Draft202012Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ioc.api.app import create_app
from ioc.api.services import ApiServices, Services
from ioc.api.serving import serve
from ioc.bootstrap.edge import make_api
from ioc.bootstrap.foundations import Foundations, open_foundations
from ioc.ports import Clock
from ioc.settings import Settings
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.feed_status import FeedStatusStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import enqueue
from tests.support.servers import REPOSITORY

DEADLINE_S = 15.0
PASSWORD = "mat-khau-cua-bai-thu"
SCHEMA = "ioc"
_COMPONENTS = yaml.safe_load((REPOSITORY / "docs" / "asyncapi.yaml").read_text("utf-8"))["components"]
_VALIDATORS = {
    name: Draft202012Validator({"components": _COMPONENTS, "$ref": f"#/components/messages/{name}/payload"})
    for name in _COMPONENTS["messages"]
}
_MOST_CHECKED_ROWS = 100


async def prepare(url: str) -> None:
    """Make the schema, for ``fresh_database``."""
    await migrate_database(url, schema=SCHEMA)


@dataclass(kw_only=True)
class LiveWall:
    """A served wall and the parts behind it."""

    port: int
    api: ApiServices
    base: Foundations
    store: PostgresBatchStore

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/v1"

    @property
    def statuses(self) -> FeedStatusStore:
        return FeedStatusStore(self.base.database, self.base.clock)

    async def add_person(self, name: str = "truc", *roles: str) -> None:
        await self.api.accounts.add_account(
            name=name, display_name=f"Ca trực {name}", password=PASSWORD, roles=roles or ("operator",)
        )

    async def ticket(self, name: str = "truc") -> str:
        account = await self.api.accounts.verify(name, PASSWORD)
        assert account is not None
        session_token, _ = await self.api.accounts.open_session(account)
        return (await self.api.accounts.issue_ticket(account, session_token=session_token))[0]

    @asynccontextmanager
    async def client(self, name: str = "truc", **options: Any) -> AsyncIterator[WallClient]:
        """A wall that has been welcomed."""
        async with WallClient.connected(self.url, await self.ticket(name), **options) as client:
            yield client


@asynccontextmanager
async def open_wall(
    folder: Path, database_url: str, *, port: int = 0, clock: Clock | None = None
) -> AsyncIterator[LiveWall]:
    """Serve the real thing until the block ends, on a free port unless one is given."""
    settings = Settings.model_validate({"data_dir": folder, "store": {"url": database_url}})
    async with open_foundations(settings, clock=clock) as base:
        api = make_api(base)
        app = create_app(Services(clock=base.clock, api=api))
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            hub = group.create_task(api.hub.run())
            serving = group.create_task(serve(app, host="127.0.0.1", port=port, stop=stop, on_ready=ready.set_result))
            store = PostgresBatchStore(base.database, alerts=AlertWriter(enqueue))
            async with asyncio.timeout(DEADLINE_S):
                wall = LiveWall(port=await ready, api=api, base=base, store=store)
            try:
                yield wall
            finally:
                stop.set()
                await serving
                hub.cancel()


class WallClient:
    """A wall without a screen: rows by channel and id, the alerts seen, and every frame that came."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: deque[dict[str, Any]] = deque(maxlen=50_000)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.fields: dict[str, list[str]] = {}
        self.at: dict[str, tuple[str | int, int]] = {}
        self.events: list[dict[str, Any]] = []
        self._parts: dict[str, list[list[Any]]] = {}
        self._id = 0

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, token: str, **options: Any) -> AsyncIterator[Self]:
        options = {"subprotocols": [Subprotocol("qnioc.v1.json")], "max_size": None, "compression": None, **options}
        async with connect(url, **options) as socket:
            client = cls(socket)
            await socket.send(json.dumps({"t": "hello", "token": token, "client": "test", "lang": "vi"}))
            await client.until(lambda: client.has("welcome"))
            yield client

    def has(self, kind: str, **wanted: object) -> bool:
        """Whether a frame of this type, with these fields, has come."""
        return bool(self.find(kind, **wanted))

    def find(self, kind: str, **wanted: object) -> list[dict[str, Any]]:
        """Give the frames of this type with these fields, in order."""
        found = [frame for frame in self.frames if frame["t"] == kind]
        return [frame for frame in found if wanted.items() <= frame.items()]

    async def send(self, kind: str, **fields: object) -> int:
        """Send a frame with the next id."""
        self._id += 1
        await self.socket.send(json.dumps({"t": kind, "id": self._id, **fields}))
        return self._id

    async def follow(self, channel: str, **fields: object) -> None:
        """Subscribe and wait until the channel is there."""
        known = len(self.find("snap", ch=channel, last=True)) + len(self.find("d", ch=channel, resumed=True))
        await self.send("sub", ch=channel, **fields)
        await self.until(
            lambda: (
                len(self.find("snap", ch=channel, last=True)) + len(self.find("d", ch=channel, resumed=True)) > known
            )
        )

    async def receive(self) -> dict[str, Any]:
        """Take one frame in."""
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        if len(frame.get("set") or frame.get("rows") or ()) <= _MOST_CHECKED_ROWS:
            _VALIDATORS[frame["t"]].validate(frame)
        self.frames.append(frame)
        match frame["t"]:
            case "snap":
                self._take_snapshot(frame)
            case "d":
                self._take_delta(frame)
            case "ev":
                self._take_event(frame)
        return frame

    async def until(self, condition: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> None:
        """Take frames in until the condition holds."""
        async with asyncio.timeout(deadline_s):
            while not condition():
                await self.receive()

    def _take_snapshot(self, frame: dict[str, Any]) -> None:
        channel = frame["ch"]
        parts = self._parts.setdefault(channel, [])
        assert frame["part"] == len(parts)
        assert len(frame["rows"]) <= 1_000
        parts.append(frame["rows"])
        if frame["last"]:
            self.fields[channel] = frame["f"]
            objects = [dict(zip(frame["f"], row, strict=True)) for part in parts for row in part]
            self.rows[channel] = {one["id"]: one for one in objects}
            self.at[channel] = (frame["epoch"], frame["seq"])
            del self._parts[channel]

    def _take_delta(self, frame: dict[str, Any]) -> None:
        channel = frame["ch"]
        assert channel not in self._parts, "a delta came into the middle of a snapshot"
        assert (frame["epoch"], frame["prev"]) == self.at[channel], "a delta does not fit what came before"
        self.at[channel] = (frame["epoch"], frame["seq"])
        for row in frame["set"]:
            one = dict(zip(self.fields[channel], row, strict=True))
            self.rows[channel][one["id"]] = one
        for key in frame["del"]:
            self.rows[channel].pop(key, None)

    def _take_event(self, frame: dict[str, Any]) -> None:
        channel, event = frame["ch"], frame["e"]
        assert channel not in self._parts, "an event came into the middle of a snapshot"
        assert frame["seq"] > self.at[channel][1], "an event came twice or out of order"
        self.at[channel] = (frame["epoch"], frame["seq"])
        self.events.append(event)
        alert = event["alert"]
        if alert["ended_at"] is not None and alert["operator"] == "normal":
            self.rows[channel].pop(alert["id"], None)
        else:
            self.rows[channel][alert["id"]] = {name: alert[name] for name in self.fields[channel]}
