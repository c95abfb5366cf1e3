// The province's figures, eight to a page: value, unit, limit, the last hour, the time of the data, and how it is counted.

import { h, placeInOrder, setAttribute, setText, svg } from "./dom.js";
import { formatAge, formatMinute, formatNumber, formatUnit } from "./format.js";
import { isStale } from "./quality.js";

const CHANNEL = "kpi:province";
const TILES = 8;
const WIDTH = 120;
const HEIGHT = 52;

/** What each figure is, in the order of the wall; without it (the server is older, or away) they stand by name. */
class Definitions {
  #known = new Map();

  async load(session) {
    const { items } = await session.get("/indicators");
    this.#known = new Map(items.map((item, place) => [item.id, { ...item, place }]));
  }

  place(id) {
    return this.#known.get(id)?.place ?? this.#known.size;
  }

  /** Figures that should stay above their limit; the others should stay below. */
  isFloor(id) {
    return this.#known.get(id)?.is_floor ?? false;
  }

  method(id, lang) {
    return this.#known.get(id)?.[`method_${lang}`] ?? "";
  }
}

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
    this.method = h("p", { class: "tile-method", id: `${id}-method` });
    this.node = h("article", { class: "tile", "data-kpi": id, tabindex: 0, "aria-describedby": `${id}-method` },
      h("div", { class: "tile-head" }, this.name, this.at),
      h("div", { class: "tile-body" }, this.value, h("div", { class: "tile-scale" }, this.unit, this.limit), this.spark), this.method);
  }

  show(row, language, now, definitions) {
    const isFloor = definitions.isFloor(row.id);
    const { lang } = language;
    const old = isStale(row);
    setText(this.name, language.name("kpi_name", row.id.replace(/^kpi\./, "")));
    const text = formatNumber(row.value, lang);
    setText(this.value, text);
    setText(this.unit, formatUnit(row.unit, language));
    const hasLimit = Number.isFinite(row.limit);
    setText(this.limit, hasLimit ? `${isFloor ? "≥" : "≤"} ${formatNumber(row.limit, lang)}` : "");
    setText(this.at, row.at === null ? language.t("time.none") : old && now !== null ? language.t("time.stale", { age: formatAge(now - row.at, language) }) : formatMinute(row.at));
    setText(this.method, definitions.method(row.id, lang));
    this.node.classList.toggle("is-stale", old);
    this.node.classList.toggle("is-beyond", hasLimit && Number.isFinite(row.value) && (isFloor ? row.value < row.limit : row.value > row.limit));
    const { line, limitY, last } = sparkPath(row.spark ?? [], row.limit, isFloor);
    this.line.setAttribute("d", line);
    this.limitLine.setAttribute("d", limitY === null ? "" : `M0 ${limitY.toFixed(1)}H${WIDTH}`);
    // One value is no course yet: without a line there is nothing for the dot to end.
    this.dot.setAttribute("visibility", line && last !== null ? "visible" : "hidden");
    if (last !== null && last !== undefined) this.dot.setAttribute("cy", last);
  }
}

export class KpiRail {
  #tiles = new Map();
  #definitions = new Definitions();
  #page = 0;

  /** @param {{root, pager, store, session, language, clock}} parts */
  constructor(parts) {
    this.parts = parts;
    this.count = h("span", { class: "pager-count" });
    this.back = h("button", { type: "button", class: "pager-step", onclick: () => this.#turn(-1) }, "‹");
    this.forth = h("button", { type: "button", class: "pager-step", onclick: () => this.#turn(1) }, "›");
    parts.pager.append(this.back, this.count, this.forth);
    // The figures come over the socket; without their definitions they are shown all the same.
    this.#definitions.load(parts.session).then(() => this.update(), () => undefined);
  }

  #turn(step) {
    this.#page += step;
    this.update();
    this.parts.root.firstElementChild?.focus();
  }

  update() {
    const { root, pager, store, language, clock } = this.parts;
    const all = store.rows(CHANNEL).sort((a, b) => this.#definitions.place(a.id) - this.#definitions.place(b.id) || a.id.localeCompare(b.id));
    const pages = Math.max(1, Math.ceil(all.length / TILES));
    this.#page = ((this.#page % pages) + pages) % pages;
    const now = clock.now();
    const nodes = all.slice(this.#page * TILES, (this.#page + 1) * TILES).map((row) => {
      if (!this.#tiles.has(row.id)) this.#tiles.set(row.id, new Tile(row.id));
      const tile = this.#tiles.get(row.id);
      tile.show(row, language, now, this.#definitions);
      return tile.node;
    });
    placeInOrder(root, nodes);
    pager.hidden = pages < 2;
    setText(this.count, `${this.#page + 1}/${pages}`);
    setAttribute(this.back, "aria-label", language.t("kpi.back"));
    setAttribute(this.forth, "aria-label", language.t("kpi.forth"));
  }
}
