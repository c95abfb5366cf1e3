"""A small province that moves the same way every time: what the fake wall server shows."""

from __future__ import annotations

import math
from typing import Any

Row = list[Any]

VESSEL_FIELDS = ["id", "lon", "lat", "sog_kn", "cog_deg", "name", "pax_count", "zone", "at", "q"]
TRUCK_FIELDS = ["id", "lon", "lat", "step", "lane", "goods", "gate", "at", "q"]
SENSOR_FIELDS = ["id", "lon", "lat", "kind", "name", "unit_code", "values", "at", "q"]
CROWD_FIELDS = [
    "id", "lon", "lat", "name", "density_p_m2", "people_count", "capacity_count", "in_count", "out_count", "at", "q",
]  # fmt: skip
KPI_FIELDS = ["id", "value", "unit", "limit", "at", "q", "spark"]
FEED_FIELDS = [
    "id", "state", "last_at", "received_at", "rate_per_min", "expected_period_s", "assets", "dead_letters",
]  # fmt: skip
ALERT_FIELDS = [
    "id", "rev", "severity", "condition", "operator", "rule_id", "asset_id", "unit_code", "zone_id", "title_vi",
    "title_en", "detail_vi", "detail_en", "value", "limit", "quantity_unit", "lon", "lat", "observed_at", "started_at",
    "decided_at", "ended_at", "acked_by", "acked_at", "labels", "flapping", "flip_count",
]  # fmt: skip

STATIONS = [
    ("air.hon_gai", 107.085, 20.951, "Hòn Gai", "06685", 72),
    ("air.bai_chay", 107.035, 20.965, "Bãi Cháy", "06673", 58),
    ("air.cam_pha", 107.282, 21.008, "Cẩm Phả", "06793", 134),
    ("air.uong_bi", 106.771, 21.035, "Uông Bí", "06811", 88),
    ("air.mao_khe", 106.598, 21.066, "Mạo Khê", "07069", 96),
    ("air.quang_yen", 106.802, 20.942, "Quảng Yên", "07132", 64),
    ("air.mong_cai", 107.962, 21.523, "Móng Cái", "06712", 47),
    ("air.van_don", 107.418, 21.066, "Vân Đồn", "06994", 39),
    ("air.tien_yen", 107.402, 21.332, "Tiên Yên", "06862", 42),
    ("air.binh_lieu", 107.398, 21.527, "Bình Liêu", "06838", 28),
    ("air.dam_ha", 107.602, 21.358, "Đầm Hà", "06895", 33),
    ("air.co_to", 107.768, 20.981, "Cô Tô", "07192", 22),
]
CROWDS = [
    ("site.sun_world", 107.040, 20.951, "Sun World Hạ Long", 0.8, 6_120, 22_000),
    ("site.titop", 107.081, 20.859, "Đảo Ti Tốp", 1.6, 1_840, 2_500),
    ("site.sung_sot", 107.091, 20.845, "Hang Sửng Sốt", 1.1, 960, 1_800),
    ("site.yen_tu", 106.724, 21.152, "Yên Tử", 0.3, 3_410, 30_000),
    ("site.tra_co", 108.023, 21.478, "Bãi biển Trà Cổ", 0.2, 2_200, 18_000),
]
GATES = [("Bắc Luân II", 107.948, 21.516), ("Km3+4", 107.925, 21.535)]
BAY = [
    (106.99, 20.915),
    (107.06, 20.86),
    (107.12, 20.83),
    (107.2, 20.88),
    (107.3, 20.93),
    (107.46, 20.93),
    (107.75, 20.96),
]
FEEDS = [
    ("ais", 41, 10), ("air", 12, 300), ("metar", 1, 1_800), ("border", 6, 60), ("tourism", 30, 60),
    ("unit_reports", 2, 600), ("cap", 0, 900), ("cameras", 969, 60), ("citizens", 0.4, 900), ("energy", 228, 300),
    ("networks", 63, 60), ("passengers", 4, 300), ("ports", 3, 600), ("registers", 0.1, 36_000), ("traffic", 1_179, 60),
    ("transit", 144, 60), ("tthc", 2, 600),
]  # fmt: skip
KPIS = [
    ("kpi.alerts_open", 0.0, "cảnh báo", None),
    ("kpi.feeds_fresh_pct", 97.1, "%", 95.0),
    ("kpi.units_reporting", 51.0, "đơn vị", 54.0),
    ("kpi.vessels_moving", 38.0, "tàu", None),
    ("kpi.vessels_silent", 2.0, "tàu", 5.0),
    ("kpi.visitors_now", 14_530.0, "người", 80_000.0),
    ("kpi.trucks_in_yard", 112.0, "xe", 150.0),
    ("kpi.aqi_max", 134.0, "AQI", 150.0),
]


def _along(route: list[tuple[float, float]], share: float) -> tuple[float, float, float]:
    """Point and course (degrees) at a share 0…1 of a route."""
    legs = len(route) - 1
    leg = min(int(share * legs), legs - 1)
    (lon_a, lat_a), (lon_b, lat_b) = route[leg], route[leg + 1]
    part = share * legs - leg
    course = math.degrees(math.atan2((lon_b - lon_a) * math.cos(math.radians(21)), lat_b - lat_a)) % 360
    return lon_a + (lon_b - lon_a) * part, lat_a + (lat_b - lat_a) * part, course


class World:
    """Rows of every state channel as a function of the step count and the server's time in milliseconds."""

    def __init__(self, *, vessel_count: int = 60) -> None:
        self.vessel_count = vessel_count
        self.stale_ids: set[str] = {"vessel.7", "vessel.23"}
        self.lost_feeds: set[str] = set()
        self.open_alert_count = 0

    def rows(self, channel: str, step: int, now_ms: int) -> list[Row]:
        """All rows of ``channel``; silent assets keep an old time and quality 2."""
        build = {
            "map:vessels": self._vessels, "map:trucks": self._trucks, "map:sensors": self._sensors,
            "map:crowd": self._crowds, "kpi:province": self._kpis, "feeds": self._feeds,
        }[channel]  # fmt: skip
        return build(step, now_ms)

    def _seal(self, asset_id: str, now_ms: int) -> list[int]:
        return [now_ms - 900_000, 2] if asset_id in self.stale_ids else [now_ms - 2_000, 0]

    def _vessels(self, step: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for index in range(self.vessel_count):
            asset_id = f"vessel.{index}"
            if index % 3 == 0:
                lon, lat, course = 107.03 + (index % 7) * 0.006, 20.935 + (index % 5) * 0.004, 0.0
                speed = 0.1
            else:
                at = step if asset_id not in self.stale_ids else 0
                share = (index * 0.061 + at * 0.0015) % 1
                lon, lat, course = _along(BAY, share)
                lon, lat, speed = (
                    lon + ((index * 37) % 11 - 5) * 0.008,
                    lat + ((index * 53) % 9 - 4) * 0.008,
                    6.0 + index % 7,
                )
            name = f"Hạ Long {index:02d}"
            seal = self._seal(asset_id, now_ms)
            rows.append(
                [asset_id, round(lon, 6), round(lat, 6), speed, round(course, 1), name, 20 + index % 30, None, *seal]
            )
        return rows

    def _trucks(self, step: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for index in range(14):
            gate, lon, lat = GATES[index % 2]
            x, y = lon - (index // 2) * 0.008, lat - (index // 2) * 0.004
            seal = self._seal(f"truck.{index}", now_ms)
            rows.append([f"truck.{index}", x, y, "weigh", "green", "Sầu riêng", gate, *seal])
        return rows

    def _sensors(self, step: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for asset_id, lon, lat, name, unit_code, aqi in STATIONS:
            values = {"pm25_ug_m3": round(aqi * 0.42, 1), "pm10_ug_m3": round(aqi * 0.7, 1), "vn_aqi": aqi}
            rows.append([asset_id, lon, lat, "env.air.reading", name, unit_code, values, *self._seal(asset_id, now_ms)])
        return rows

    def _crowds(self, step: int, now_ms: int) -> list[Row]:
        return [
            [asset_id, lon, lat, name, density, people + step % 5, capacity, 120, 80, *self._seal(asset_id, now_ms)]
            for asset_id, lon, lat, name, density, people, capacity in CROWDS
        ]

    def _kpis(self, step: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for kpi_id, value, unit, limit in KPIS:
            now_value = float(self.open_alert_count) if kpi_id == "kpi.alerts_open" else value
            spark = [round(now_value * (1 + 0.05 * math.sin(minute / 7 + len(kpi_id))), 1) for minute in range(59)]
            rows.append([kpi_id, now_value, unit, limit, *self._seal(kpi_id, now_ms), [*spark, now_value]])
        return rows

    def _feeds(self, step: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for feed_id, rate, period_s in FEEDS:
            state = "lost" if feed_id in self.lost_feeds else "never" if rate == 0 else "live"
            age_ms = period_s * (3_500 if state == "lost" else 200)
            last_at = None if state == "never" else now_ms - age_ms
            rows.append([feed_id, state, last_at, last_at, rate, period_s, rate, 0])
        return rows


def history_points(from_ms: int, to_ms: int) -> list[list[float | None]]:
    """A day in quarter hours with a gap of one hour and a half in it."""
    step_ms = 900_000
    first = from_ms // step_ms * step_ms
    points: list[list[float | None]] = []
    for index, at in enumerate(range(first, to_ms, step_ms)):
        gap = 40 <= index < 46
        points.append([at, None if gap else round(38 + 16 * math.sin(index / 11) + 5 * math.sin(index / 2.7), 1)])
    return points


def build_alert(alert_id: str, *, at_ms: int, severity: str = "critical", **changes: object) -> dict[str, Any]:
    """An open, unacknowledged alert with every field of the contract."""
    alert: dict[str, Any] = {
        "id": alert_id, "rev": 1, "severity": severity, "condition": "firing", "operator": "unacknowledged",
        "rule_id": "air.vn_aqi_hour", "asset_id": "air.cam_pha", "unit_code": "06793", "zone_id": None,
        "title_vi": "Không khí rất xấu tại trạm Cẩm Phả", "title_en": "Very unhealthy air at Cẩm Phả station",
        "detail_vi": "VN_AQI giờ vượt ngưỡng, do bụi PM2,5.",
        "detail_en": "The hourly VN_AQI is above its limit, driven by PM2.5.",
        "value": 212.0, "limit": 200.0, "quantity_unit": "µg/m³", "lon": 107.282, "lat": 21.008,
        "observed_at": at_ms - 60_000, "started_at": at_ms - 30_000, "decided_at": at_ms, "ended_at": None,
        "acked_by": None, "acked_at": None, "labels": {"rule": "air.vn_aqi_hour", "quantity": "pm25_ug_m3"},
        "flapping": False, "flip_count": 0,
    }  # fmt: skip
    assert set(changes) <= set(ALERT_FIELDS)
    return alert | changes
