// Turns rows of the live channels into what the map draws: position, symbol, turn, label, order.

import { needsAcknowledgement, isSetAside, severityRank, SEVERITIES } from "./alert-state.js";
import { isStale } from "./quality.js";

const MOVING_KN = 0.5;
/** Upper edge of the VN_AQI band "Trung bình"; above it a station is drawn brighter, never coloured. */
const AQI_STRONG = 100;
const CROWD_STRONG_P_M2 = 2;

const isPlaced = (row) => Number.isFinite(row.lon) && Number.isFinite(row.lat);
const feature = (row, properties) => ({
  type: "Feature",
  geometry: { type: "Point", coordinates: [row.lon, row.lat] },
  properties: { id: row.id, ...properties },
});

function vesselFeature(row) {
  const isMoving = Number.isFinite(row.sog_kn) && row.sog_kn >= MOVING_KN && Number.isFinite(row.cog_deg);
  const name = isMoving ? "vessel" : "moored";
  return feature(row, { symbol: isStale(row) ? `${name}-ghost` : name, turn: isMoving ? row.cog_deg : 0, label: row.name ?? "", order: isMoving ? 1 : 0 });
}

const truckFeature = (row) => feature(row, { symbol: isStale(row) ? "truck-ghost" : "truck", turn: 0, label: "", order: 0 });

/** The one number a station shows: its index if it has one, else wind. */
export function sensorFigure(row) {
  const values = row.values ?? {};
  if (Number.isFinite(values.vn_aqi)) return values.vn_aqi;
  const first = ["wind_m_s", "wind_speed_m_s", "temperature_celsius"].find((name) => Number.isFinite(values[name]));
  return first ? values[first] : null;
}

function sensorFeature(row) {
  const figure = sensorFigure(row);
  const isStrong = Number.isFinite(row.values?.vn_aqi) && row.values.vn_aqi > AQI_STRONG;
  const symbol = isStale(row) ? "sensor-ghost" : isStrong ? "sensor-strong" : "sensor";
  return feature(row, { symbol, turn: 0, label: figure === null ? "" : String(Math.round(figure)), order: figure ?? -1 });
}

function crowdFeature(row) {
  const symbol = isStale(row) ? "crowd-ghost" : row.density_p_m2 >= CROWD_STRONG_P_M2 ? "crowd-strong" : "crowd";
  return feature(row, { symbol, turn: 0, label: "", order: row.people_count ?? 0 });
}

export const alertSymbol = (alert) =>
  `alert-${SEVERITIES.includes(alert.severity) ? alert.severity : "info"}-${needsAcknowledgement(alert) ? "waiting" : "seen"}`;

const alertFeature = (alert) =>
  feature(alert, { symbol: alertSymbol(alert), turn: 0, label: "", order: 10 - severityRank(alert) + (needsAcknowledgement(alert) ? 10 : 0) });

const BUILDERS = {
  vessels: ["map:vessels", vesselFeature],
  trucks: ["map:trucks", truckFeature],
  sensors: ["map:sensors", sensorFeature],
  crowd: ["map:crowd", crowdFeature],
  alerts: ["alerts", alertFeature],
};

/** Layers of moving and measured things, bottom to top. */
export const LIVE_LAYERS = ["crowd", "trucks", "vessels", "sensors", "alerts"];
export const channelOf = (layer) => BUILDERS[layer][0];

/** The features of one live layer, least important first. */
export function liveFeatures(store, layer) {
  const [channel, build] = BUILDERS[layer];
  let rows = store.rows(channel).filter(isPlaced);
  if (layer === "alerts") rows = rows.filter((alert) => !isSetAside(alert));
  return rows.map(build).sort((a, b) => a.properties.order - b.properties.order);
}
