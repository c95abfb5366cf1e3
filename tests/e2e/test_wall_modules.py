"""The wall's own modules, run in a real browser one by one: the rules of the live protocol without a server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from alerts.notification.flood import FloodLimits, is_flood
from tests.support.wall_server import WallServer

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def page(chromium_path: Path) -> Iterator[Page]:
    server = WallServer()
    server.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{server.url}/wall/icon.svg")
        yield page
        browser.close()
    server.stop()


FOLLOW = """async ({ frames, fields }) => {
  const { ChannelCursor } = await import("/wall/js/channel-cursor.js");
  const { Store } = await import("/wall/js/store.js");
  const cursor = new ChannelCursor();
  const store = new Store();
  const verdicts = [];
  for (const frame of frames) {
    if (frame.t === "cut") { cursor.disconnected(); continue; }
    if (frame.t === "snap") {
      const answer = cursor.snapshot(frame);
      verdicts.push(answer.verdict);
      if (answer.verdict === "apply") store.replace("x", answer.fields, answer.rows);
    } else {
      const verdict = cursor.delta(frame);
      verdicts.push(verdict);
      if (verdict === "apply") store.change("x", undefined, frame.set, frame.del);
    }
  }
  return { verdicts, rows: Object.fromEntries(store.rows("x").map((row) => [row.id, row.value])), seq: cursor.seq };
}"""


def follow(page: Page, frames: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate(FOLLOW, {"frames": frames, "fields": ["id", "value"]})
    return answer


def snapshot(state: dict[str, int], seq: int, *, epoch: int = 1, size: int = 3) -> list[dict[str, Any]]:
    rows = [[key, value] for key, value in state.items()]
    parts = [rows[at : at + size] for at in range(0, len(rows), size)] or [[]]
    return [
        {"t": "snap", "epoch": epoch, "seq": seq, "f": ["id", "value"], "rows": part, "last": part is parts[-1]}
        for part in parts
    ]


def delta(seq: int, rows: dict[str, int], removed: list[str], *, epoch: int = 1) -> dict[str, Any]:
    changed = [[key, value] for key, value in rows.items()]
    return {"t": "d", "epoch": epoch, "prev": seq - 1, "seq": seq, "set": changed, "del": removed}


@pytest.mark.parametrize("seed", range(20))
def test_snapshot_and_deltas_equal_the_servers_state(page: Page, seed: int) -> None:
    chance = random.Random(seed)
    state = {f"k{number}": number for number in range(chance.randrange(12))}
    seq = 0
    frames = snapshot(state, seq)
    for _ in range(60):
        changed = {f"k{chance.randrange(15)}": chance.randrange(1_000) for _ in range(chance.randrange(4))}
        removed = [key for key in state if key not in changed and chance.random() < 0.1]
        state = {key: value for key, value in (state | changed).items() if key not in removed}
        seq += 1
        if chance.random() < 0.1:
            frames += [{"t": "cut"}, *snapshot(state, seq)]
        elif chance.random() < 0.1:
            frames += [delta(seq + 1, {"never": 1}, []), *snapshot(state, seq)]
        else:
            frames.append(delta(seq, changed, removed))
    answer = follow(page, frames)
    assert answer["rows"] == state
    assert answer["seq"] == seq


def test_a_gap_asks_once_and_waits_for_the_snapshot(page: Page) -> None:
    frames = [
        *snapshot({"a": 1}, 5),
        delta(6, {"a": 2}, []),
        delta(8, {"a": 4}, []),
        delta(9, {"a": 5}, []),
        *snapshot({"a": 5}, 9),
        delta(10, {"a": 6}, []),
    ]
    answer = follow(page, frames)
    assert answer["verdicts"] == ["apply", "apply", "resync", "ignore", "apply", "apply"]
    assert answer["rows"] == {"a": 6}


def test_a_delta_of_another_epoch_is_never_applied(page: Page) -> None:
    answer = follow(page, [*snapshot({"a": 1}, 5), delta(6, {"a": 9}, [], epoch=2)])
    assert answer["verdicts"] == ["apply", "resync"]
    assert answer["rows"] == {"a": 1}


def test_a_resumed_delta_continues_after_a_cut(page: Page) -> None:
    merged = {**delta(9, {"a": 7}, []), "prev": 5, "resumed": True}
    answer = follow(page, [*snapshot({"a": 1}, 5), {"t": "cut"}, merged])
    assert answer["verdicts"] == ["apply", "apply"]
    assert answer["rows"] == {"a": 7}


def test_alert_events_during_a_snapshot_are_neither_lost_nor_doubled(page: Page) -> None:
    verdicts = page.evaluate("""async () => {
      const { ChannelCursor } = await import("/wall/js/channel-cursor.js");
      const cursor = new ChannelCursor();
      const event = (seq) => ({ epoch: "e", seq });
      const early = [cursor.event(event(7)), cursor.event(event(9))];
      const { early: kept } = cursor.snapshot({ epoch: "e", seq: 8, f: ["id"], rows: [], last: true });
      return { early, kept: kept.map(({ seq }) => seq), again: cursor.event(event(8)), jump: cursor.event(event(12)) };
    }""")
    assert verdicts == {"early": ["wait", "wait"], "kept": [9], "again": "ignore", "jump": "apply"}


@pytest.mark.parametrize("code", [4400, 4403, 4406, 4409, 4413])
def test_a_terminal_close_stops_a_desk_but_never_a_kiosk(page: Page, code: int) -> None:
    delays = page.evaluate(
        """async (code) => {
      const { reconnectDelayMs } = await import("/wall/js/reconnect.js");
      return [false, true].map((isKiosk) => reconnectDelayMs({ code, attempt: 0, isKiosk }));
    }""",
        code,
    )
    assert delays == [None, 60_000]


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 4401, 4408, 4500, 4503, 4508])
def test_other_closes_wait_with_full_jitter_up_to_half_a_minute(page: Page, code: int) -> None:
    ceilings = page.evaluate(
        """async (code) => {
      const { reconnectDelayMs } = await import("/wall/js/reconnect.js");
      const at = (attempt, share) => reconnectDelayMs({ code, attempt, random: () => share });
      return [at(0, 1), at(3, 1), at(50, 1), at(50, 0)];
    }""",
        code,
    )
    assert ceilings == [500, 4_000, 30_000, 0]


def test_the_clock_takes_the_frame_with_the_least_delay_and_forgets_after_two_minutes(page: Page) -> None:
    times = page.evaluate("""async () => {
      const { ServerClock } = await import("/wall/js/clock.js");
      let elapsed = 0;
      const clock = new ServerClock(() => elapsed);
      const before = clock.now();
      clock.observe(1_000_000 - 800);
      const late = clock.now();
      clock.observe(1_000_000 - 20);
      const better = clock.now();
      clock.observe(1_000_000 - 5_000);
      const kept = clock.now();
      elapsed = 200_000;
      clock.observe(1_150_000);
      return { before, late, better, kept, after: clock.now() };
    }""")
    assert times == {"before": None, "late": 999_200, "better": 999_980, "kept": 999_980, "after": 1_150_000}


def test_a_missing_minute_is_a_gap_in_the_sparkline(page: Page) -> None:
    line = page.evaluate("""async () => {
      const { sparkPath } = await import("/wall/js/kpi.js");
      return sparkPath([1, 2, null, 3, 4], null, false).line;
    }""")
    assert line.count("M") == 2
    assert line.count("L") == 2


def test_ages_and_numbers_read_as_each_language_writes_them(page: Page) -> None:
    texts = page.evaluate("""async () => {
      const { Language } = await import("/wall/js/i18n.js");
      const { formatAge, formatNumber, formatTime } = await import("/wall/js/format.js");
      const vi = await Language.open("vi");
      const en = await Language.open("en");
      return [formatNumber(1234567, "vi"), formatNumber(12.34, "vi"), formatNumber(12.34, "en"),
        formatNumber(null, "vi"), formatNumber(NaN, "en"),
        formatAge(99_000, vi), formatAge(240_000, en), formatAge(3 * 86_400_000, vi),
        formatTime(Date.UTC(2026, 0, 1, 17, 0, 5))];
    }""")
    assert texts == ["1.234.567", "12,3", "12.3", "–", "–", "99 giây", "4 min", "3 ngày", "00:00:05"]


@pytest.mark.parametrize("seed", range(10))
def test_the_page_and_the_server_call_the_same_a_flood(page: Page, seed: int) -> None:
    chance = random.Random(seed)
    begins_at = datetime(2026, 11, 23, tzinfo=UTC)
    seconds = sorted(chance.randrange(3_600) for _ in range(chance.randrange(90)))
    instants = [begins_at + timedelta(seconds=second) for second in seconds]
    ends = [begins_at + timedelta(minutes=minute) for minute in range(0, 75, 3)]
    expected = []
    for now in ends:
        told = [(at, 1) for at in instants if at <= now]
        window = [at for at, _ in told if at > now - timedelta(minutes=10)]
        expected.append([len(window), is_flood(told, FloodLimits(), now)])
    answers = page.evaluate(
        """async ({ instants, ends }) => {
      const { floodAt } = await import("/wall/js/alert-flood.js");
      return ends.map((now) => {
        const { count, isFlood } = floodAt(instants.filter((at) => at <= now), now);
        return [count, isFlood];
      });
    }""",
        {
            "instants": [at.timestamp() * 1_000 for at in instants],
            "ends": [at.timestamp() * 1_000 for at in ends],
        },
    )
    assert answers == expected


def test_only_what_asks_anew_counts_towards_a_flood(page: Page) -> None:
    """As `is_annunciation` has it: a rise and a return from the shelf count; a fall, a remark and a repeat do not."""
    counts = page.evaluate("""async () => {
      const { FloodWatch } = await import("/wall/js/alert-flood.js");
      const watch = new FloodWatch();
      const now = 10_000_000;
      const first = { id: "a", rev: 1, severity: "minor", decided_at: now, started_at: now };
      const alert = { ...first, operator: "unacknowledged" };
      const look = (changes, at) => watch.look([{ ...alert, ...changes }], at).count;
      return [look({}, now), look({ rev: 2 }, now + 1), look({ severity: "major" }, now + 2), look({}, now + 3),
        look({ operator: "shelved" }, now + 4), look({}, now + 5), look({ operator: "acknowledged" }, now + 6),
        watch.look([], now + 7).count, watch.look([], now + 601_000).count];
    }""")
    assert counts == [1, 1, 2, 2, 2, 3, 3, 3, 0]
