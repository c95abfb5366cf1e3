"""One-stop offices: cases come in with the working day, walk from desk to desk, are paid for, closed and rated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import load_units
from simulators.message import Message
from simulators.province import Process, World
from simulators.working_time import DAY_H, WorkingTime

CASES_PER_DAY = 4_260
"""Of a working day (447,203 from January to May 2025, press)."""
AFTER_HOURS_SHARE = 0.06
"""How fast cases come while offices are closed, filed from home, beside the working hours (assumed)."""
TERMS = ((4.0, 35), (3 * DAY_H, 40), (5 * DAY_H, 15), (15 * DAY_H, 10))
"""Terms in working hours and how often of a hundred (assumed)."""
PROCEDURES = ("1.004222", "2.000815", "1.001193", "2.000635", "1.012784", "1.003583", "2.002620", "1.001776")
OPEN_COUNT, OVERDUE_SHARE, CLOSED_COUNT = 300, 0.03, 90
"""What the offices hold at the start (assumed): open cases, those of them past their term, and some just closed."""
ONLINE_SHARE, PAID_SHARE, RATED_SHARE, SUPPLEMENT_SHARE, LATE_SHARE = 0.62, 0.4, 0.3, 0.04, 0.01
FEES_VND = (0, 8_000, 15_000, 50_000, 150_000, 500_000)
_RATINGS = ((5, 70), (4, 22), (3, 5), (2, 2), (1, 1))
_STALL_H = (1.2, 2.5)
"""How many terms a stalled case waits."""


@dataclass(slots=True)
class Case:
    """One case: ``slowness`` is the share of its term that it takes."""

    number: str
    unit: str
    procedure: str
    filed_at: datetime
    term_h: float
    due_at: datetime
    is_online: bool
    slowness: float


class OneStopOffices(Process):
    """Cases of the 54 units; a scale has more of them. What is open at the start is handed over with its last state."""

    feed_id = "tthc"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._time = WorkingTime(world)
        self._units = [unit.code for unit in load_units()]
        self._weights = [{"phuong": 5, "xa": 2, "dac_khu": 2}[unit.kind] for unit in load_units()]
        self._number = 0
        self._handed_over = list(self._hand_over())
        self.schedule(world.start_at + self.in_(0, 10), "next")

    def beginning(self) -> Iterator[Message]:
        """Give the last state of open cases and of some that were just closed."""
        yield from self._handed_over

    def act(self, at: datetime, item: Any) -> Iterator[Message]:
        """File a case, or have one reach its next state."""
        if item != "next":
            case, what = item
            yield from self._reach(at, case, what)
            return
        per_s = CASES_PER_DAY / (DAY_H * 3_600) * self.world.scale * self.world.scenario.busy
        if not self._time.is_open(at):
            per_s *= AFTER_HOURS_SHARE
        self.schedule(at + timedelta(seconds=self.random.expovariate(max(1e-4, per_s))), item)
        case = self._make(at, self.random.choices(*zip(*TERMS, strict=True))[0])
        yield from self._reach(at, case, "received")

    def _make(self, filed_at: datetime, term_h: float) -> Case:
        self._number += 1
        unit = self.random.choices(self._units, self._weights)[0]
        is_late = self.random.random() < LATE_SHARE
        return Case(
            number=f"H49.{unit}-{self.world.start_at:%y%m%d%H%M}-{self._number:06d}",
            unit=unit,
            procedure=f"{self.random.choice(PROCEDURES)}.H49",
            filed_at=filed_at,
            term_h=term_h,
            due_at=self._time.add(filed_at, term_h),
            is_online=self.random.random() < ONLINE_SHARE or not self._time.is_open(filed_at),
            slowness=self.random.uniform(1.05, 1.6) if is_late else self.random.uniform(0.15, 0.8),
        )

    def _reach(self, at: datetime, case: Case, status: str) -> Iterator[Message]:
        if status == "rating":
            stars, weights = zip(*_RATINGS, strict=True)
            yield self._to_message(at, case, {"type": "rating", "rating": self.random.choices(stars, weights)[0]})
            return
        if status == "done" and self._stalls(at):
            self.schedule(self._time.add(at, case.term_h * self.random.uniform(*_STALL_H)), (case, "done"))
            return
        yield self._to_message(at, case, self._step(at, case, status))
        if status == "received":
            if self.random.random() < PAID_SHARE:
                channel = "online" if case.is_online else "counter"
                fee = {"type": "payment", "amount": self.random.choice(FEES_VND), "channel": channel}
                yield self._to_message(at, case, {**fee, "payer": "Nguyễn Văn Thử"})
            self.schedule(self._time.add(at, min(0.5, case.term_h * 0.1) * self.random.random()), (case, "processing"))
        elif status == "processing":
            needs_more = self.random.random() < SUPPLEMENT_SHARE
            left_h = case.term_h * case.slowness * (0.4 if needs_more else 1.0)
            self.schedule(self._time.add(at, left_h), (case, "supplement" if needs_more else "done"))
        elif status == "supplement":
            self.schedule(self._time.add(at, case.term_h * 0.2 * self.random.random()), (case, "processing"))
        elif self.random.random() < RATED_SHARE:
            self.schedule(at + self.in_(60, 7_200), (case, "rating"))

    def _stalls(self, at: datetime) -> bool:
        """Say whether a case that should be done now is left lying, as a scenario has it."""
        return any(
            self.random.random() < strength * float(effect.facts["share"])
            for effect, strength in self.world.acting("tthc.slow", at)
        )

    def _step(self, at: datetime, case: Case, status: str) -> dict[str, Any]:
        write = self.world.write_time
        return {
            "type": "case", "procedure": case.procedure, "status": status, "filed_at": write(case.filed_at),
            "due_at": write(case.due_at), "done_at": write(at) if status == "done" else None,
            "online": case.is_online, "applicant": "Nguyễn Văn Thử", "id_number": "022000000000",
        }  # fmt: skip

    def _to_message(self, at: datetime, case: Case, record: dict[str, Any]) -> Message:
        head = {"case": case.number, "unit": case.unit, "time": self.world.write_time(at)}
        return Message(at, self.feed_id, json.dumps({**record, **head}, ensure_ascii=False).encode())

    def _hand_over(self) -> Iterator[Message]:
        """Make cases of the days before: open ones that will be done in time, some past their term, some closed."""
        start_at = self.world.start_at
        late_count = round(OPEN_COUNT * OVERDUE_SHARE)
        for number in range(OPEN_COUNT + CLOSED_COUNT):
            is_closed, is_overdue = number >= OPEN_COUNT, number < late_count
            case, done_at = self._recall(is_closed=is_closed, is_overdue=is_overdue)
            if is_closed:
                yield self._to_message(done_at, case, self._step(done_at, case, "done"))
                continue
            begun_at = self._time.add(case.filed_at, 0.2)
            status, at = ("processing", begun_at) if begun_at < start_at else ("received", case.filed_at)
            yield self._to_message(at, case, self._step(at, case, status))
            self.schedule(max(done_at, start_at), (case, "done"))

    def _recall(self, *, is_closed: bool, is_overdue: bool) -> tuple[Case, datetime]:
        """Draw a case of the days before until one is as it is asked for; the last drawn is taken in any case."""
        start_at = self.world.start_at
        terms = [term_h for term_h, _ in TERMS if term_h > DAY_H]
        for _ in range(200):
            term_h = self.random.choice(terms)
            days = term_h / DAY_H * 1.4 * self.random.uniform(0.02, 2.0 if is_overdue or is_closed else 0.9)
            case = self._make(start_at - timedelta(days=days), term_h)
            if is_overdue:
                case.slowness = self.random.uniform(1.6, 2.4)
            done_at = self._time.add(case.filed_at, term_h * case.slowness)
            if (done_at < start_at) is is_closed and (case.due_at < start_at) is (is_overdue and not is_closed):
                break
        return case, done_at
