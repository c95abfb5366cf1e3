// Health of every feed: state, age of its data, rate. The worst come first, so none hides behind the edge.

import { h, placeInOrder, setText } from "./dom.js";
import { formatAge, formatNumber } from "./format.js";

const BADNESS = { lost: 0, late: 1, never: 2, live: 3 };

class FeedChip {
  constructor(id) {
    this.name = h("span", { class: "feed-name" });
    this.facts = h("span", { class: "feed-facts" });
    this.state = h("span", { class: "visually-hidden" });
    this.node = h("li", { class: "feed", "data-feed": id }, h("span", { class: "feed-mark", "aria-hidden": "true" }), h("div", { class: "feed-text" }, this.name, this.state, this.facts));
  }

  show(row, language, now) {
    const at = row.last_at ?? row.received_at;
    this.node.dataset.state = row.state;
    setText(this.name, language.name("feed", row.id));
    setText(this.state, language.name("feed_state", row.state));
    const age = at === null || at === undefined || now === null ? language.name("feed_state", row.state) : formatAge(now - at, language);
    const rate = language.t("feed.rate", { n: formatNumber(row.rate_per_min ?? 0, language.lang) });
    setText(this.facts, row.state === "never" ? language.t("feed_state.never") : row.state === "live" ? `${age} · ${rate}` : `${language.name("feed_state", row.state)} ${age}`);
    const dead = row.dead_letters ? ` · ${language.t("feed.dead_letters", { n: formatNumber(row.dead_letters, language.lang) })}` : "";
    this.node.title = `${this.name.textContent}: ${this.state.textContent} · ${rate}${dead}`;
  }
}

export class FeedStrip {
  #chips = new Map();

  /** @param {{root, store, language, clock}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  update() {
    const { root, store, language, clock } = this.parts;
    const now = clock.now();
    const rows = store.rows("feeds").sort((a, b) => (BADNESS[a.state] ?? 3) - (BADNESS[b.state] ?? 3) || a.id.localeCompare(b.id));
    placeInOrder(root, rows.map((row) => {
      if (!this.#chips.has(row.id)) this.#chips.set(row.id, new FeedChip(row.id));
      const chip = this.#chips.get(row.id);
      chip.show(row, language, now);
      return chip.node;
    }));
  }
}
