// One quantity over the last 24 h, with its unit, its limit, and gaps drawn as gaps.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h } from "./dom.js";
import { formatMinute, formatNumber, formatUnit } from "./format.js";
import { unitOf } from "./quantities.js";
import { wallScale } from "./theme.js";

const DAY_MS = 86_400_000;
const HEIGHT_REM = 13;

/** Fetches and draws into `root`; a newer call or a closed panel makes an older answer worthless. */
export class HistoryChart {
  #plot = null;
  #request = 0;
  #drawn = null;

  /** @param {{root, session, clock, language, theme}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  close() {
    this.#request += 1;
    this.#plot?.destroy();
    this.#plot = null;
    this.#drawn = null;
  }

  /** Draws the same readings again, as wide as the drawer and as large as its text are now. */
  resize() {
    if (!this.#drawn) return;
    this.#plot.destroy();
    this.#draw(...this.#drawn);
  }

  async show({ kind, assetId, quantity, limit = null }) {
    this.close();
    const { root, session, clock, language } = this.parts;
    const mine = this.#request;
    root.replaceChildren(h("p", { class: "chart-note" }, language.t("chart.loading")));
    const to = clock.now();
    const query = new URLSearchParams({
      quantity, from: new Date(to - DAY_MS).toISOString(), to: new Date(to).toISOString(), bucket: "15m", aggregate: "mean", fill: "null",
    });
    try {
      const answer = await session.get(`/history/${encodeURIComponent(kind)}/${encodeURIComponent(assetId)}?${query}`);
      if (mine !== this.#request) return;
      if (!answer.points.some(([, value]) => Number.isFinite(value))) root.replaceChildren(h("p", { class: "chart-note" }, language.t("chart.empty")));
      else this.#draw(answer, { from: to - DAY_MS, to, limit, quantity });
    } catch {
      if (mine === this.#request) root.replaceChildren(h("p", { class: "chart-note" }, language.t("chart.failed")));
    }
  }

  #draw(answer, span) {
    this.#drawn = [answer, span];
    const { from, to, limit, quantity } = span;
    const { root, language, theme } = this.parts;
    const { colours } = theme;
    const scale = wallScale();
    const unit = formatUnit(answer.unit || unitOf(quantity), language);
    const font = `500 ${20 * scale}px "Be Vietnam Pro"`;
    const axis = { stroke: colours.quiet, font, grid: { stroke: colours.line, width: 1 }, ticks: { show: false } };
    root.replaceChildren(h("p", { class: "chart-title" }, `${language.name("quantity", quantity)}${unit ? ` (${unit})` : ""} · ${language.t("chart.span")}`));
    this.#plot = new uPlot({
      width: root.clientWidth, height: HEIGHT_REM * 20 * scale, legend: { show: false }, cursor: { show: false }, padding: [12 * scale, 16 * scale, 0, 0],
      scales: {
        x: { time: false, range: [from, to] },
        y: { range: (_, low, high) => uPlot.rangeNum(Math.min(low, limit ?? low), Math.max(high, limit ?? high), 0.12, true) },
      },
      axes: [
        { ...axis, size: 40 * scale, space: 110 * scale, incrs: [3, 6, 12].map((hours) => hours * 3_600_000), values: (_, ticks) => ticks.map(formatMinute) },
        { ...axis, size: 76 * scale, space: 52 * scale, values: (_, ticks) => ticks.map((tick) => formatNumber(tick, language.lang)) },
      ],
      series: [{}, { stroke: colours.assetStrong, width: 2.5 * scale, spanGaps: false, points: { show: false } }],
      hooks: { draw: [(plot) => this.#drawLimit(plot, limit, colours, scale)] },
    }, [answer.points.map(([at]) => at), answer.points.map(([, value]) => value)], root);
  }

  #drawLimit(plot, limit, colours, scale) {
    if (!Number.isFinite(limit)) return;
    const { language } = this.parts;
    const y = plot.valToPos(limit, "y", true);
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colours.ink;
    ctx.fillStyle = colours.ink;
    ctx.setLineDash([8 * scale, 6 * scale]);
    ctx.lineWidth = 1.5 * scale;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `500 ${20 * scale * devicePixelRatio}px "Be Vietnam Pro"`;
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(`${language.t("chart.limit")} ${formatNumber(limit, language.lang)}`, bbox.left + bbox.width - 6, y - 6 * scale);
    ctx.restore();
  }
}
