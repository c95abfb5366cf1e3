// The map without WebGL: the same land and symbols on a plain canvas, redrawn when something changed.

import { channelOf, liveFeatures, LIVE_LAYERS } from "./map-features.js";
import { viewBounds } from "./map-views.js";
import { paintSymbol, SYMBOLS } from "./symbols.js";
import { h } from "./dom.js";
import { wallScale } from "./theme.js";

const EARTH_M = 40_075_016.686;
const mercatorY = (lat) => (1 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / Math.PI) / 2;
const mercatorX = (lon) => (lon + 180) / 360;

export class CanvasMap {
  lastFrameElapsedMs = null;
  isDegraded = true;
  #hidden = new Set();
  #ground = document.createElement("canvas");

  static async open(container, parts) {
    await document.fonts.load(`500 24px "Be Vietnam Pro"`, "Quảng Ninh đếự");
    return new CanvasMap(container, parts);
  }

  constructor(container, parts) {
    this.parts = parts;
    this.container = container;
    this.bounds = viewBounds(parts.view);
    this.canvas = h("canvas", { class: "map-canvas", role: "img", "aria-label": parts.language.t("map.heading") });
    container.append(this.canvas);
    this.canvas.addEventListener("click", (event) => this.#pick(event));
    this.resize();
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.container;
    for (const canvas of [this.canvas, this.#ground]) Object.assign(canvas, { width: clientWidth * ratio, height: clientHeight * ratio });
    this.#fit();
    this.#drawGround();
    this.#drawAll();
  }

  /** `resize` draws everything in the wall's scale already. */
  rescale() {}

  #fit() {
    const [west, south, east, north] = this.bounds;
    const [x0, x1, y0, y1] = [mercatorX(west), mercatorX(east), mercatorY(north), mercatorY(south)];
    const scale = Math.min(this.canvas.width / (x1 - x0), this.canvas.height / (y1 - y0)) * 0.97;
    const [left, top] = [(this.canvas.width - (x1 - x0) * scale) / 2, (this.canvas.height - (y1 - y0) * scale) / 2];
    this.scale = scale;
    this.project = (lon, lat) => [left + (mercatorX(lon) - x0) * scale, top + (mercatorY(lat) - y0) * scale];
  }

  #shape(context, geometry) {
    const isArea = geometry.type.endsWith("Polygon");
    const lines = geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.coordinates;
    context.beginPath();
    for (const line of lines) {
      line.forEach(([lon, lat], index) => context[index ? "lineTo" : "moveTo"](...this.project(lon, lat)));
      if (isArea) context.closePath();
    }
  }

  #drawGround() {
    const { theme, geodata, language } = this.parts;
    const context = this.#ground.getContext("2d");
    const unit = wallScale() * (devicePixelRatio || 1);
    context.fillStyle = theme.colours.sea;
    context.fillRect(0, 0, this.#ground.width, this.#ground.height);
    context.lineWidth = unit;
    for (const [name, fill, line] of [["land", "land", null], ["units", "province", "border"], ["coast", null, "coast"]]) {
      for (const { geometry } of geodata[name].features) {
        this.#shape(context, geometry);
        context.fillStyle = theme.colours[fill];
        context.strokeStyle = theme.colours[line];
        if (fill) context.fill();
        if (line) context.stroke();
      }
    }
    context.font = `500 ${20 * unit}px "Be Vietnam Pro", sans-serif`;
    context.fillStyle = theme.colours.label;
    context.textAlign = "center";
    for (const { geometry, properties } of geodata.labels("units", language).features) {
      if (!properties.isTown) continue;
      const [x, y] = this.project(...geometry.coordinates);
      context.fillText(properties.label, x, y + 46 * unit);
    }
  }

  #drawAll() {
    const context = this.canvas.getContext("2d");
    const unit = wallScale() * (devicePixelRatio || 1);
    context.drawImage(this.#ground, 0, 0);
    for (const layer of LIVE_LAYERS) {
      if (this.#hidden.has(layer)) continue;
      for (const { geometry, properties } of liveFeatures(this.parts.store, layer)) {
        const [x, y] = this.project(...geometry.coordinates);
        context.save();
        context.translate(x, y);
        context.save();
        context.rotate((properties.turn * Math.PI) / 180);
        paintSymbol(context, properties.symbol, this.parts.theme.colours, SYMBOLS[properties.symbol].size * unit);
        context.restore();
        if (properties.label && layer === "sensors") {
          context.font = `500 ${20 * unit}px "Be Vietnam Pro", sans-serif`;
          context.textAlign = "center";
          context.textBaseline = "middle";
          context.fillStyle = this.parts.theme.colours.ink;
          context.fillText(properties.label, 0, unit);
        }
        context.restore();
      }
    }
    this.lastFrameElapsedMs = performance.now();
  }

  draw(channels) {
    if (LIVE_LAYERS.some((layer) => channels.has(channelOf(layer)))) this.#drawAll();
  }

  #pick(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    const [x, y] = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    for (const layer of [...LIVE_LAYERS].reverse()) {
      const hit = liveFeatures(this.parts.store, layer).find(({ geometry, properties }) => {
        const [px, py] = this.project(...geometry.coordinates);
        return Math.hypot(px - x, py - y) < (SYMBOLS[properties.symbol].size / 2) * ratio * wallScale();
      });
      if (hit) return this.parts.onPick(layer, hit.properties.id);
    }
    return undefined;
  }

  setLanguage() {
    this.canvas.setAttribute("aria-label", this.parts.language.t("map.heading"));
    this.setTheme();
  }

  setTheme() {
    this.#drawGround();
    this.#drawAll();
  }

  show(view) {
    this.bounds = viewBounds(view);
    this.resize();
    this.parts.onMove?.();
  }

  lookAt(lon, lat) {
    const half = 0.35;
    this.bounds = [lon - half, lat - half * 0.7, lon + half, lat + half * 0.7];
    this.resize();
    this.parts.onMove?.();
  }

  toggle(layer) {
    const isHidden = !this.#hidden.has(layer);
    if (isHidden) this.#hidden.add(layer);
    else this.#hidden.delete(layer);
    this.#drawAll();
    return !isHidden;
  }

  get metresPerPixel() {
    const middle = (this.bounds[1] + this.bounds[3]) / 2;
    return ((EARTH_M * Math.cos((middle * Math.PI) / 180)) / this.scale) * (devicePixelRatio || 1);
  }
}
