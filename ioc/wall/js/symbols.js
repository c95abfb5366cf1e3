// One drawing per symbol, used on the map, in the list and in the legend, so that they always agree.
// Shape and letter carry the meaning; colour only repeats it.

import { h } from "./dom.js";
import { LETTERS } from "./alert-state.js";

const polygon = (sides, turn, radius = 0.92) =>
  Array.from({ length: sides }, (_, index) => {
    const angle = turn + (index * 2 * Math.PI) / sides;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });

const OUTLINES = {
  critical: polygon(8, Math.PI / 8, 0.98),
  major: [[0, -0.98], [0.98, 0.78], [-0.98, 0.78]],
  minor: [[0, -0.98], [0.98, 0], [0, 0.98], [-0.98, 0]],
  arrow: [[0, -0.95], [0.62, 0.85], [0, 0.5], [-0.62, 0.85]],
  square: [[-0.6, -0.6], [0.6, -0.6], [0.6, 0.6], [-0.6, 0.6]],
};

/** Height of an alert with its stem, as a share of its width. */
const STEM_SHARE = 1.35;
const LETTER_DROP = { major: 0.2 };

function trace(context, name, radius) {
  context.beginPath();
  const outline = OUTLINES[name];
  if (outline) {
    outline.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * radius, y * radius));
    context.closePath();
  } else {
    context.arc(0, 0, radius * 0.88, 0, 2 * Math.PI);
  }
}

/** Paints alert symbols: filled while someone must act, outlined once acknowledged. */
function paintAlert(context, severity, { isWaiting }, colours, radius) {
  const colour = colours[severity];
  context.lineJoin = "round";
  context.lineWidth = radius * 0.16;
  trace(context, severity, radius * 0.88);
  context.fillStyle = isWaiting ? colour : colours.symbolGround;
  context.strokeStyle = isWaiting ? colours.symbolGround : colour;
  context.fill();
  context.stroke();
  context.fillStyle = isWaiting ? colours.onAlert : colour;
  context.font = `700 ${radius * (severity === "critical" ? 1.15 : 1)}px "Be Vietnam Pro", sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(LETTERS[severity], 0, radius * (0.06 + (LETTER_DROP[severity] ?? 0)));
}

/** Paints assets in grey; a ghost (stale) is an empty dashed outline. */
function paintAsset(context, shape, { isGhost, isStrong }, colours, radius) {
  trace(context, shape, radius * 0.9);
  context.lineJoin = "round";
  context.lineWidth = Math.max(1.5, radius * (isGhost ? 0.14 : 0.1));
  if (isGhost) {
    context.setLineDash([radius * 0.35, radius * 0.25]);
    context.strokeStyle = colours.ghost;
    context.stroke();
    return;
  }
  context.fillStyle = isStrong ? colours.assetStrong : colours.asset;
  context.strokeStyle = colours.symbolGround;
  context.fill();
  context.stroke();
}

function paintPlate(context, { isGhost, isStrong }, colours, radius) {
  context.beginPath();
  context.arc(0, 0, radius * 0.9, 0, 2 * Math.PI);
  context.fillStyle = isStrong ? colours.plateStrong : colours.plate;
  context.strokeStyle = isStrong ? colours.assetStrong : colours.plateEdge;
  context.lineWidth = radius * (isStrong ? 0.14 : 0.09);
  if (isGhost) context.setLineDash([radius * 0.3, radius * 0.25]);
  context.fill();
  context.stroke();
}

/** All symbols by name: how big (px at a 20 px wall unit) and how painted. */
export const SYMBOLS = (() => {
  const list = {};
  for (const severity of Object.keys(LETTERS)) {
    list[`alert-${severity}-waiting`] = { size: 44, paint: (c, k, r) => paintAlert(c, severity, { isWaiting: true }, k, r) };
    list[`alert-${severity}-seen`] = { size: 38, paint: (c, k, r) => paintAlert(c, severity, { isWaiting: false }, k, r) };
  }
  for (const [name, shape, size] of [["vessel", "arrow", 30], ["moored", "dot", 15], ["truck", "square", 22]]) {
    list[name] = { size, paint: (c, k, r) => paintAsset(c, shape, {}, k, r) };
    list[`${name}-ghost`] = { size: size + 2, paint: (c, k, r) => paintAsset(c, shape, { isGhost: true }, k, r) };
  }
  for (const name of ["sensor", "crowd"]) {
    const paint = name === "sensor" ? paintPlate : paintCrowd;
    const size = name === "sensor" ? 46 : 34;
    list[name] = { size, paint: (c, k, r) => paint(c, {}, k, r) };
    list[`${name}-strong`] = { size: size + 4, paint: (c, k, r) => paint(c, { isStrong: true }, k, r) };
    list[`${name}-ghost`] = { size, paint: (c, k, r) => paint(c, { isGhost: true }, k, r) };
  }
  return list;
})();

/** A crowd site: three heads' worth of dots inside a ring. */
function paintCrowd(context, { isGhost, isStrong }, colours, radius) {
  paintPlate(context, { isGhost, isStrong }, colours, radius);
  context.setLineDash([]);
  context.fillStyle = isGhost ? colours.ghost : isStrong ? colours.assetStrong : colours.asset;
  for (const [x, y] of [[0, -0.34], [-0.36, 0.26], [0.36, 0.26]]) {
    context.beginPath();
    context.arc(x * radius, y * radius, radius * 0.2, 0, 2 * Math.PI);
    context.fill();
  }
}

/** Draws `name` with its centre at the context's origin. */
export function paintSymbol(context, name, colours, diameter) {
  context.save();
  SYMBOLS[name].paint(context, colours, diameter / 2);
  context.restore();
}

/** Alerts stand on a stem, so that they do not hide the thing they speak of. */
function paintStem(context, name, colours, side, height) {
  const colour = colours[name.split("-")[1]];
  for (const [stroke, width] of [[colours.symbolGround, 0.14], [colour, 0.06]]) {
    context.strokeStyle = stroke;
    context.lineWidth = side * width;
    context.beginPath();
    context.moveTo(side / 2, side / 2);
    context.lineTo(side / 2, height);
    context.stroke();
  }
}

/** The symbol as pixels for the map: `{image, pixelRatio}`. */
export function symbolImage(name, colours, scale) {
  const ratio = 2;
  const side = Math.ceil(SYMBOLS[name].size * scale * ratio);
  const hasStem = name.startsWith("alert-");
  const height = hasStem ? Math.ceil(side * STEM_SHARE) : side;
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height });
  const context = canvas.getContext("2d");
  if (hasStem) paintStem(context, name, colours, side, height);
  context.translate(side / 2, side / 2);
  paintSymbol(context, name, colours, side);
  return { image: context.getImageData(0, 0, side, height), pixelRatio: ratio };
}

/** The symbol as an element for lists and the legend; it repaints itself on `repaint(colours)`. */
export function symbolElement(name, colours, className = "symbol") {
  const canvas = h("canvas", { class: className, width: 96, height: 96, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.translate(48, 48);
  paintSymbol(context, name, colours, 92);
  return canvas;
}
