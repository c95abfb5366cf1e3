"""An answer to `why not` in words: a sentence of each reason, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts.announcement import format_number
from alerts.inquiry.asking import Finding, Reason
from alerts.inquiry.tenures import Source, Tenure
from alerts.language.rule import PROVINCE_TIME
from ioc.api.approach_texts import Both, say_nearest

_WHY_NOT_IN_FORCE: Mapping[str, Both] = {
    Source.RETIRED: ("đã ngừng áp dụng", "it was retired"),
    Source.NOT_YET: ("chưa có quy tắc này", "there was none of this name yet"),
    Source.UNREADABLE: ("phiên bản không đọc được", "what was in force cannot be read by this program"),
}


def say_source(tenure: Tenure) -> Both:
    """Say what was in force."""
    match tenure.source:
        case Source.VERSION:
            return f"phiên bản {tenure.number}", f"version {tenure.number}"
        case Source.FILE:
            return "bản trong tệp, như hiện nay", "the rule of the files, as it is now"
        case Source.RETIRED:
            return "đã ngừng áp dụng", "retired"
        case Source.NOT_YET:
            return "chưa áp dụng", "not yet in force"
        case Source.UNREADABLE:
            return f"phiên bản {tenure.number} không đọc được", f"version {tenure.number}, which cannot be read"


def say(found: Finding) -> Both:
    """Say a reason in words."""
    facts: Mapping[str, Any] = found.facts
    match found.reason:
        case Reason.FIRED:
            return _say_fired(facts["alerts"])
        case Reason.PENDING:
            return _say_pending(facts)
        case Reason.GAP_RESTARTED:
            return _say_restarted(facts)
        case Reason.LEVEL_NOT_REACHED:
            return _say_not_reached(facts)
        case Reason.OUTSIDE:
            return _say_outside(facts)
        case Reason.FIRES_NOW | Reason.NOT_IN_FORCE | Reason.CHANGED_FILE:
            return _say_of_the_version(found.reason, facts)
        case Reason.ASSET_UNKNOWN:
            return _say_unknown_asset(facts["near"])
        case Reason.RULE_UNKNOWN | Reason.RETIRED | Reason.SHADOW | Reason.LIMIT_NOT_EFFECTIVE:
            return _say_of_the_rule(found.reason, facts)
        case _:
            return _say_of_the_readings(found.reason, facts)


def _say_fired(alerts: Sequence[Mapping[str, Any]]) -> Both:
    told = [one for alert in alerts for one in alert["told"]]
    heard = sorted({one["department"] for one in told if one["receivers_count"]})
    unheard = sorted({one["department"] for one in told}.difference(heard))
    holds = sorted({f"{held['why']} ({held['by']})" for alert in alerts for held in alert["held"]})
    count, first = len(alerts), _at(alerts[0]["started_at"])
    vi = f"Có {count} cảnh báo, đầu tiên lúc {first}"
    en = f"There {'was 1 alert' if count == 1 else f'were {count} alerts'}, the first at {first}"
    if heard:
        vi, en = f"{vi}; đã báo: {', '.join(heard)}", f"{en}; told: {', '.join(heard)}"
    if unheard:
        names = ", ".join(unheard)
        vi, en = f"{vi}; chưa có nơi nhận của: {names}", f"{en}; nothing receives for: {names}"
    if heard or unheard:
        return f"{vi}.", f"{en}."
    if all(alert["shadow"] for alert in alerts):
        return f"{vi}, đều ở chế độ thầm (shadow): không báo cho ai.", f"{en}, all in shadow: nobody is told."
    if holds:
        why = ", ".join(holds)
        return f"{vi}, nhưng bị giữ lại: {why}.", f"{en}, and they were held: {why}."
    return f"{vi}, nhưng chưa báo cho ai.", f"{en}, and nobody has been told of them."


def _say_pending(facts: Mapping[str, Any]) -> Both:
    held, needed = _span(facts["held"]), _span(facts["needed"])
    if (since := facts.get("since")) is None:
        return f"Im lặng lâu nhất {held[0]}, quy tắc cần {needed[0]}.", (
            f"The longest silence was {held[1]}; the rule needs {needed[1]}."
        )
    if (what := facts.get("what")) is not None:
        return f"{what}: đứng yên lâu nhất {held[0]} (từ {_at(since)}), quy tắc cần {needed[0]}.", (
            f"The {what} stood for {held[1]} at most (from {_at(since)}); the rule needs {needed[1]}."
        )
    return f"Vượt ngưỡng lâu nhất {held[0]} (từ {_at(since)}), quy tắc cần {needed[0]}.", (
        f"It held for {held[1]} at most (from {_at(since)}); the rule needs {needed[1]}."
    )


def _say_restarted(facts: Mapping[str, Any]) -> Both:
    pause, gap, at = _span(facts["pause"]), _span(facts["gap"]), _at(facts["at"])
    vi = f"Khoảng trống {pause[0]} trước {at} dài hơn {gap[0]}: thời gian chờ tính lại từ đầu."
    en = f"A pause of {pause[1]} before {at} is longer than {gap[1]}: the waiting began anew."
    if (would := facts.get("would_have_held")) is not None:
        vi += f" Nếu không, đã giữ {_span(would)[0]}."
        en += f" Without it, it would have held for {_span(would)[1]}."
    return vi, en


def _say_not_reached(facts: Mapping[str, Any]) -> Both:
    if not facts["levels"]:
        if facts["nearest"] is not None:
            return say_nearest(facts["nearest"])
        formulas = "; ".join(facts["formulas"])
        return f"Điều kiện chưa lần nào đúng: {formulas}", f"The condition never held: {formulas}"
    near = facts["levels"][0]
    name, operator, at = near["quantity"], near["operator"], _at(near["at"])
    vi, en = ([format_number(near[key], language) for key in ("value", "limit", "distance")] for language in (0, 1))
    where = (f" · {near['place_vi']}", f" · {near['place_en']}") if "place" in near else ("", "")
    return f"Gần nhất: {name} = {vi[0]} lúc {at}{where[0]}; ngưỡng {operator} {vi[1]}, còn thiếu {vi[2]}.", (
        f"Nearest: {name} = {en[0]} at {at}{where[1]}; the limit is {operator} {en[1]}, it lacked {en[2]}."
    )


def _say_outside(facts: Mapping[str, Any]) -> Both:
    match facts["what"]:
        case "kind":
            classes = ", ".join(facts["rule_classes"])
            return f"Quy tắc chỉ xét: {classes}.", f"The rule looks at {classes}, not at {facts['asset_class']}."
        case "serving":
            kinds = ", ".join(facts["serving"])
            return f"Trạm không đại diện cho vùng loại {kinds}.", f"The station stands for no zone of kind {kinds}."
        case "no_limits":
            return "Quy tắc không có ngưỡng cho đối tượng này.", "The rule has no limits for this asset."
        case "hours":
            return "Kéo dài, nhưng ngoài giờ mà quy tắc tính.", "It lasted, but outside of the hours that count."
        case _:
            return "Đối tượng không ở trong vùng nào.", "It was in no zone at any time."


def _say_of_the_rule(reason: Reason, facts: Mapping[str, Any]) -> Both:
    match reason:
        case Reason.RULE_UNKNOWN:
            near = ", ".join(facts["near"])
            more = (f" Gần giống: {near}.", f" There are: {near}.") if near else ("", "")
            return f"Không có quy tắc này.{more[0]}", f"There is no such rule.{more[1]}"
        case Reason.RETIRED:
            at = _at(facts["last_alert_at"])
            return f"Quy tắc không còn hiệu lực; cảnh báo cuối lúc {at}.", (
                f"The rule is not in force any more; its last alert began at {at}."
            )
        case Reason.SHADOW:
            return "Quy tắc chạy thử (shadow): không báo cho ai.", "The rule is in shadow: nobody is told."
        case _:
            days = ", ".join(sorted({day for item in facts["limits"] for day in item["in_force_from"] if day}))
            if not days:
                return "Ngưỡng đã hết hiệu lực.", "No limit was in force any more."
            return f"Không có ngưỡng nào có hiệu lực (từ {days}).", f"No limit was in force (from {days})."


def _say_unknown_asset(near: Sequence[Mapping[str, Any]]) -> Both:
    vi = "Không có đối tượng nào mang mã này: không có trong danh mục, cũng không có số liệu nào của nó được lưu."
    en = "There is no asset of this name: it is in no register, and nothing that is stored is about it."
    if not near:
        return vi, en
    names_vi = ", ".join(_with_name(item["asset_id"], item["name_vi"]) for item in near)
    names_en = ", ".join(_with_name(item["asset_id"], item["name_en"]) for item in near)
    return f"{vi} Có phải là {names_vi}?", f"{en} Did you mean {names_en}?"


def _with_name(asset_id: str, name: str) -> str:
    return asset_id if name == asset_id else f"{asset_id} ({name})"


def _say_of_the_version(reason: Reason, facts: Mapping[str, Any]) -> Both:
    if reason is Reason.CHANGED_FILE:
        return "Khi đó tệp quy tắc khác hiện nay: cảnh báo do bản khác quyết định.", (
            "The file said something else then: its alerts were decided by another version."
        )
    if reason is Reason.NOT_IN_FORCE:
        vi, en = _WHY_NOT_IN_FORCE[facts["why"]]
        by = f" ({facts['actor']}: {facts['reason']})" if facts["actor"] else ""
        return f"Không có phiên bản nào có hiệu lực: {vi}{by}.", f"No version was in force: {en}{by}."
    at = _at(facts["at"])
    if facts.get("source") == Source.VERSION:
        return f"Phiên bản khi đó báo lúc {at} theo số liệu đã đến, nhưng không có cảnh báo: hệ thống đã dừng.", (
            f"The version of then fires at {at} on what came, and there is no alert: the system was not running."
        )
    return f"Quy tắc trong tệp hiện nay sẽ báo lúc {at}; khi đó không có cảnh báo: tệp đã khác, hoặc hệ thống dừng.", (
        f"The rule of the files fires at {at} as it is now; then it made no alert: the file was another, or all stood."
    )


def _say_of_the_readings(reason: Reason, facts: Mapping[str, Any]) -> Both:
    count, of = facts.get("count"), facts.get("of_count")
    match reason:
        case Reason.NO_READINGS:
            last = facts["last_before_at"]
            more = ("", "") if last is None else (f" Số liệu cuối lúc {_at(last)}.", f" The last was of {_at(last)}.")
            return f"Không có số liệu nào.{more[0]}", f"No readings came at all.{more[1]}"
        case Reason.TOO_LATE:
            delay, lateness = _span(facts["longest_delay"]), _span(facts["lateness"])
            return f"{count}/{of} số liệu đến quá muộn (muộn nhất {delay[0]}; cho phép {lateness[0]}).", (
                f"{count} of {of} readings came too late (at most {delay[1]}; allowed are {lateness[1]})."
            )
        case Reason.OUT_OF_ORDER:
            return f"{count}/{of} số liệu đến sau số liệu mới hơn.", f"{count} of {of} readings came after newer ones."
        case Reason.RULE_FAILED:
            return f"Quy tắc lỗi {count} lần: {facts['reason']}", f"The rule failed {count} times: {facts['reason']}"
        case Reason.BAD_QUALITY:
            return f"{count}/{of} số liệu chất lượng kém.", f"{count} of {of} readings were of bad quality."
        case Reason.WINDOW_NOT_FILLED:
            window = facts["windows"][0]
            best, needs = (f"{100 * window[key]:.0f} %" for key in ("best_ratio", "needs_ratio"))
            span = _span(window["span"])
            return f"Cửa sổ {window['name']} ({span[0]}) đầy nhất {best}, cần {needs}.", (
                f"The window {window['name']} ({span[1]}) was filled to {best} at best; it needs {needs}."
            )
        case Reason.QUANTITY_MISSING:
            names = ", ".join(f"{item['quantity']} ({item['count']})" for item in facts["missing"])
            if facts["is_made_by_rule"]:
                return f"Chưa đủ số liệu những giờ trước để tính: {names} trong {of}.", (
                    f"Too little is known of the hours before to work out {names}, of {of} readings."
                )
            return f"Số liệu thiếu: {names} trong {of}.", f"Readings lacked {names}, of {of}."
        case _:
            if (near := facts.get("nearest")) is not None:
                return say_nearest(near)
            looked = facts["looked_count"]
            return f"Điều kiện {facts['condition']} đã xét {looked} số liệu và chưa lần nào đúng.", (
                f"The condition {facts['condition']} looked at {looked} readings and never held."
            )


def _at(at: datetime) -> str:
    return f"{at.astimezone(PROVINCE_TIME):%H:%M %d/%m/%Y}"


def _span(span: timedelta) -> Both:
    seconds = round(span.total_seconds())
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} giờ {minutes} phút", f"{hours} h {minutes} min"
    if seconds % 60 and minutes:
        return f"{minutes} phút {seconds % 60} giây", f"{minutes} min {seconds % 60} s"
    return (f"{minutes} phút", f"{minutes} min") if minutes else (f"{seconds} giây", f"{seconds} s")
