// A read-only window for tests and for whoever debugs a wall at night: `window.__wall`.

import { compareAlerts } from "./alert-state.js";

const CHANNELS = ["map:vessels", "map:trucks", "map:sensors", "map:crowd", "kpi:province", "feeds", "alerts"];

export function exposeWall({ store, connection, language, clock, getMap }) {
  const facts = {
    counts: () => Object.fromEntries(CHANNELS.map((channel) => [channel, store.table(channel).size])),
    positions: (channel) => Object.fromEntries(store.rows(channel).map((row) => [row.id, [row.lon, row.lat]])),
    row: (channel, id) => structuredClone(store.table(channel).get(id) ?? null),
    alertOrder: () => [...store.alerts.values()].sort(compareAlerts).map((alert) => alert.id),
    alertEventCount: () => store.alertEventCount,
    connection: () => ({
      state: connection.state, isFrozen: connection.isFrozen, silenceMs: connection.silenceMs, resyncCount: connection.resyncCount,
      reconnectCount: connection.reconnectCount, roundTripMs: connection.roundTripMs, closeCode: connection.closeCode,
      seqs: Object.fromEntries([...connection.cursors].map(([channel, cursor]) => [channel, cursor.seq])),
    }),
    map: () => ({ isDegraded: getMap()?.isDegraded ?? null, lastFrameElapsedMs: getMap()?.lastFrameElapsedMs ?? null, metresPerPixel: getMap()?.metresPerPixel ?? null }),
    missingKeys: () => [...language.missingKeys],
    serverNowMs: () => clock.now(),
  };
  Object.defineProperty(window, "__wall", { value: Object.freeze(facts) });
}
