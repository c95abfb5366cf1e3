// The eight figures of the province: value, unit, limit, the last hour, and the time of the data.

import { h, placeInOrder, setText, svg } from "./dom.js";
import { formatAge, formatMinute, formatNumber, formatUnit } from "./format.js";
import { isStale } from "./quality.js";

const CHANNEL = "kpi:province";
const ORDER = [
  "kpi.alerts_open", "kpi.feeds_fresh_pct", "kpi.units_reporting", "kpi.vessels_moving",
  "kpi.vessels_silent", "kpi.visitors_now", "kpi.trucks_in_yard", "kpi.aqi_max",
];
/** Figures that should stay above their limit; the others should stay below. */
const FLOORS = new Set(["kpi.feeds_fresh_pct", "kpi.units_reporting"]);
const TILES = 8;
const WIDTH = 120;
const HEIGHT = 52;

const rank = (id) => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);

/** Path of the last hour; a missing minute is a gap, not a line. */
export function sparkPath(values, limit, isFloor) {
  const known = values.filter(Number.isFinite);
  if (known.length < 2) return { line: "", limitY: null };
  let [low, high] = [Math.min(...known), Math.max(...known)];
  const isNear = Number.isFinite(limit) && limit <= high + (high - low || Math.abs(high) || 1) && limit >= low - (high - low || Math.abs(low) || 1);
  if (isNear) [low, high] = [Math.min(low, limit), Math.max(high, limit)];
  const span = high - low || 1;
  const y = (value) => HEIGHT - 4 - ((value - low) / span) * (HEIGHT - 8);
  let line = "";
  let isPenDown = false;
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) {
      isPenDown = false;
      return;
    }
    const x = (index / Math.max(1, values.length - 1)) * (WIDTH - 6);
    line += `${isPenDown ? "L" : "M"}${x.toFixed(1)} ${y(value).toFixed(1)}`;
    isPenDown = true;
  });
  return { line, limitY: isNear ? y(limit) : null, last: Number.isFinite(values.at(-1)) ? y(values.at(-1)) : null, isFloor };
}

class Tile {
  constructor(id) {
    this.name = h("span", { class: "tile-name" });
    this.at = h("span", { class: "tile-at" });
    this.value = h("span", { class: "tile-value" });
    this.unit = h("span", { class: "tile-unit" });
    this.limit = h("span", { class: "tile-limit" });
    this.line = svg("path", { class: "spark-line" });
    this.limitLine = svg("path", { class: "spark-limit" });
    this.dot = svg("circle", { class: "spark-dot", r: 4, cx: WIDTH - 6 });
    this.spark = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, this.limitLine, this.line, this.dot);
    this.node = h("article", { class: "tile", "data-kpi": id },
      h("div", { class: "tile-head" }, this.name, this.at),
      h("div", { class: "tile-body" }, this.value, h("div", { class: "tile-scale" }, this.unit, this.limit), this.spark));
  }

  show(row, language, now) {
    const { lang } = language;
    const old = isStale(row);
    setText(this.name, language.name("kpi_name", row.id.replace(/^kpi\./, "")));
    const text = formatNumber(row.value, lang);
    setText(this.value, text);
    setText(this.unit, formatUnit(row.unit, language));
    const hasLimit = Number.isFinite(row.limit);
    setText(this.limit, hasLimit ? `${FLOORS.has(row.id) ? "≥" : "≤"} ${formatNumber(row.limit, lang)}` : "");
    setText(this.at, row.at === null ? language.t("time.none") : old && now !== null ? language.t("time.stale", { age: formatAge(now - row.at, language) }) : formatMinute(row.at));
    this.node.classList.toggle("is-stale", old);
    this.node.classList.toggle("is-beyond", hasLimit && Number.isFinite(row.value) && (FLOORS.has(row.id) ? row.value < row.limit : row.value > row.limit));
    const { line, limitY, last } = sparkPath(row.spark ?? [], row.limit, FLOORS.has(row.id));
    this.line.setAttribute("d", line);
    this.limitLine.setAttribute("d", limitY === null ? "" : `M0 ${limitY.toFixed(1)}H${WIDTH}`);
    // One value is no course yet: without a line there is nothing for the dot to end.
    this.dot.setAttribute("visibility", line && last !== null ? "visible" : "hidden");
    if (last !== null && last !== undefined) this.dot.setAttribute("cy", last);
  }
}

export class KpiRail {
  #tiles = new Map();

  /** @param {{root, store, language, clock}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  update() {
    const { root, store, language, clock } = this.parts;
    const rows = store.rows(CHANNEL).sort((a, b) => rank(a.id) - rank(b.id) || a.id.localeCompare(b.id)).slice(0, TILES);
    const now = clock.now();
    const nodes = rows.map((row) => {
      if (!this.#tiles.has(row.id)) this.#tiles.set(row.id, new Tile(row.id));
      const tile = this.#tiles.get(row.id);
      tile.show(row, language, now);
      return tile.node;
    });
    placeInOrder(root, nodes);
  }
}
