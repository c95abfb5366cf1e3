"""Indicators of what stands now: one figure from the newest report of every asset."""

from __future__ import annotations

from datetime import datetime, timedelta

from ioc.domain.events import Event
from ioc.domain.kinds import Crowd, DatabaseCalls, Directive, Outage, TruckStep, UnitReport
from ioc.domain.quantities import Quality
from ioc.indicators.indicator import PROVINCE_TIME, Definition, Figure, Indicator
from ioc.indicators.newest import FreshSum

UNITS_COUNT = 54
DATABASES_COUNT = 14
TASKS_COUNT = 47
_REPORTED = frozenset({"submitted", "accepted"})
_YARD_STEPS = frozenset({"arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan", "handover"})
_TRUCK_GONE_AFTER = timedelta(hours=24)
_MOST_ERRORS_SHARE = 0.05


class UnitsReporting(Indicator):
    """Communes, wards and special zones whose report of today is in."""

    kinds = (UnitReport,)
    definition = Definition(
        indicator_id="kpi.units_reporting", place=3, name_vi="Xã, phường đã báo cáo", name_en="Units reporting",
        unit=f"/{UNITS_COUNT}", limit=UNITS_COUNT, is_floor=True,
        method_vi="Số xã, phường, đặc khu có báo cáo ngày hôm nay đã gửi hoặc được nhận.",
        method_en="Communes, wards and special zones whose report of today was submitted or accepted.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._days = FreshSum(None)

    def take(self, event: Event) -> None:
        """Note the day of a unit's newest report."""
        report = event.data
        if isinstance(report, UnitReport):
            is_in = report.status in _REPORTED
            self._days.put(event.asset_id, event.observed_at, float(report.report_on.toordinal()) if is_in else None)

    def figure(self, now: datetime) -> Figure:
        """Count the reports of today."""
        today = now.astimezone(PROVINCE_TIME).date().toordinal()
        count = sum(day == today for day in self._days.values())
        return Figure(count if len(self._days) else None, self._days.newest_at, limit=UNITS_COUNT)


class Visitors(Indicator):
    """People at the sites that count them, against what the sites hold."""

    kinds = (Crowd,)
    definition = Definition(
        indicator_id="kpi.visitors_now", place=6, name_vi="Khách tại các điểm", name_en="Visitors on site",
        unit="", method_vi="Tổng số người tại các điểm đang gửi số liệu; giới hạn là tổng sức chứa đã công bố.",
        method_en="People at all sites that report now; the limit is the sum of their stated capacities.",
    )  # fmt: skip

    def __init__(self, stale_after: timedelta | None) -> None:
        self._people, self._capacity = FreshSum(stale_after), FreshSum(None)

    def take(self, event: Event) -> None:
        """Take a count in."""
        if isinstance(event.data, Crowd):
            people, capacity = event.data.people_count, event.data.capacity_count
            self._people.put(event.asset_id, event.observed_at, None if people is None else float(people))
            self._capacity.put(event.asset_id, event.observed_at, None if capacity is None else float(capacity))

    def figure(self, now: datetime) -> Figure:
        """Sum the sites that speak."""
        quality = self._people.settle(now)
        value = self._people.total if self._people.count else None
        return Figure(value, self._people.newest_at, quality, self._capacity.total or None)


class TrucksInYard(Indicator):
    """Trucks between the yard's entrance and the hand-over."""

    kinds = (TruckStep,)
    definition = Definition(
        indicator_id="kpi.trucks_in_yard", place=7, name_vi="Xe trong bãi", name_en="Trucks in yards", unit="",
        method_vi="Số chuyến xe có bước gần nhất từ vào bãi đến bàn giao, trong 24 giờ qua.",
        method_en="Trips whose newest step, within 24 hours, lies between arrival in the yard and hand-over.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._trucks = FreshSum(_TRUCK_GONE_AFTER)

    def take(self, event: Event) -> None:
        """Take a step in."""
        if isinstance(event.data, TruckStep):
            self._trucks.put(event.asset_id, event.observed_at, 1.0 if event.data.step in _YARD_STEPS else None)

    def figure(self, now: datetime) -> Figure:
        """Count the trucks that are in."""
        self._trucks.settle(now)
        self._trucks.forget_silent()
        heard = self._trucks.newest_at is not None
        return Figure(self._trucks.count if heard else None, self._trucks.newest_at)


class CustomersOff(Indicator):
    """Customers without power in the whole province."""

    kinds = (Outage,)
    definition = Definition(
        indicator_id="kpi.customers_off", place=9, name_vi="Khách hàng mất điện", name_en="Customers without power",
        unit="", limit=5_000, method_vi="Tổng số khách hàng mất điện theo báo cáo gần nhất của từng xã, phường.",
        method_en="Customers without power after the newest report of each unit.",
    )  # fmt: skip

    def __init__(self, stale_after: timedelta | None) -> None:
        self._off, self._speaking = FreshSum(None), FreshSum(stale_after)

    def take(self, event: Event) -> None:
        """Take a unit's state in."""
        if isinstance(event.data, Outage):
            for held in (self._off, self._speaking):
                held.put(event.asset_id, event.observed_at, float(event.data.customers_off_count))

    def figure(self, now: datetime) -> Figure:
        """Sum the newest words of all units: one that falls silent has not got its power back."""
        quality = self._speaking.settle(now)
        return Figure(self._off.total if self._speaking.count else None, self._off.newest_at, quality, 5_000)


class DatabasesHealthy(Indicator):
    """National databases that answer."""

    kinds = (DatabaseCalls,)
    definition = Definition(
        indicator_id="kpi.databases_healthy", place=16, name_vi="CSDL quốc gia thông suốt",
        name_en="National databases healthy", unit=f"/{DATABASES_COUNT}", limit=DATABASES_COUNT, is_floor=True,
        method_vi="Số cơ sở dữ liệu quốc gia có kỳ báo cáo gần nhất lỗi không quá 5 %, hoặc một lỗi.",
        method_en="National databases with at most 5 % errors, or a single one, in their newest period.",
    )  # fmt: skip

    def __init__(self, stale_after: timedelta | None) -> None:
        self._healthy = FreshSum(stale_after)

    def take(self, event: Event) -> None:
        """Take a period's summary in; a period without calls says nothing against a database."""
        if isinstance(event.data, DatabaseCalls):
            # At night a minute has a handful of calls: one error among them says nothing.
            is_healthy = event.data.errors_count <= max(1.0, _MOST_ERRORS_SHARE * event.data.calls_count)
            self._healthy.put(event.asset_id, event.observed_at, float(is_healthy))

    def figure(self, now: datetime) -> Figure:
        """Count the healthy ones."""
        quality = self._healthy.settle(now)
        value = self._healthy.total if self._healthy.count else None
        return Figure(value, self._healthy.newest_at, quality, DATABASES_COUNT)


class TasksDone(Indicator):
    """Key tasks of the programme that are done."""

    kinds = (Directive,)
    definition = Definition(
        indicator_id="kpi.tasks_done", place=14, name_vi="Nhiệm vụ hoàn thành", name_en="Key tasks done",
        unit=f"/{TASKS_COUNT}", limit=TASKS_COUNT, is_floor=True,
        method_vi="Số nhiệm vụ trọng tâm có trạng thái gần nhất là hoàn thành.",
        method_en="Key tasks whose newest state is done.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._done = FreshSum(None)

    def take(self, event: Event) -> None:
        """Take a task's state in."""
        if isinstance(event.data, Directive):
            self._done.put(event.asset_id, event.observed_at, float(event.data.status == "done"))

    def figure(self, now: datetime) -> Figure:
        """Count the tasks that are done."""
        heard = self._done.newest_at is not None
        return Figure(self._done.total if heard else None, self._done.newest_at, Quality.GOOD, TASKS_COUNT)
