// What the symbols mean, how far things are apart, where the shapes come from, and how many there are.

import { LETTERS, SEVERITIES } from "./alert-state.js";
import { h, setAttribute, setText } from "./dom.js";
import { formatNumber } from "./format.js";
import { channelOf } from "./map-features.js";
import { isStale } from "./quality.js";
import { symbolElement } from "./symbols.js";

const LAYERS = [["vessels", "vessel"], ["trucks", "truck"], ["sensors", "sensor"], ["crowd", "crowd"]];
const STEPS_M = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

export class MapLegend {
  #counts = new Map();

  /** @param {{root, scale, store, language, theme, isKiosk, onToggle}} parts */
  constructor(parts) {
    this.parts = parts;
    this.#build();
  }

  #build() {
    const { root, language, theme, isKiosk, onToggle } = this.parts;
    root.replaceChildren();
    const layers = LAYERS.map(([layer, symbol]) => {
      const count = h("span", { class: "legend-count" });
      this.#counts.set(layer, count);
      const content = [symbolElement(symbol, theme.colours, "legend-symbol"), h("span", { class: "legend-name" }, language.t(`layer.${layer}`)), count];
      if (isKiosk) return h("div", { class: "legend-row" }, ...content);
      const button = h("button", { class: "legend-row", type: "button", "aria-pressed": "true" }, ...content);
      button.addEventListener("click", () => button.setAttribute("aria-pressed", String(onToggle(layer))));
      return button;
    });
    const ghost = h("div", { class: "legend-row" }, symbolElement("vessel-ghost", theme.colours, "legend-symbol"), h("span", { class: "legend-name" }, language.t("legend.ghost")));
    const alerts = h("div", { class: "legend-alerts" }, ...SEVERITIES.map((severity) =>
      h("span", { class: "legend-alert" }, symbolElement(`alert-${severity}-waiting`, theme.colours, "legend-symbol"),
        h("span", { class: "legend-name" }, language.t(`severity.${severity}`)), h("span", { class: "visually-hidden" }, LETTERS[severity]))));
    root.append(h("div", { class: "legend-layers" }, ...layers, ghost), alerts);
    this.update();
  }

  rebuild() {
    this.#build();
  }

  /** Counts per layer: how many, and how many of them are silent. */
  update() {
    const { store, language } = this.parts;
    for (const [layer, node] of this.#counts) {
      const rows = store.rows(channelOf(layer));
      const stale = rows.filter(isStale).length;
      const total = formatNumber(rows.length, language.lang);
      setText(node, stale ? language.t("legend.count_stale", { n: total, stale: formatNumber(stale, language.lang) }) : total);
    }
  }

  /** Draws the scale bar: the longest round distance that fits in about 160 wall pixels. */
  drawScale(map) {
    const { scale, language } = this.parts;
    const widest = parseFloat(getComputedStyle(document.documentElement).fontSize) * 8;
    const perPixel = map.metresPerPixel;
    const metres = STEPS_M.findLast((step) => step / perPixel <= widest) ?? STEPS_M[0];
    const bar = scale.firstElementChild ?? scale.appendChild(h("span", { class: "scale-bar" }));
    const text = scale.children[1] ?? scale.appendChild(h("span", { class: "scale-text" }));
    bar.style.width = `${metres / perPixel}px`;
    setText(text, metres >= 1_000 ? `${formatNumber(metres / 1_000, language.lang)} km` : `${metres} m`);
    setAttribute(scale, "aria-label", language.t("map.scale"));
  }
}
