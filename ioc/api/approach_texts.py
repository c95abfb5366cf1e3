"""How near a rule came, in words: each thing that a condition asks for has its own, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.announcement import format_number
from alerts.language.rule import PROVINCE_TIME

Both = tuple[str, str]
"""Vietnamese, English."""

NUMBERS: Mapping[str, tuple[str, str, str]] = {
    "apart_km": ("hiện tượng khác gần nhất cách", "the nearest other hazard is at", "km"),
    "caught_out_min": ("ở ngoài khi thời tiết xấu", "out in the bad weather for", "min"),
    "declared_count": ("số người khai báo", "people declared", ""),
    "deviation": ("lệch khỏi số liệu trước", "away from the readings before by", ""),
    "finished_count": ("hồ sơ đã xong", "cases finished", ""),
    "from_harbour_m": ("cách cảng, nơi trú", "distance from a harbour", "m"),
    "gust_m_s": ("gió giật", "gusts", "m/s"),
    "hazards_count": ("số hiện tượng cùng lúc", "hazards at once", ""),
    "hour_value": ("cả giờ đã được", "the hour came to", ""),
    "inside_count": ("số ở trong vùng", "number inside", ""),
    "least_rise_pct": ("mức tăng thấp nhất", "least rise", "%"),
    "left_count": ("số lượt đã rời", "number that left", ""),
    "list_missing_min": ("chưa có danh sách", "without its list for", "min"),
    "lost_count": ("tàu cùng mất tín hiệu", "vessels that fell silent together", ""),
    "moved_m": ("cách chỗ neo đậu", "distance from its berth", "m"),
    "on_time_pct": ("tỷ lệ đúng hạn", "share on time", "%"),
    "passage_h": ("thời gian thông qua", "time of passage", "h"),
    "passes_m": ("ổ dông đi qua cách", "the squall passes at", "m"),
    "past_due_min": ("quá mốc thời gian", "past its time by", "min"),
    "readings_count": ("số liệu để so sánh", "readings to compare with", ""),
    "reporting_count": ("số nơi có số liệu", "places with reports", ""),
    "share_pct": ("tỷ lệ toàn tỉnh", "share of the province", "%"),
    "silent_count": ("trạm mất tín hiệu", "stations silent", ""),
    "silent_min": ("im lặng", "silent for", "min"),
    "silent_share_pct": ("tỷ lệ trạm mất tín hiệu", "share of silent stations", "%"),
    "spans_count": ("số khoảng có số liệu", "spans with values", ""),
    "speed_kn": ("tốc độ", "speed", "kn"),
    "stands_min": ("đã kéo dài", "it has stood for", "min"),
    "stations_near_count": ("trạm vượt ngưỡng gần nhau", "stations over the limit near each other", ""),
    "stood_h": ("giá trị không đổi", "the value has stood for", "h"),
    "to_stop_time_min": ("còn đến giờ dừng", "to the stop time", "min"),
    "unseen_min": ("chưa thấy vị trí", "without a position for", "min"),
    "way_pct": ("đã qua phần thời hạn", "of its time had passed", "%"),
    "wind_m_s": ("gió", "wind", "m/s"),
}
_SHORT_VI = {"min": "phút", "h": "giờ", "kn": "hải lý/giờ"}

STATES: Mapping[str, tuple[Both, Both]] = {
    "alone": (
        ("trạm khác không ghi nhận", "no neighbour showed it"),
        ("trạm gần cũng ghi nhận", "a neighbour showed it too"),
    ),
    "arrived_not": (("chưa đến bến", "it had not arrived"), ("đã đến bến", "it had arrived")),
    "at_berth": (("tàu đã neo đậu", "it lay at a berth"), ("tàu không neo đậu", "it lay at no berth")),
    "at_rest": (("tàu nằm yên", "it lay still"), ("tàu đang chạy", "it was under way")),
    "departed": (("đã rời bến", "it had left"), ("không có tin rời bến", "no departure was told of")),
    "heard_lately": (("có tín hiệu", "it was heard"), ("đã lâu không có tín hiệu", "it had not been heard for long")),
    "in_hours": (
        ("trong giờ mở cửa", "within the published hours"),
        ("ngoài giờ mở cửa", "outside the published hours"),
    ),
    "inside_zone": (("ở trong vùng", "it was in the zone"), ("không ở trong vùng nào", "it was in no such zone")),
    "leapt": (("giá trị nhảy vọt", "the value leapt"), ("giá trị không nhảy vọt", "no value leapt")),
    "left_zone": (("đã rời vùng", "it had left"), ("chưa rời vùng", "it had not left")),
    "outside_harbour": (
        ("ở ngoài cảng, nơi trú", "it was outside harbours"),
        ("tàu ở trong cảng hoặc nơi trú", "it was inside a port or shelter"),
    ),
    "people_counted": (("cảng có đếm người", "the port counted"), ("cảng không đếm người", "the port counted nobody")),
    "set_out_against_it": (
        ("ra khơi khi thời tiết đã xấu", "it set out against the weather"),
        ("tàu đã ở ngoài từ trước", "it was out before the weather turned"),
    ),
    "stands": (("tình trạng vẫn còn", "what was reported stands"), ("tình trạng đã hết", "what was reported is over")),
    "squall_cell": (
        ("có ổ dông", "a squall cell was in force"),
        ("không có ổ dông nào", "no squall cell was in force"),
    ),
    "storm_warning": (
        ("có cảnh báo bão", "a storm warning was issued"),
        ("không có cảnh báo bão cho vùng nước này", "no storm warning for these waters"),
    ),
    "under_way": (("tàu đang chạy", "it was under way"), ("tàu không chạy", "it was not under way")),
    "unseen": (("chưa thấy tàu", "the boat had not been seen"), ("đã thấy tàu", "the boat was seen")),
    "usual_known": (
        ("đã biết mức thường", "what is usual was known"),
        ("chưa đủ số liệu để biết mức thường", "too few hours to know what is usual"),
    ),
    "warning": (
        ("có cảnh báo cho vùng nước", "a warning was in force"),
        ("không có cảnh báo cho vùng nước này", "no warning in force over these waters"),
    ),
    "was_inside_zone": (
        ("đã ở trong vùng", "it had been inside"),
        ("chưa vào vùng nào", "it had been in no such zone"),
    ),
    "wind_known": (("biết gió ở gần", "the wind was known"), ("không biết gió ở gần", "no wind was known nearby")),
}


def say_nearest(near: Mapping[str, Any]) -> Both:
    """Say when and where a rule came nearest, what lacked, and what was met then."""
    parts: Sequence[Mapping[str, Any]] = near["parts"]
    enough = {part["one_of"] for part in parts if part["one_of"] and part["is_met"]}
    lacked = [part for part in parts if not part["is_met"] and part["one_of"] not in enough]
    met = [part for part in parts if part["is_met"]]
    at: datetime = near["at"]
    when = f"{at.astimezone(PROVINCE_TIME):%H:%M %d/%m/%Y}"
    names = [name for name in dict.fromkeys((near["asset_id"], near["place"])) if name]
    where = "".join(f" · {name}" for name in names)
    said = []
    for number, (head, then) in enumerate((("Gần nhất lúc", "khi đó"), ("Nearest at", "met then"))):
        place = where if not near["place"] else where.replace(near["place"], near[("place_vi", "place_en")[number]])
        text = "; ".join(say_part(part, number) for part in lacked)
        more = ", ".join(say_part(part, number) for part in met)
        said.append(f"{head} {when}{place}: {text}" + (f" ({then}: {more})." if more else "."))
    return said[0], said[1]


def say_part(part: Mapping[str, Any], language: int) -> str:
    """Say one thing that a condition asks for, in Vietnamese (language 0) or English, and whether it was met."""
    what = part["what"]
    if part["value"] is None:
        return STATES[what][not part["is_met"]][language] if what in STATES else str(what)
    *names, unit = NUMBERS.get(what, (what, what, ""))
    shown = f" {_SHORT_VI.get(unit, unit) if language == 0 else unit}" if unit else ""
    value, limit = (format_number(part[key], language) for key in ("value", "limit"))
    text, bound = f"{names[language]} {value}{shown}", f"{part['operator']} {limit}{shown}"
    if part["is_met"]:
        return f"{text} ({bound})"
    if part["one_of"]:
        return text + (f", đủ khi {bound}", f", {bound} would do")[language]
    return text + (f", cần {bound}", f", needs {bound}")[language]
