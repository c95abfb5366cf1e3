"""Indicators of the watch itself: alerts by level, how fast people took them up, how fresh the feeds are, boats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ioc.domain.alerts import Alert, Severity
from ioc.domain.quantities import Quality
from ioc.indicators.indicator import Definition, Figure, Indicator

_DAY = timedelta(hours=24)

ALERTS_OPEN = Definition(
    indicator_id="kpi.alerts_open", place=1, name_vi="Cảnh báo đang mở", name_en="Open alerts", unit="",
    method_vi="Số cảnh báo còn trong danh sách trực, mọi mức.", method_en="Alerts on the operators' list, all levels.",
)  # fmt: skip
ALERTS_CRITICAL = Definition(
    indicator_id="kpi.alerts_critical", place=17, name_vi="Cảnh báo mức 1", name_en="Critical alerts", unit="", limit=0,
    method_vi="Số cảnh báo mức nghiêm trọng nhất còn mở.", method_en="Open alerts of the highest level.",
)  # fmt: skip
ALERTS_MAJOR = Definition(
    indicator_id="kpi.alerts_major", place=18, name_vi="Cảnh báo mức 2", name_en="Major alerts", unit="", limit=0,
    method_vi="Số cảnh báo mức cao còn mở.", method_en="Open alerts of the second level.",
)  # fmt: skip
ACKNOWLEDGED_AFTER = Definition(
    indicator_id="kpi.mtta_min", place=19, name_vi="Thời gian xác nhận (MTTA)", name_en="Time to acknowledge (MTTA)",
    unit="min", limit=10, method_vi="Trung bình từ lúc cảnh báo đến lúc xác nhận, các lần xác nhận trong 24 giờ.",
    method_en="Mean time from the alert to its acknowledgement, of the acknowledgements within 24 hours.",
)  # fmt: skip
ENDED_AFTER = Definition(
    indicator_id="kpi.mttr_min", place=20, name_vi="Thời gian kết thúc (MTTR)", name_en="Time to resolution (MTTR)",
    unit="min", method_vi="Trung bình từ lúc bắt đầu đến lúc hết điều kiện, các cảnh báo kết thúc trong 24 giờ.",
    method_en="Mean time from the beginning to the end of the condition, of the alerts that ended within 24 hours.",
)  # fmt: skip


class OpenAlerts(Indicator):
    """Alerts on the operators' list, of some levels."""

    def __init__(self, definition: Definition, severities: frozenset[Severity]) -> None:
        self.definition, self._severities = definition, severities
        self._open: dict[str, int] = {}

    def take_alert(self, alert: Alert) -> None:
        """Take a change in."""
        key = str(alert.alert_id)
        if alert.is_open and not alert.shadow and alert.severity in self._severities:
            self._open[key] = alert.revision
        elif self._open.get(key, 0) <= alert.revision:
            self._open.pop(key, None)

    def figure(self, now: datetime) -> Figure:
        """Count them: the journal is followed without end, so the count is of now."""
        return Figure(len(self._open), now, limit=self.definition.limit)


class MeanTime(Indicator):
    """Mean time from an alert's beginning to a moment of it, over the moments of 24 hours."""

    def __init__(self, definition: Definition, moment_of: Callable[[Alert], datetime | None]) -> None:
        self.definition, self._moment_of = definition, moment_of
        self._known: dict[str, tuple[datetime, float]] = {}

    def take_alert(self, alert: Alert) -> None:
        """Take a change in: the first moment of each alert counts."""
        moment = None if alert.shadow else self._moment_of(alert)
        if moment is not None:
            minutes = max(0.0, (moment - alert.started_at) / timedelta(minutes=1))
            self._known.setdefault(str(alert.alert_id), (moment, minutes))

    def figure(self, now: datetime) -> Figure:
        """Give the mean."""
        for key in [key for key, (moment, _) in self._known.items() if moment < now - _DAY]:
            del self._known[key]
        if not self._known:
            return Figure(None, None, limit=self.definition.limit)
        mean = sum(minutes for _, minutes in self._known.values()) / len(self._known)
        return Figure(round(mean, 1), max(at for at, _ in self._known.values()), limit=self.definition.limit)


class FeedsFresh(Indicator):
    """Feeds that deliver as often as they should."""

    definition = Definition(
        indicator_id="kpi.feeds_fresh_pct", place=2, name_vi="Nguồn còn mới", name_en="Fresh feeds", unit="%",
        limit=95, is_floor=True, method_vi="Tỷ lệ nguồn có số liệu trong hai chu kỳ của nó.",
        method_en="Share of the feeds heard of within two of their periods.",
    )  # fmt: skip

    def __init__(self, feeds: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._feeds = feeds

    def figure(self, now: datetime) -> Figure:
        """Give the share of the feeds as they were judged last."""
        feeds = self._feeds()
        if not feeds:
            return Figure(None, None, limit=95)
        live = sum(feed["state"] == "live" for feed in feeds)
        return Figure(round(100 * live / len(feeds), 1), now, limit=95)


VESSELS = (
    ("moving", Definition(
        indicator_id="kpi.vessels_moving", place=4, name_vi="Tàu đang chạy", name_en="Vessels under way", unit="",
        method_vi="Số tàu đang gửi vị trí và chạy từ 0,5 hải lý/giờ.",
        method_en="Vessels that report now and make 0.5 knots or more.",
    )),
    ("sheltered", Definition(
        indicator_id="kpi.vessels_sheltered", place=21, name_vi="Tàu trong bến, nơi tránh trú",
        name_en="Vessels in port or shelter", unit="",
        method_vi="Số tàu đang gửi vị trí, nằm yên trong vùng bến cảng hoặc nơi tránh trú.",
        method_en="Vessels that report now and lie still in the area of a port or shelter.",
    )),
    ("silent", Definition(
        indicator_id="kpi.vessels_silent", place=5, name_vi="Tàu mất tín hiệu", name_en="Silent vessels", unit="",
        limit=0,
        method_vi="Số tàu đã thấy trong 24 giờ mà nay quá hạn gửi vị trí.",
        method_en="Vessels seen within 24 hours whose position is overdue.",
    )),
)  # fmt: skip


class VesselCount(Indicator):
    """Vessels by what they do, as the live map counts them."""

    def __init__(
        self,
        definition: Definition,
        count: Callable[[], int],
        heard: Callable[[datetime], tuple[datetime | None, Quality]],
    ) -> None:
        self.definition, self._count, self._heard = definition, count, heard

    def figure(self, now: datetime) -> Figure:
        """Give the count; None while nothing was ever heard."""
        newest_at, quality = self._heard(now)
        return Figure(None if newest_at is None else self._count(), newest_at, quality, self.definition.limit)
