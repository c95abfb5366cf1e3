// The map drawn with WebGL.

import { Map as GlMap } from "../vendor/maplibre/maplibre-gl.mjs";
import { channelOf, liveFeatures, LIVE_LAYERS } from "./map-features.js";
import { buildStyle, MAP_FONT } from "./map-style.js";
import { COVERED, viewBounds } from "./map-views.js";
import { symbolImage, SYMBOLS } from "./symbols.js";
import { wallScale } from "./theme.js";

/** The legend stands at the bottom: views keep clear of it. In pixels of a 1920 px wall. */
const VIEW_PADDING = { top: 20, left: 10, right: 10, bottom: 130 };
const viewPadding = () => Object.fromEntries(Object.entries(VIEW_PADDING).map(([side, px]) => [side, px * wallScale()]));
/** Letters whose font files must be here before the first glyph is drawn: the map caches glyphs for good. */
const VIETNAMESE_SAMPLE = "Quảng Ninh ăâđêôơư ẠẤỆỐỰ ửỹ";

/** Same surface as CanvasMap: `draw(channels)`, `setLanguage`, `setTheme`, `show(view)`, `lookAt`, `toggle`, `resize`, `rescale`. */
export class MapGl {
  lastFrameElapsedMs = null;
  isDegraded = false;
  #busy = new Set();
  #dirty = new Set(LIVE_LAYERS);
  #hidden = new Set();
  /** The named view that is shown, or null once somebody looks elsewhere. */
  #view;
  #drawnScale = wallScale();

  static async open(container, parts) {
    await document.fonts.load(`500 24px "${MAP_FONT}"`, VIETNAMESE_SAMPLE);
    await document.fonts.load(`700 24px "Be Vietnam Pro"`, "ABCD");
    const map = new MapGl(container, parts);
    await new Promise((resolve) => map.gl.once("load", resolve));
    return map;
  }

  constructor(container, parts) {
    this.parts = parts;
    this.#view = parts.view;
    this.gl = new GlMap({
      container, style: this.#style(), bounds: viewBounds(parts.view), maxBounds: COVERED, fitBoundsOptions: { padding: viewPadding() },
      attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, renderWorldCopies: false,
      interactive: !parts.isKiosk, trackResize: false, fadeDuration: 0, minZoom: 6, maxZoom: 16, maxPitch: 0,
      localIdeographFontFamily: false,
    });
    this.#nameCanvas();
    this.gl.touchZoomRotate?.disableRotation();
    this.gl.keyboard?.disableRotation?.();
    this.#addImages();
    this.gl.on("render", () => {
      this.lastFrameElapsedMs = performance.now();
    });
    this.gl.on("move", () => parts.onMove?.());
    this.gl.on("movestart", ({ originalEvent }) => {
      if (originalEvent) this.#view = null;
    });
    for (const layer of LIVE_LAYERS) {
      this.gl.on("click", layer, (event) => parts.onPick(layer, event.features[0].properties.id));
      this.gl.on("mouseenter", layer, () => this.gl.getCanvas().classList.add("is-pointing"));
      this.gl.on("mouseleave", layer, () => this.gl.getCanvas().classList.remove("is-pointing"));
    }
  }

  #style() {
    const { theme, geodata, language } = this.parts;
    const labels = Object.fromEntries(["units", "zones", "places"].map((name) => [name, geodata.labels(name, language)]));
    return buildStyle({ colours: theme.colours, scale: wallScale(), geodata, labels });
  }

  #addImages() {
    for (const name of Object.keys(SYMBOLS)) {
      const { image, pixelRatio } = symbolImage(name, this.parts.theme.colours, wallScale());
      if (this.gl.hasImage(name)) this.gl.removeImage(name);
      this.gl.addImage(name, image, { pixelRatio });
    }
  }

  /** Marks channels as changed; at most one update per layer is under way, a later one takes the newest rows. */
  draw(channels) {
    for (const layer of LIVE_LAYERS) if (channels.has(channelOf(layer))) this.#dirty.add(layer);
    for (const layer of [...this.#dirty]) this.#update(layer);
  }

  async #update(layer) {
    if (this.#busy.has(layer)) return;
    const source = this.gl.getSource(layer);
    if (!source) return;
    this.#dirty.delete(layer);
    this.#busy.add(layer);
    try {
      await source.setData({ type: "FeatureCollection", features: liveFeatures(this.parts.store, layer) });
    } finally {
      this.#busy.delete(layer);
    }
  }

  #nameCanvas() {
    this.gl.getCanvas().setAttribute("aria-label", this.parts.language.t("map.heading"));
  }

  setLanguage() {
    this.#nameCanvas();
    for (const name of ["units", "zones", "places"]) {
      const singular = name.slice(0, -1);
      this.gl.getSource(`${singular}-labels`)?.setData(this.parts.geodata.labels(name, this.parts.language));
    }
  }

  setTheme() {
    this.gl.setStyle(this.#style(), { diff: false });
    this.gl.once("style.load", () => {
      this.#addImages();
      this.#hidden.forEach((layer) => this.gl.setLayoutProperty(layer, "visibility", "none"));
      for (const layer of LIVE_LAYERS) this.#dirty.add(layer);
      this.draw(new Set());
    });
  }

  #pace() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 700;
  }

  show(view) {
    this.#view = view;
    this.gl.fitBounds(viewBounds(view), { padding: viewPadding(), duration: this.#pace() });
  }

  /** `coveredPx` of the map's left side lie under the drawer. */
  lookAt(lon, lat, coveredPx = 0) {
    this.#view = null;
    this.gl.easeTo({ center: [lon, lat], zoom: Math.max(this.gl.getZoom(), 11), duration: this.#pace(), offset: [coveredPx / 2, 0] });
  }

  /** Shows or hides one live layer; returns whether it is visible now. */
  toggle(layer) {
    const isHidden = !this.#hidden.has(layer);
    if (isHidden) this.#hidden.add(layer);
    else this.#hidden.delete(layer);
    this.gl.setLayoutProperty(layer, "visibility", isHidden ? "none" : "visible");
    return !isHidden;
  }

  /** Metres per CSS pixel in the middle of the view. */
  get metresPerPixel() {
    const { lat } = this.gl.getCenter();
    return (40_075_016.686 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** this.gl.getZoom());
  }

  /** The frame has another size: a named view fills it again, what somebody looks at stays in its middle. */
  resize() {
    this.gl.resize();
    if (this.#view) this.gl.fitBounds(viewBounds(this.#view), { padding: viewPadding(), duration: 0 });
  }

  /** Draws names and symbols as large as the wall's text is now. */
  rescale() {
    if (this.#drawnScale === wallScale()) return;
    this.#drawnScale = wallScale();
    this.setTheme();
  }
}
