// Names and units of measured fields. By convention the unit ends the field's name.

const UNIT_ENDINGS = [
  ["_ug_m3", "µg/m³"], ["_p_m2", "người/m²"], ["_m_s", "m/s"], ["_km_h", "km/h"], ["_mm_h", "mm/h"], ["_kn", "kn"], ["_deg", "°"],
  ["_celsius", "°C"], ["_hpa", "hPa"], ["_pct", "%"], ["_mm", "mm"], ["_km", "km"], ["_min", "min"], ["_count", ""], ["_t", "t"], ["_m", "m"],
];

export function unitOf(quantity) {
  if (["people_count", "pax_count", "capacity_count", "in_count", "out_count"].includes(quantity)) return "người";
  return UNIT_ENDINGS.find(([ending]) => quantity.endsWith(ending))?.[1] ?? "";
}

/** What to ask the history for, by map layer: the event kind and its quantities, most telling first. */
const HISTORY = {
  vessels: ["vessel.position", ["sog_kn", "pax_count"]],
  crowd: ["tourism.crowd", ["people_count", "density_p_m2"]],
};

export function historyOf(layer, row) {
  if (layer === "sensors") {
    const stored = Object.keys(row.values ?? {}).filter((name) => name !== "vn_aqi");
    return { kind: row.kind, quantities: stored };
  }
  const [kind, quantities] = HISTORY[layer] ?? [null, []];
  return { kind, quantities };
}

/** Which layer's row an alert speaks of, and which quantity: its label if it has one, else the unit decides. */
export function historyOfAlert(alert, store) {
  const labels = Array.isArray(alert.labels) ? Object.fromEntries(alert.labels) : alert.labels ?? {};
  for (const [layer, channel] of [["sensors", "map:sensors"], ["vessels", "map:vessels"], ["crowd", "map:crowd"]]) {
    const row = store.table(channel).get(alert.asset_id);
    if (!row) continue;
    const { kind, quantities } = historyOf(layer, row);
    const named = quantities.find((name) => name === labels.quantity);
    const byUnit = quantities.find((name) => alert.quantity_unit && unitOf(name) === alert.quantity_unit);
    return { layer, row, kind, quantity: named ?? byUnit ?? quantities[0] ?? null };
  }
  return labels.kind && labels.quantity ? { layer: null, row: null, kind: labels.kind, quantity: labels.quantity } : null;
}
