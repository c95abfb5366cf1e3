"""A server that speaks the wall's contract with a deterministic province behind it, for tests and for looking.

It runs uvicorn in a thread; tests steer it from outside: freeze, forced gap, kill and restart, alerts, conflicts.
Run it by hand with ``python -m tests.support.wall_server`` and sign in as ``operator`` / ``operator``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from tests.support import wall_world
from tests.support.wall_world import ALERT_FIELDS, World, build_alert, history_points

REPOSITORY = Path(__file__).resolve().parents[2]
WALL = REPOSITORY / "ioc" / "wall"
GEODATA = REPOSITORY / "geo" / "data"
CONTENT_POLICY = "default-src 'self'"
STATE_FIELDS = {
    "map:vessels": wall_world.VESSEL_FIELDS,
    "map:trucks": wall_world.TRUCK_FIELDS,
    "map:sensors": wall_world.SENSOR_FIELDS,
    "map:crowd": wall_world.CROWD_FIELDS,
    "kpi:province": wall_world.KPI_FIELDS,
    "feeds": wall_world.FEED_FIELDS,
}
EMPTY = {"type": "FeatureCollection", "features": []}


def now_ms() -> int:
    """Server time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ListeningServer(uvicorn.Server):
    """Says when the port is really open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # Told to hurry, uvicorn leaves its connections behind, also those that come in at the last moment.
        for _ in range(4):
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0.005)


class Wall:
    """One connected page."""

    def __init__(self, websocket: WebSocket, now: Callable[[], int]) -> None:
        self.websocket = websocket
        self.now = now
        self.channels: set[str] = set()
        self.lang = ""

    async def send(self, frame: dict[str, Any]) -> None:
        await self.websocket.send_text(json.dumps({"ts": self.now(), **frame}, ensure_ascii=False))


class WallServer:
    """Everything the page talks to: static files, REST, geodata and the live protocol."""

    def __init__(self, *, heartbeat_s: float = 1.0, tick_s: float = 0.5, content_policy: str = CONTENT_POLICY) -> None:
        self.port = free_port()
        self.heartbeat_s = heartbeat_s
        self.tick_s = tick_s
        self.ahead_ms = 0
        """How far the server's clock, which pages follow, runs ahead of the machine's."""
        self.content_policy = content_policy
        self.world = World()
        self.alerts: dict[str, dict[str, Any]] = {}
        self.journal: dict[str, list[dict[str, Any]]] = {}
        self.walls: set[Wall] = set()
        self.received: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.policy_reports: list[str] = []
        self.held_acknowledgements = threading.Event()
        self.has_held_one = threading.Event()
        self._held_events: list[dict[str, Any]] = []
        self._sessions: dict[str, dict[str, Any]] = {}
        self._tickets: set[str] = set()
        self.unjudged_since: int | None = None
        """Since when no alert is judged, as heartbeats say it."""
        self._frozen = threading.Event()
        self._gaps: set[str] = set()
        self._step = 0
        self._seqs: dict[str, int] = {}
        self._event_id = 1_000
        self._epoch = 0

    # Life

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; a restart has a new epoch for state channels, and keeps alerts and sessions."""
        self._epoch += 1
        self._seqs = dict.fromkeys(STATE_FIELDS, 0)
        config = uvicorn.Config(
            self._build_app(), host="127.0.0.1", port=self.port, log_level="critical", ws="websockets-sansio",
            ws_per_message_deflate=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = ListeningServer(config)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self._thread.start()
        if not self._server.listening.wait(10):
            raise TimeoutError("the wall server did not start")

    def stop(self) -> None:
        """End it with every connection still open, as a killed process would."""
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join(15)
        self._listener.close()
        self.walls.clear()

    def freeze(self) -> None:
        """Stop sending, keep every connection open."""
        self._frozen.set()

    def thaw(self) -> None:
        """Send again."""
        self._frozen.clear()

    def open_gap(self, channel: str) -> None:
        """Let one delta of ``channel`` get lost on the way."""
        self._gaps.add(channel)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # Alerts

    def raise_alert(self, alert: dict[str, Any]) -> None:
        """A new alert fires."""
        self._call(self._publish(alert, "fired", None))

    def change_alert(self, alert_id: str, event_type: str, actor: str | None = None, **changes: object) -> None:
        """The engine or another operator changes an alert; its revision goes up."""
        alert = self.alerts[alert_id]
        self._call(self._publish(alert | changes | {"rev": alert["rev"] + 1}, event_type, actor))

    def change_alert_silently(self, alert_id: str, **changes: object) -> None:
        """Another operator was faster, and the event has not reached the walls yet."""
        alert = self.alerts[alert_id]
        self.alerts[alert_id] = alert | changes | {"rev": alert["rev"] + 1}

    def release_acknowledgements(self) -> None:
        """Send the events that were held back."""
        self.held_acknowledgements.clear()
        held, self._held_events = self._held_events, []
        self._call(self._broadcast_all("alerts", held))

    async def _broadcast_all(self, channel: str, frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            await self._broadcast(channel, frame)

    async def _publish(
        self, alert: dict[str, Any], event_type: str, actor: str | None, reason: str | None = None
    ) -> None:
        self._event_id += 1
        event = {"event_id": self._event_id, "type": event_type, "at": now_ms(), "actor": actor, "reason": reason}
        self.alerts[alert["id"]] = alert
        self.journal.setdefault(alert["id"], []).append(event)
        if alert["ended_at"] is not None and alert["operator"] == "normal":
            del self.alerts[alert["id"]]
        self.world.open_alert_count = len(self.alerts)
        frame = {"t": "ev", "ch": "alerts", "epoch": "journal", "seq": self._event_id, "e": event | {"alert": alert}}
        if event_type == "acknowledged" and self.held_acknowledgements.is_set():
            self._held_events.append(frame)
            self.has_held_one.set()
        else:
            await self._broadcast("alerts", frame)

    # Live protocol

    async def _broadcast(self, channel: str, frame: dict[str, Any]) -> None:
        for wall in list(self.walls):
            if channel in wall.channels:
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                    await wall.send(frame)

    async def _snapshot(self, wall: Wall, channel: str, *, why: str | None = None) -> None:
        if channel == "alerts":
            epoch: str | int = "journal"
            fields, seq = ALERT_FIELDS, self._event_id
            rows = [[alert[field] for field in ALERT_FIELDS] for alert in self.alerts.values()]
        else:
            epoch, fields, seq = self._epoch, STATE_FIELDS[channel], self._seqs[channel]
            rows = self.world.rows(channel, self._step, now_ms())
        size = 40
        parts = [rows[at : at + size] for at in range(0, len(rows), size)] or [[]]
        for number, part in enumerate(parts):
            frame: dict[str, Any] = {
                "t": "snap",
                "ch": channel,
                "epoch": epoch,
                "seq": seq,
                "f": fields,
                "part": number,
            }
            frame |= {"last": number == len(parts) - 1, "rows": part, "resumed": False}
            await wall.send(frame | ({"why": why} if why else {}))

    async def _tick(self) -> None:
        beat_at = 0.0
        while True:
            await asyncio.sleep(self.tick_s)
            if self._frozen.is_set():
                continue
            self._step += 1
            at = now_ms()
            for channel in STATE_FIELDS:
                self._seqs[channel] += 1
                frame = {
                    "t": "d", "ch": channel, "epoch": self._epoch, "prev": self._seqs[channel] - 1,
                    "seq": self._seqs[channel], "set": self.world.rows(channel, self._step, at), "del": [],
                }  # fmt: skip
                if channel in self._gaps:
                    self._gaps.discard(channel)
                    continue
                await self._broadcast(channel, frame)
            if time.monotonic() - beat_at >= self.heartbeat_s:
                beat_at = time.monotonic()
                beat = {"t": "hb", "seqs": {**self._seqs, "alerts": self._event_id}, "lag_ms": 3}
                if self.unjudged_since is not None:
                    beat["unjudged_since"] = self.unjudged_since
                for wall in list(self.walls):
                    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                        await wall.send(beat)

    async def _serve_wall(self, websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="qnioc.v1.json")
        wall = Wall(websocket, lambda: now_ms() + self.ahead_ms)
        try:
            hello = json.loads(await asyncio.wait_for(websocket.receive_text(), 5))
            if hello.get("t") != "hello" or hello.get("token") not in self._tickets:
                await websocket.close(4401)
                return
            self._tickets.discard(hello["token"])
            wall.lang = hello["lang"]
            self.walls.add(wall)
            await wall.send({"t": "welcome", "sid": secrets.token_hex(4), "user": "operator", "roles": ["operator"],
                             "hb": self.heartbeat_s, "limits": {}, "tz": "Asia/Ho_Chi_Minh", "v": 1})  # fmt: skip
            while True:
                await self._answer(wall, json.loads(await websocket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self.walls.discard(wall)

    async def _answer(self, wall: Wall, frame: dict[str, Any]) -> None:
        self.received.append(frame)
        if self._frozen.is_set():
            return
        match frame["t"]:
            case "sub":
                await wall.send({"t": "ok", "id": frame["id"]})
                resume = frame.get("resume")
                await self._snapshot(wall, frame["ch"], why="epoch" if resume else None)
                wall.channels.add(frame["ch"])
            case "resync":
                await self._snapshot(wall, frame["ch"], why="old")
            case _:
                await wall.send({"t": "ok", "id": frame["id"]})

    # REST

    def _user(self, request: Request) -> dict[str, Any] | None:
        return self._sessions.get(request.cookies.get("ioc_session", ""))

    def _build_app(self) -> FastAPI:
        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._loop = asyncio.get_running_loop()
            ticking = asyncio.create_task(self._tick())
            yield
            ticking.cancel()

        app = FastAPI(lifespan=lifespan)

        @app.middleware("http")
        async def guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
            self.requests.append(request.url.path)
            open_paths = ("/wall/", "/api/v1/auth/login", "/policy-report")
            if self._user(request) is None and not request.url.path.startswith(open_paths):
                response: Response = _problem(401, "Not signed in")
            else:
                response = await proceed(request)
            response.headers["Content-Security-Policy"] = self.content_policy
            response.headers["Cache-Control"] = "no-cache"
            return response

        self._add_auth(app)
        self._add_alerts(app)
        self._add_readings(app)
        app.websocket("/ws/v1")(self._serve_wall)
        app.mount("/wall", StaticFiles(directory=WALL, html=True))
        return app

    def _add_auth(self, app: FastAPI) -> None:
        @app.post("/api/v1/auth/login")
        async def login(request: Request) -> Response:
            body = await request.json()
            if body["username"] != body["password"]:
                return _problem(401, "Wrong user name or password")
            key = secrets.token_hex(16)
            user = {"name": body["username"], "display_name": "Trần Minh Ca trực", "roles": [body["username"]]}
            self._sessions[key] = {"user": user, "csrf": secrets.token_hex(8)}
            response = JSONResponse(self._sessions[key])
            response.set_cookie("ioc_session", key, httponly=True, samesite="strict")
            return response

        @app.get("/api/v1/auth/me")
        async def me(request: Request) -> Response:
            return JSONResponse(self._user(request))

        @app.post("/api/v1/auth/logout")
        async def logout(request: Request) -> Response:
            self._sessions.pop(request.cookies["ioc_session"])
            return JSONResponse({})

        @app.post("/api/v1/auth/ws-ticket")
        async def ticket(request: Request) -> Response:
            session = self._user(request)
            if session is None or request.headers.get("X-CSRF-Token") != session["csrf"]:
                return _problem(403, "CSRF token missing")
            token = secrets.token_hex(16)
            self._tickets.add(token)
            return JSONResponse({"token": token, "expires_at": "2099-01-01T00:00:00Z"})

    def _add_alerts(self, app: FastAPI) -> None:
        @app.get("/api/v1/alerts/{alert_id}")
        async def one(alert_id: str) -> Response:
            return JSONResponse({"alert": self.alerts.get(alert_id), "events": self.journal.get(alert_id, [])})

        @app.get("/api/v1/alerts/{alert_id}/routing")
        async def routing(alert_id: str) -> dict[str, Any]:
            about = {"department": "ioc-shift", "reason": "first", "receivers_count": 0}
            told = {"at": self.alerts[alert_id]["started_at"], **about}
            held = {"why": "inhibited", "by": "other", "until": None}
            return {"alert_id": alert_id, "held": held, "groups": [], "notifications": [told]}

        @app.get("/api/v1/alerts/{alert_id}/why")
        async def why(alert_id: str) -> dict[str, Any]:
            met = {"is_met": True, "text_vi": "im lặng 4 phút (>= 3 phút)", "text_en": "silent for 4 min (>= 3 min)"}
            lacking = {"is_met": False, "text_vi": "đủ khi khác", "text_en": "another would do"}
            window = {"name": "rain_24h", "value": 112.5}
            return {"grounds": {"parts": [met, lacking]}, "window_state": {"windows": [window]}}

        @app.post("/api/v1/alerts/{alert_id}/acknowledge")
        async def acknowledge(alert_id: str, request: Request) -> Response:
            session = self._user(request)
            if session is None or request.headers.get("X-CSRF-Token") != session["csrf"]:
                return _problem(403, "CSRF token missing")
            body = await request.json()
            current = self.alerts[alert_id]
            if body["expected_revision"] != current["rev"]:
                return _problem(409, "The alert has changed", current=current)
            name = session["user"]["name"]
            alert = current | {
                "rev": current["rev"] + 1,
                "operator": "acknowledged",
                "acked_by": name,
                "acked_at": now_ms(),
            }
            await self._publish(alert, "acknowledged", name, body.get("comment"))
            return JSONResponse(alert)

        @app.get("/api/v1/rules")
        async def rules() -> Response:
            steps_vi = "1. Gọi trạm đo để kiểm tra số liệu.\n2. Báo Sở Nông nghiệp và Môi trường.\n3. Phát khuyến cáo."
            steps_en = "1. Call the station to check the reading.\n2. Tell the environment department.\n3. Advise."
            return JSONResponse(
                {"items": [{"id": "air.vn_aqi_hour", "procedure_vi": steps_vi, "procedure_en": steps_en}]}
            )

        @app.get("/api/v1/indicators")
        async def indicators() -> Response:
            floors = {"kpi.feeds_fresh_pct", "kpi.units_reporting"}
            items = [{"id": name, "is_floor": name in floors} for name, *_ in wall_world.KPIS]
            return JSONResponse({"items": items})

    def _add_readings(self, app: FastAPI) -> None:
        @app.get("/api/v1/history/{kind}/{asset_id}")
        async def history(kind: str, asset_id: str, quantity: str) -> Response:
            points = history_points(now_ms() - 86_400_000, now_ms())
            unit = "µg/m³" if quantity.endswith("_ug_m3") else ""
            facts = {"kind": kind, "asset_id": asset_id, "quantity": quantity, "unit": unit, "bucket": "15m"}
            return JSONResponse(facts | {"aggregate": "mean", "points": points, "truncated": False})

        @app.get("/api/v1/geo/{name}.geojson")
        async def geodata(name: str) -> Response:
            path = GEODATA / f"{name}.geojson"
            return FileResponse(path, media_type="application/geo+json") if path.is_file() else JSONResponse(EMPTY)


def _problem(status: int, title: str, **more: object) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, **more},
        status_code=status,
        media_type="application/problem+json",
    )


def main() -> None:
    """Serve until interrupted, with alerts of every priority."""
    server = WallServer(heartbeat_s=10, tick_s=1)
    server.start()
    for number, severity in enumerate(["critical", "major", "minor", "info"]):
        server.raise_alert(build_alert(f"demo-{number}", at_ms=now_ms(), severity=severity))
    print(f"{server.url}/wall/  (operator / operator)")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    server.stop()


if __name__ == "__main__":
    main()
