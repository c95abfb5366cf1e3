// What an alert's two state machines mean on the wall: order, symbol, whether someone must act.

export const SEVERITIES = ["critical", "major", "minor", "info"];

/** Letters, not numbers: the official disaster levels are numbers, and must not be confused with these. */
export const LETTERS = { critical: "A", major: "B", minor: "C", info: "D" };

const WAITING = new Set(["unacknowledged", "returned_unacknowledged"]);
const SET_ASIDE = new Set(["shelved", "suppressed", "out_of_service"]);

/** REST and the live link name two fields differently; the wall uses the short names. */
export function normalizeAlert(alert) {
  return { ...alert, id: alert.id ?? alert.alert_id, rev: alert.rev ?? alert.revision };
}

export const isOpenAlert = (alert) => !(alert.ended_at !== null && alert.ended_at !== undefined && alert.operator === "normal");
export const needsAcknowledgement = (alert) => WAITING.has(alert.operator);
export const isSetAside = (alert) => SET_ASIDE.has(alert.operator);
export const severityRank = (alert) => {
  const rank = SEVERITIES.indexOf(alert.severity);
  return rank < 0 ? SEVERITIES.length : rank;
};

/** Instants come as milliseconds on the live link and as ISO text over REST. */
export function instantMs(value) {
  if (value === null || value === undefined) return null;
  const ms = typeof value === "number" ? value : Date.parse(value);
  return Number.isFinite(ms) ? ms : null;
}

export const startedMs = (alert) => instantMs(alert.started_at) ?? instantMs(alert.decided_at) ?? instantMs(alert.observed_at) ?? 0;

/** Unacknowledged first, then priority, then the newest. */
export function compareAlerts(a, b) {
  return (
    Number(needsAcknowledgement(b)) - Number(needsAcknowledgement(a)) ||
    severityRank(a) - severityRank(b) ||
    startedMs(b) - startedMs(a) ||
    String(a.id).localeCompare(String(b.id))
  );
}
