// The map's layers in the colours of the theme. Sizes are in wall units, so that a 4K wall reads the same.

import { LIVE_LAYERS } from "./map-features.js";

const EMPTY = { type: "FeatureCollection", features: [] };
export const MAP_FONT = "Be Vietnam Pro Medium";

/** Places drawn as a dot at every distance; the others, and all place names, wait for a closer view. */
const LANDMARKS = ["border_gate", "passenger_port", "cargo_port", "airport"];
const PLACE_ZOOM = 9.9;
/** Waters named before the smaller zones are. */
const WATERS = ["ha-long-bay", "bai-tu-long-bay"];

const source = (data) => ({ type: "geojson", data });

function label(id, from, colours, scale, { size = 20, colour = colours.label, minzoom = 0, offset = [0, 0], anchor = "center", filter = null, padding = 6 }) {
  return {
    id, type: "symbol", source: from, minzoom, ...(filter ? { filter } : {}),
    layout: {
      "text-field": ["get", "label"], "text-font": [MAP_FONT], "text-size": size * scale, "text-max-width": 7,
      "text-line-height": 1.25, "text-padding": padding * scale, "text-offset": offset, "text-anchor": anchor,
      "symbol-sort-key": ["get", "rank"],
    },
    paint: { "text-color": colour, "text-halo-color": colours.halo, "text-halo-width": 2 * scale },
  };
}

/** Stations stand in towns: the name moves to whichever side is free. */
function besideStations(layer) {
  const { "text-offset": _, "text-anchor": __, ...layout } = layer.layout;
  return { ...layer, layout: { ...layout, "text-variable-anchor": ["top", "left", "right", "bottom"], "text-radial-offset": 1.4, "text-justify": "auto" } };
}

function liveLayer(layer, colours, scale) {
  const isSensor = layer === "sensors";
  return {
    id: layer, type: "symbol", source: layer,
    layout: {
      "icon-image": ["get", "symbol"], "icon-rotate": ["get", "turn"], "icon-rotation-alignment": "map",
      "icon-allow-overlap": !isSensor, "icon-ignore-placement": !isSensor, "icon-padding": 0, ...(layer === "alerts" ? { "icon-anchor": "bottom", "icon-offset": [0, -14 * scale] } : {}),
      "symbol-sort-key": isSensor ? ["-", 0, ["get", "order"]] : ["get", "order"],
      ...(isSensor ? {
        "text-field": ["get", "label"], "text-font": [MAP_FONT], "text-size": 20 * scale, "text-padding": 0, "icon-rotation-alignment": "viewport",
      } : {}),
    },
    paint: isSensor ? { "text-color": colours.ink } : {},
  };
}

/** Complete style; `data` holds the geodata and the label points in the chosen language. */
export function buildStyle({ colours, scale, geodata, labels }) {
  const sources = {
    land: source(geodata.land), units: source(geodata.units), zones: source(geodata.zones), places: source(geodata.places), coast: source(geodata.coast),
    "unit-labels": source(labels.units), "zone-labels": source(labels.zones), "place-labels": source(labels.places),
    ...Object.fromEntries(LIVE_LAYERS.map((layer) => [layer, source(EMPTY)])),
  };
  const landmark = ["in", ["get", "kind"], ["literal", LANDMARKS]];
  return {
    version: 8,
    sources,
    layers: [
      { id: "sea", type: "background", paint: { "background-color": colours.sea } },
      { id: "land", type: "fill", source: "land", paint: { "fill-color": colours.land } },
      { id: "units", type: "fill", source: "units", paint: { "fill-color": colours.province, "fill-outline-color": colours.border } },
      { id: "unit-lines", type: "line", source: "units", paint: { "line-color": colours.border, "line-width": 1 * scale } },
      { id: "coast", type: "line", source: "coast", paint: { "line-color": colours.coast, "line-width": 1.2 * scale } },
      { id: "zones", type: "line", source: "zones", paint: { "line-color": colours.zone, "line-width": 1.4 * scale, "line-dasharray": [4, 3] } },
      { id: "routes", type: "line", source: "places", filter: ["==", ["geometry-type"], "LineString"], minzoom: PLACE_ZOOM,
        paint: { "line-color": colours.zone, "line-width": 1 * scale, "line-dasharray": [1, 3] } },
      label("unit-labels", "unit-labels", colours, scale, { colour: colours.labelQuiet, minzoom: PLACE_ZOOM, filter: ["!", ["get", "isTown"]] }),
      label("zone-labels", "zone-labels", colours, scale, { colour: colours.labelQuiet, minzoom: 9.2, filter: ["in", ["get", "id"], ["literal", WATERS]] }),
      label("zone-labels-near", "zone-labels", colours, scale, { colour: colours.labelQuiet, minzoom: 11, filter: ["!", ["in", ["get", "id"], ["literal", WATERS]]] }),
      { id: "place-dots", type: "circle", source: "place-labels", paint: {
        "circle-radius": 3.5 * scale, "circle-color": colours.sea, "circle-stroke-color": colours.label, "circle-stroke-width": 2 * scale,
      }, filter: landmark },
      ...LIVE_LAYERS.slice(0, 3).map((layer) => liveLayer(layer, colours, scale)),
      label("place-labels-far", "place-labels", colours, scale, { minzoom: 11, offset: [0.6, 0], anchor: "left", filter: ["!", landmark], colour: colours.labelQuiet }),
      label("place-labels", "place-labels", colours, scale, { minzoom: PLACE_ZOOM, offset: [0.6, 0], anchor: "left", filter: landmark }),
      besideStations(label("town-labels", "unit-labels", colours, scale, { filter: ["get", "isTown"], padding: 2 })),
      liveLayer("sensors", colours, scale),
      liveLayer("alerts", colours, scale),
    ],
  };
}
