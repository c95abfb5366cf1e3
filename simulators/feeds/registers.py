"""The programme's registers: 47 tasks, figures, classes and milestones that somebody brings up to date now and then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from simulators.message import Message
from simulators.province import PROVINCE_TIME, Process, World
from simulators.working_time import WorkingTime

TASKS_COUNT, CLASSES_COUNT = 47, 30
DONE_SHARE, OVERDUE_COUNT = 0.4, 2
"""Of the tasks at the start (assumed)."""
EVERY_H = 0.6
"""Working hours from one entry to the next (assumed)."""
OWNERS = (
    "Sở Khoa học và Công nghệ", "Sở Nội vụ", "Sở Tài chính", "Sở Xây dựng", "Sở Nông nghiệp và Môi trường",
    "Sở Văn hóa, Thể thao và Du lịch", "Công an tỉnh", "Ban Quản lý Khu kinh tế",
)  # fmt: skip
WORKS = ("Kết nối dữ liệu", "Hoàn thiện hạ tầng", "Số hóa hồ sơ", "Tập huấn cán bộ", "Vận hành thử", "Ban hành quy chế")
INDICATORS = (
    ("digital-economy", 7.1, "%", "2024-1"), ("pii-rank", 3.0, "hạng", "1"), ("communes-covered", 100.0, "%", "1"),
    ("it-spending", 1.1, "%", "1"), ("cases-online", 62.0, "%", "2"), ("cases-on-time", 98.7, "%", "2"),
    ("digital-signatures", 71.0, "%", "1"), ("etax", 97.0, "%", "1"),
)  # fmt: skip
"""Figures that the programme names, with a value to begin with; the values are assumed but for the first."""
PROJECTS = ("tuan-chau", "hi-tech-park", "smart-gate", "smart-bay")
MILESTONES_COUNT = 5
TOPICS = ("Kỹ năng số cơ bản", "Chữ ký số", "An toàn thông tin", "Trí tuệ nhân tạo cho công việc")


class Registers(Process):
    """Entries of the registers. All that stands in them is handed over at the start; then one after the other moves."""

    feed_id = "registers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._time = WorkingTime(world)
        self._today = world.start_at.astimezone(PROVINCE_TIME).date()
        self._entries: list[dict[str, Any]] = [
            *self._make_tasks(), *self._make_indicators(), *self._make_classes(), *self._make_milestones()
        ]  # fmt: skip
        self._handed_over = [
            self._to_message(world.start_at - self.in_(3_600, 9 * 86_400), entry) for entry in self._entries
        ]
        self.schedule(self._next(world.start_at), None)

    def beginning(self) -> Iterator[Message]:
        """Give every register as it stands."""
        yield from self._handed_over

    def act(self, at: datetime, item: None) -> Iterator[Message]:
        """Bring one entry up to date."""
        self.schedule(self._next(at), item)
        entry = self.random.choice(self._entries)
        self._move_on(entry)
        yield self._to_message(at, entry)

    def _next(self, at: datetime) -> datetime:
        return self._time.add(at, self.random.expovariate(1 / EVERY_H))

    def _move_on(self, entry: dict[str, Any]) -> None:
        if entry["type"] == "indicator":
            entry["value"] = round(entry["value"] * self.random.uniform(0.995, 1.005), 2)
        elif entry["type"] == "training":
            if entry["status"] == "planned" and date.fromisoformat(entry["held_on"]) <= self._today:
                entry.update(status="held", people=round(entry["planned"] * self.random.uniform(0.85, 1.0)))
        elif entry["status"] in ("open", "planned", "late"):
            entry["progress_pct"] = min(100.0, entry["progress_pct"] + self.random.choice((0.0, 5.0, 10.0)))
            if entry["progress_pct"] >= 100:
                entry["status"] = "done" if entry["type"] == "directive" else "reached"

    def _in_days(self, low: int, high: int) -> str:
        return (self._today + timedelta(days=self.random.randint(low, high))).isoformat()

    def _make_tasks(self) -> Iterator[dict[str, Any]]:
        for number in range(1, TASKS_COUNT + 1):
            is_done = number <= round(TASKS_COUNT * DONE_SHARE)
            is_overdue = number > TASKS_COUNT - OVERDUE_COUNT
            yield {
                "type": "directive", "no": str(number), "owner": self.random.choice(OWNERS),
                "status": "done" if is_done else "open",
                "due_on": self._in_days(-90, -1) if is_done or is_overdue else self._in_days(10, 300),
                "progress_pct": 100.0 if is_done else float(self.random.randrange(5, 90, 5)),
                "title": f"{self.random.choice(WORKS)} (nhiệm vụ {number})",
                "contact": {"name": "Nguyễn Văn Thử"},
            }  # fmt: skip

    def _make_indicators(self) -> Iterator[dict[str, Any]]:
        for name, value, unit, method_version in INDICATORS:
            yield {
                "type": "indicator", "indicator": name, "period": str(self._today.year), "value": value, "unit": unit,
                "method_version": method_version, "source": "Cục Thống kê",
            }  # fmt: skip

    def _make_classes(self) -> Iterator[dict[str, Any]]:
        for number in range(1, CLASSES_COUNT + 1):
            planned, is_held = self.random.randrange(140, 195), number <= CLASSES_COUNT // 2
            yield {
                "type": "training", "session": f"{self._today.year}-{number:03d}",
                "topic": self.random.choice(TOPICS), "status": "held" if is_held else "planned",
                "held_on": self._in_days(-150, -1) if is_held else self._in_days(0, 60),
                "people": round(planned * self.random.uniform(0.85, 1.0)) if is_held else None, "planned": planned,
            }  # fmt: skip

    def _make_milestones(self) -> Iterator[dict[str, Any]]:
        for project in PROJECTS:
            for number in range(1, MILESTONES_COUNT + 1):
                is_reached = number <= 2
                yield {
                    "type": "milestone", "project": project, "no": str(number),
                    "status": "reached" if is_reached else "planned",
                    "due_on": self._in_days(-200, -20) if is_reached else self._in_days(30, 500),
                    "progress_pct": 100.0 if is_reached else float(self.random.randrange(0, 70, 5)),
                    "title": f"{self.random.choice(WORKS)} ({project}, mốc {number})",
                }  # fmt: skip

    def _to_message(self, at: datetime, entry: dict[str, Any]) -> Message:
        record = {**entry, "time": self.world.write_time(at)}
        return Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())
