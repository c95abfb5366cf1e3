"""What the alarm performance page says, in words for a reader who does not know the standards."""

from __future__ import annotations

from collections.abc import Mapping

from ioc.api.report_page import Language

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "vi": {
        "title": "Hiệu quả hệ thống cảnh báo", "all_units": "Toàn tỉnh",
        "lead": "Người trực chỉ theo kịp chừng một cảnh báo trong mười phút. Trang này cho thấy hệ thống gọi họ bao "
        "nhiêu lần, vì điều gì, và họ trả lời nhanh đến đâu.",
        "counted": "Mỗi lần một cảnh báo lên danh sách trực như việc mới được tính một lần: khi bắt đầu, khi tăng mức, "
        "khi hết tạm gác mà điều kiện còn. Quy tắc chạy thử và cảnh báo đang bị ẩn hoặc tạm gác không tính.",
        "total": "Tổng số lần cảnh báo", "summary": "So với mục tiêu", "figure": "Chỉ số", "value": "Giá trị",
        "target": "Mục tiêu", "verdict": "Đánh giá", "meaning": "Nghĩa là", "good": "đạt", "manageable": "tạm được",
        "beyond": "vượt", "rate": "Số cảnh báo mỗi 10 phút", "peak": "Cao nhất", "none": "Không có",
        "flood_legend": "Nền hồng: dồn dập. Đường đứt: 5 và 10 cảnh báo trong 10 phút.",
        "floods": "Các đợt dồn dập", "from": "Từ", "to": "Đến", "lasted": "Kéo dài", "ongoing": "chưa hết",
        "priority": "Mức", "count": "Số", "share": "Tỷ lệ", "priorities": "Phân bố theo mức",
        "critical": "Khẩn cấp", "major": "Nghiêm trọng", "minor": "Nhẹ", "info": "Thông tin", "all": "Tất cả",
        "answers": "Tiếp nhận (MTTA)", "ends": "Kết thúc (MTTR)", "mean": "Trung bình", "median": "Trung vị",
        "p90": "9/10 không quá", "unanswered": "Không ai xác nhận", "sources": "Hay gặp nhất: cảnh báo",
        "rules": "Hay gặp nhất: quy tắc", "assets": "Hay gặp nhất: đối tượng", "alert": "Cảnh báo", "rule": "Quy tắc",
        "thing": "Đối tượng", "chattering": "Chập chờn", "bursts": "Báo dồn trong một phút", "flapping": "Chập chờn",
        "yes": "có", "fleeting": "Thoáng qua", "stale": "Tồn đọng (quá một ngày)",
        "unattended": "Tồn đọng mà không ai xác nhận",
        "since": "Từ",
        "age": "Đã", "quiet": "Không gọi người trực", "shelved": "Lần tạm gác", "suppressed": "Cảnh báo bị ẩn",
        "shadow": "Cảnh báo của quy tắc chạy thử", "long_acknowledged": "Đã xác nhận nhưng còn quá một ngày",
        "standing": "Còn trên danh sách lúc cuối kỳ", "top_share": "Phần của mười dòng đầu",
        "sources_note": "Nguồn: ANSI/ISA-18.2-2016, IEC 62682:2014 (mục 16), EEMUA 191. Các mục "
        "tiêu này rút ra từ nhà máy, cho một người trực; với tỉnh chúng là thước so sánh.",
        "mean_rate": "Trung bình mỗi 10 phút", "peak_rate": "Nhiều nhất trong 10 phút",
        "intervals_above_10": "Phần các quãng 10 phút có hơn 10", "time_in_flood": "Phần thời gian dồn dập",
        "top_sources": "Phần của 10 cảnh báo hay gặp nhất", "critical_share": "Tỷ lệ khẩn cấp",
        "major_share": "Tỷ lệ nghiêm trọng",
        "mean_rate_why": "Đến 1 thì người trực xem xét được từng cái; trên 2 thì không còn đủ thời gian.",
        "peak_rate_why": "Quá 10 thì không ai đọc kịp, cái quan trọng lẫn trong cái thường.",
        "intervals_above_10_why": "Bao nhiêu phần của kỳ có quãng không đọc kịp.",
        "time_in_flood_why": "Từ khi có hơn 10 trong 10 phút đến khi còn dưới 5: lúc ấy danh sách được gộp.",
        "top_sources_why": "Cao nghĩa là sửa vài cảnh báo thì hết phần lớn việc.",
        "chattering_why": "Báo ba lần trở lên trong một phút, hoặc nhảy qua lại ngưỡng: chỉnh ngưỡng hay sửa trạm.",
        "fleeting_why": "Hết trong một phút mà không ai làm gì: người trực bị gọi vô ích.",
        "stale_why": "Còn quá một ngày: hoặc không ai xử lý, hoặc không phải là cảnh báo.",
        "critical_share_why": "Nhiều quá thì mức khẩn cấp không còn nghĩa.",
        "major_share_why": "Chừng 80 % nên là nhẹ, 15 % nghiêm trọng, 5 % khẩn cấp.",
    },
    "en": {
        "title": "Alarm performance", "all_units": "Whole province",
        "lead": "An operator can follow about one alert in ten minutes. This page shows how often the system called "
        "them, because of what, and how fast they answered.",
        "counted": "An alert counts each time that it comes onto the operators' list as something new: when it fires, "
        "when its level rises, when it comes off the shelf and still holds. Rules on trial and alerts that are "
        "suppressed or shelved do not count.",
        "total": "Annunciations", "summary": "Against the targets", "figure": "Figure", "value": "Value",
        "target": "Target", "verdict": "Verdict", "meaning": "What it means", "good": "met", "manageable": "manageable",
        "beyond": "beyond", "rate": "Alerts per 10 minutes", "peak": "Peak", "none": "None",
        "flood_legend": "Pink: flood. Dashed: 5 and 10 alerts in 10 minutes.",
        "floods": "Floods", "from": "From", "to": "To", "lasted": "Lasted", "ongoing": "not over",
        "priority": "Level", "count": "Count", "share": "Share", "priorities": "Levels", "critical": "Critical",
        "major": "Major", "minor": "Minor", "info": "Info", "all": "All", "answers": "Acknowledged (MTTA)",
        "ends": "Ended (MTTR)", "mean": "Mean", "median": "Median", "p90": "9 of 10 within",
        "unanswered": "Never acknowledged", "sources": "Most frequent alerts", "rules": "Most frequent rules",
        "assets": "Most frequent things", "alert": "Alert", "rule": "Rule", "thing": "Thing",
        "chattering": "Chattering", "bursts": "Fired within a minute of others", "flapping": "Flapping", "yes": "yes",
        "fleeting": "Fleeting", "stale": "Stale (more than a day)", "unattended": "Stale and unattended",
        "since": "Since", "age": "For",
        "quiet": "What did not call anybody", "shelved": "Times shelved", "suppressed": "Alerts suppressed",
        "shadow": "Alerts of rules on trial", "long_acknowledged": "Acknowledged, standing for more than a day",
        "standing": "On the list at the end", "top_share": "Share of the first ten",
        "sources_note": "Sources: ANSI/ISA-18.2-2016, IEC 62682:2014 (clause 16), EEMUA 191. The targets were found in "
        "process plants, per operator; for a province they are a yardstick.",
        "mean_rate": "Mean per 10 minutes", "peak_rate": "Most in 10 minutes",
        "intervals_above_10": "Share of 10-minute intervals above 10", "time_in_flood": "Share of time in flood",
        "top_sources": "Share of the 10 most frequent alerts", "critical_share": "Share of critical",
        "major_share": "Share of major",
        "mean_rate_why": "Up to 1 each can be looked into; above 2 there is no time for that.",
        "peak_rate_why": "Above 10 nobody can read them all, and what matters is lost among the rest.",
        "intervals_above_10_why": "How much of the period had more than could be read.",
        "time_in_flood_why": "From more than 10 in 10 minutes until fewer than 5: the list is grouped meanwhile.",
        "top_sources_why": "A high share means that mending a few alerts takes most of the load away.",
        "chattering_why": "Three or more within a minute, or a value that swings over its limit: mend one of them.",
        "fleeting_why": "Over within a minute without anybody's doing: operators were called for nothing.",
        "stale_why": "On the list for more than a day: nobody sees to it, or it is no alert.",
        "critical_share_why": "If too much is critical, nothing is.",
        "major_share_why": "About 80 % should be minor, 15 % major and 5 % critical.",
    },
}  # fmt: skip
