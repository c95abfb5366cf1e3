// What the drawer says about one asset.

import { h } from "./dom.js";
import { formatAge, formatNumber, formatTime, formatUnit } from "./format.js";
import { channelOf } from "./map-features.js";
import { historyOf, unitOf } from "./quantities.js";

const HIDDEN = new Set(["id", "lon", "lat", "name", "at", "q", "values", "kind", "unit_code", "zone"]);

const fact = (term, value) => [h("dt", {}, term), h("dd", {}, value)];

function measured(name, value, language) {
  if (typeof value === "number") return `${formatNumber(value, language.lang)} ${formatUnit(unitOf(name), language)}`.trim();
  return value === null || value === undefined || value === "" ? "–" : language.name("value", value);
}

/** Title, facts and history of a row, or null when the asset is gone. */
export async function describeAsset({ layer, id }, { store, language, clock, geodata }) {
  const row = store.table(channelOf(layer)).get(id);
  if (!row) return null;
  const fields = { ...Object.fromEntries(Object.entries(row).filter(([name]) => !HIDDEN.has(name))), ...(row.values ?? {}) };
  const age = clock.now() === null ? "" : ` (${formatAge(clock.now() - row.at, language)})`;
  const facts = [
    ...fact(language.t("asset.id"), row.id),
    ...(row.unit_code ? fact(language.t("asset.unit"), geodata.unitName(row.unit_code, language)) : []),
    ...(row.zone ? fact(language.t("asset.zone"), geodata.zoneName(row.zone, language)) : []),
    ...Object.entries(fields).flatMap(([name, value]) => fact(language.name("quantity", name), measured(name, value, language))),
    ...fact(language.t("asset.at"), `${formatTime(row.at)}${age}`),
    ...fact(language.t("asset.quality"), language.t(`quality.${row.q ?? 0}`)),
  ];
  const { kind, quantities } = historyOf(layer, row);
  return {
    title: row.name || `${language.t(`layer.${layer}`)} ${row.id}`,
    nodes: [h("dl", { class: "facts" }, ...facts)],
    history: kind && quantities.length ? { kind, assetId: row.id, quantity: quantities[0] } : null,
  };
}
