"""From what was watched to reasons: each with the facts that show it, and whether it explains the silence alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from alerts.conditions.absence import Absence
from alerts.conditions.asset_limits import AssetLimits
from alerts.conditions.threshold import Threshold
from alerts.inquiry.asking import Answer, Fact, Finding, Inquiry, Reason, Span, arrange
from alerts.inquiry.course import course_of
from alerts.inquiry.facts import describe_approach, describe_limit, describe_nearest, describe_term, describe_window
from alerts.inquiry.trace import Hold, Restart
from ioc.domain.kinds import KINDS

_FIRST = 10


def answer(inquiry: Inquiry, *, is_told: bool = False) -> Answer:
    """Give the answer of an inquiry that has run to its end; ``is_told`` where an alert is told of beside."""
    quantity, course = course_of(inquiry)
    return Answer(
        question=inquiry.question,
        rule=inquiry.rule,
        findings=arrange(list(_find(inquiry, is_told=is_told))),
        events_count=inquiry.events_count,
        quantity=quantity,
        course=course,
        spans=[
            Span(severity=hold.severity.value, since=hold.since, until=hold.until, fired=hold.fired)
            for hold in inquiry.trace.longest_holds()
        ],
    )


def _find(inquiry: Inquiry, *, is_told: bool) -> Iterator[Finding]:
    outside = _find_outside(inquiry)
    if outside is not None:
        yield outside
    if inquiry.rule.shadow:
        yield _finding(Reason.SHADOW, is_decisive=True)
    if inquiry.fired and not is_told:
        first = inquiry.fired[0]
        yield _finding(
            Reason.FIRES_NOW, is_decisive=True, at=first.observed_at, severity=first.severity.value, value=first.value,
            limit=first.limit, count=len(inquiry.fired),
        )  # fmt: skip
    yield from _find_what_came(inquiry)
    yield from _find_levels(inquiry)
    yield from _find_waiting(inquiry)
    yield from _find_rest(inquiry, is_outside=outside is not None)


def _find_outside(inquiry: Inquiry) -> Finding | None:
    """Say whether the rule does not look at this asset at all."""
    condition, asset_id, world = inquiry.rule.condition, inquiry.question.asset_id, inquiry.world
    if asset_id is None:
        return None
    # What a thing is stands in what it sends: ids say who runs it, and one of which nothing is known may be anything.
    own = {KINDS[kind].asset_class for kind in inquiry.question.asset_kinds}
    classes = {KINDS[kind.KIND].asset_class for kind in condition.kinds}
    if inquiry.is_about_an_asset and not inquiry.trace.readings_count and own and all(classes) and not own & classes:
        return _finding(
            Reason.OUTSIDE, is_decisive=True, what="kind", asset_class=", ".join(sorted(own)),
            rule_classes=sorted(classes),
        )  # fmt: skip
    if isinstance(condition, Threshold) and condition.serving:
        serves = world.station_zones.get(asset_id)
        if serves not in world.zone_ids(condition.serving):
            return _finding(
                Reason.OUTSIDE, is_decisive=True, what="serving", serves=serves, serving=sorted(condition.serving)
            )
    if isinstance(condition, AssetLimits) and asset_id not in condition.limits:
        return _finding(Reason.OUTSIDE, is_decisive=True, what="no_limits", assets_count=len(condition.limits))
    return None


def _find_what_came(inquiry: Inquiry) -> Iterator[Finding]:
    trace, rule = inquiry.trace, inquiry.rule
    if not trace.readings_count and not trace.is_about_a_place:
        yield _finding(
            Reason.NO_READINGS,
            is_decisive=not inquiry.fired and trace.wait is None,
            last_before_at=trace.last_before_at,
        )
        return
    nothing_looked_at, nothing_held = not trace.evaluated_count, not trace.yardstick.held_count
    if trace.late_count:
        yield _finding(
            Reason.TOO_LATE, is_decisive=nothing_looked_at or (nothing_held and trace.late_over_count > 0),
            count=trace.late_count, of_count=trace.readings_count, over_limit_count=trace.late_over_count,
            longest_delay=trace.longest_delay, lateness=rule.lateness,
        )  # fmt: skip
    if trace.out_of_order_count:
        yield _finding(
            Reason.OUT_OF_ORDER, is_decisive=nothing_looked_at and not trace.late_count, count=trace.out_of_order_count,
            of_count=trace.readings_count,
        )  # fmt: skip
    if inquiry.faults_count:
        fault = inquiry.faults[0]
        yield _finding(
            Reason.RULE_FAILED,
            is_decisive=nothing_looked_at,
            count=inquiry.faults_count,
            reason=fault.reason,
            at=fault.at,
        )
    if trace.bad_count:
        yield _finding(
            Reason.BAD_QUALITY, is_decisive=nothing_looked_at and not trace.late_count, count=trace.bad_count,
            of_count=trace.readings_count,
        )  # fmt: skip


def _find_levels(inquiry: Inquiry) -> Iterator[Finding]:
    """Say of rules that compare values whether there was a value, a limit, and how near they came."""
    stick, trace = inquiry.trace.yardstick, inquiry.trace
    if not stick.is_known or not (trace.evaluated_count or trace.is_about_a_place):
        return
    if stick.measured_count and stick.unlimited_count == stick.measured_count:
        yield _finding(
            Reason.LIMIT_NOT_EFFECTIVE, is_decisive=True,
            limits=[
                *(describe_limit(severity.value, item) for severity, item in stick.comparisons),
                *(describe_term(level, formula) for level, formula in stick.terms),
            ],
        )  # fmt: skip
        return
    # A window over a quantity that never came is not on its way to be filled.
    windows = [name for name in stick.missing if name in stick.fillings and stick.fillings[name].is_begun]
    if windows:
        yield _finding(
            Reason.WINDOW_NOT_FILLED, is_decisive=not stick.measured_count,
            windows=[describe_window(inquiry, name) for name in windows],
        )  # fmt: skip
    fields: Counter[str] = Counter()
    for name, count in stick.missing.items():
        if name not in windows:
            quantity = stick.fillings[name].window.quantity if name in stick.fillings else name
            fields[quantity] = max(fields[quantity], count)
    if fields:
        yield _finding(
            Reason.QUANTITY_MISSING, is_decisive=not stick.measured_count and not windows,
            of_count=trace.evaluated_count, is_made_by_rule=stick.is_judged_by_rule,
            missing=[{"quantity": name, "count": count} for name, count in sorted(fields.items())],
        )  # fmt: skip
    if stick.measured_count and not stick.held_count:
        way = stick.nearest_way
        yield _finding(
            Reason.LEVEL_NOT_REACHED, is_decisive=True, measured_count=stick.measured_count, formulas=stick.formulas,
            levels=[describe_nearest(inquiry, item) for item in stick.nearest],
            nearest=None if way is None else describe_approach(inquiry, way),
        )  # fmt: skip


def _find_waiting(inquiry: Inquiry) -> Iterator[Finding]:
    """Say of levels that held whether they held for long enough, and what began their ``for`` anew."""
    holds = [hold for hold in inquiry.trace.longest_holds() if not hold.fired and hold.needed > timedelta(0)]
    restarted = [hold for hold in holds if hold.since > hold.true_since and hold.until - hold.true_since >= hold.needed]
    is_silent = not inquiry.fired
    if isinstance(inquiry.rule.condition, Absence) and inquiry.question.asset_id is not None:
        yield from _find_silence(inquiry, inquiry.rule.condition)
    if (wait := inquiry.trace.wait) is not None and is_silent:
        held = wait.until - wait.since
        if held < wait.needed:
            yield _finding(
                Reason.PENDING, is_decisive=True, what=wait.what, held=held, needed=wait.needed, since=wait.since,
                until=wait.until, times_count=1,
            )  # fmt: skip
        else:
            yield _finding(Reason.OUTSIDE, is_decisive=True, what="hours", since=wait.since, until=wait.until)
    if holds:
        longest = max(holds, key=lambda hold: hold.lasted / hold.needed)
        yield _finding(
            Reason.PENDING, is_decisive=is_silent and not restarted, severity=longest.severity.value,
            held=longest.lasted, needed=longest.needed, since=longest.since, until=longest.until, value=longest.value,
            limit=longest.limit, times_count=len(holds),
        )  # fmt: skip
    restarts = inquiry.trace.restarts
    if restarts:
        yield _find_restart(inquiry, restarts, restarted, is_silent=is_silent)


def _find_restart(
    inquiry: Inquiry, restarts: Sequence[Restart], restarted: Sequence[Hold], *, is_silent: bool
) -> Finding:
    longest = max(restarts, key=lambda restart: restart.pause)
    facts: dict[str, Fact] = {
        "count": len(restarts), "pause": longest.pause, "at": longest.at, "gap": inquiry.rule.gap,
    }  # fmt: skip
    if restarted:
        worst = max(restarted, key=lambda hold: hold.until - hold.true_since)
        facts |= {"would_have_held": worst.until - worst.true_since, "needed": worst.needed}
    return Finding(reason=Reason.GAP_RESTARTED, is_decisive=is_silent and bool(restarted), facts=facts)


def _find_silence(inquiry: Inquiry, condition: Absence) -> Iterator[Finding]:
    """Say of a rule about silence how long the longest one was."""
    trace, question = inquiry.trace, inquiry.question
    if trace.last_at is None or inquiry.fired:
        return
    longest = max(trace.longest_silence, question.end - trace.last_at)
    needed = condition.settle + max(after for kind, after in condition.after.items() if trace.kinds[kind])
    yield _finding(Reason.PENDING, is_decisive=True, held=longest, needed=needed, times_count=1)


def _find_rest(inquiry: Inquiry, *, is_outside: bool) -> Iterator[Finding]:
    """Say of rules that look at states, places and times, or past one asset, how near they came and what lacked."""
    trace, rule, near = inquiry.trace, inquiry.rule, inquiry.trace.nearness
    is_heard = trace.evaluated_count > 0 or trace.is_about_a_place
    if (inquiry.fired and not _is_of_a_whole(inquiry)) or trace.yardstick.measured_count:
        return
    if near.nearest is None and (trace.yardstick.is_known or not is_heard):
        return
    is_silent = not (inquiry.fired or is_outside) and trace.wait is None
    uses_zones = rule.condition.bind(rule, 0, inquiry.world).uses_zones
    if uses_zones and trace.readings_count and trace.placeless_count == trace.readings_count:
        yield _finding(Reason.OUTSIDE, is_decisive=is_silent, what="zone", readings_count=trace.readings_count)
        return
    facts: dict[str, Fact] = {
        "condition": rule.condition_name, "looked_count": trace.evaluated_count, "judged_count": trace.judged_count,
        "zones": [zone for zone, _ in trace.zones.most_common(_FIRST)],
    }  # fmt: skip
    if near.nearest is not None:
        asked: list[Fact] = [
            {"what": what, "met_count": near.met[what], "of_count": count} for what, count in near.asked.items()
        ]
        facts |= {"nearest": describe_approach(inquiry, near.nearest), "asked": asked, "all_met_count": near.met_count}
    yield Finding(reason=Reason.NOT_MET, is_decisive=is_silent and is_heard, facts=facts)


def _is_of_a_whole(inquiry: Inquiry) -> bool:
    """Whether a unit or the province is asked about and only single assets fired: how near the whole came is news."""
    near = inquiry.trace.nearness.nearest
    is_whole = inquiry.question.asset_id is None and near is not None and near.asset_id is None
    return is_whole and all(change.asset_id is not None for change in inquiry.fired)


def _finding(why: Reason, /, *, is_decisive: bool, **facts: Fact) -> Finding:
    return Finding(reason=why, is_decisive=is_decisive, facts=facts)
