// Where the map is only a canvas: the same assets as a table, so that they can be read and reached by keyboard.

import { h, placeInOrder, setText } from "./dom.js";
import { formatAge, formatNumber } from "./format.js";
import { channelOf } from "./map-features.js";
import { isStale } from "./quality.js";

const LAYERS = ["vessels", "trucks", "sensors", "crowd"];

/** One line per layer: how many, how many silent, the age of the newest. */
export class AssetTable {
  #rows = new Map();

  constructor({ root, store, language, clock }) {
    this.parts = { root, store, language, clock };
  }

  update() {
    const { root, store, language, clock } = this.parts;
    root.hidden = false;
    placeInOrder(root.tBodies[0], LAYERS.map((layer) => {
      if (!this.#rows.has(layer)) this.#rows.set(layer, h("tr", {}, h("th", { scope: "row" }), h("td"), h("td"), h("td")));
      const line = this.#rows.get(layer);
      const rows = store.rows(channelOf(layer));
      const newest = rows.reduce((best, row) => Math.max(best, row.at ?? 0), 0);
      const now = clock.now();
      const cells = [language.t(`layer.${layer}`), formatNumber(rows.length, language.lang), formatNumber(rows.filter(isStale).length, language.lang),
        newest && now !== null ? formatAge(now - newest, language) : "–"];
      cells.forEach((text, index) => setText(line.children[index], text));
      return line;
    }));
  }
}
