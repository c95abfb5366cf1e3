// Whether more comes than an operator can follow: the definition and the numbers of `alerts/notification/flood.py`.

import { instantMs, severityRank, startedMs } from "./alert-state.js";

export const WINDOW_MS = 10 * 60_000;
const BEGINS_ABOVE = 10;
const ENDS_BELOW = 5;
/** How far back instants are kept: a flood that is on may have begun long before. */
const MEMORY_MS = 60 * 60_000;
const NEVER_TOLD = new Set(["suppressed", "out_of_service"]);

/** From annunciations, the oldest first, up to `now`: how many the last ten minutes had, and since when it is a flood. */
export function floodAt(instants, now) {
  let first = 0;
  let beganMs = null;
  const leave = (at, count) => {
    while (first < count && instants[first] + WINDOW_MS <= at) {
      first += 1;
      if (count - first < ENDS_BELOW) beganMs = null;
    }
  };
  instants.forEach((at, index) => {
    leave(at, index);
    if (beganMs === null && index + 1 - first > BEGINS_ABOVE) beganMs = at;
  });
  leave(now, instants.length);
  return { count: instants.length - first, beganMs, isFlood: beganMs !== null };
}

/** Notices annunciations in the list: what is new, what rose, and what asks for attention again. */
export class FloodWatch {
  #known = new Map();
  #instants = [];

  /** Looks at all open alerts; gives what `floodAt` gives. Before the clock is set there is no flood. */
  look(alerts, now) {
    if (now === null) return { count: 0, beganMs: null, isFlood: false };
    const seen = new Map();
    for (const alert of alerts) {
      const at = this.#annunciatedAt(alert, this.#known.get(alert.id), now);
      if (at !== null) this.#instants.push(Math.min(at, now));
      seen.set(alert.id, { operator: alert.operator, rank: severityRank(alert) });
    }
    this.#known = seen;
    this.#instants = this.#instants.filter((at) => at > now - MEMORY_MS).sort((a, b) => a - b);
    return floodAt(this.#instants, now);
  }

  #annunciatedAt(alert, before, now) {
    if (before === undefined) {
      if (NEVER_TOLD.has(alert.operator)) return null;
      // Later decisions move `decided_at`; of an alert that this page did not see begin, the beginning is what is left.
      return alert.rev === 1 ? (instantMs(alert.decided_at) ?? startedMs(alert)) : startedMs(alert);
    }
    if (alert.operator !== "unacknowledged") return null;
    return before.operator !== "unacknowledged" || severityRank(alert) < before.rank ? now : null;
  }
}
