// Acknowledging: compare-and-swap over REST, finished only when the log's event comes back over the live link.

import { RefusedError, Session } from "./session.js";

const EVENT_DEADLINE_MS = 10_000;
const KEPT_MS = 15_000;

/** What each alert's request is doing: `sending`, `conflict`, `failed` or `silent`; absent when nothing is. */
export class Acknowledgements extends EventTarget {
  #states = new Map();

  constructor(session, store) {
    super();
    this.session = session;
    this.store = store;
    store.addEventListener("alert-event", ({ detail }) => {
      if (this.#states.get(detail.alert.id)?.state === "sending" && detail.type === "acknowledged") this.#set(detail.alert.id, null);
    });
  }

  state(alertId) {
    return this.#states.get(alertId) ?? null;
  }

  #set(alertId, entry) {
    clearTimeout(this.#states.get(alertId)?.timer);
    if (entry) this.#states.set(alertId, entry);
    else this.#states.delete(alertId);
    this.dispatchEvent(new Event("change"));
  }

  #setFor(alertId, state, ms, after) {
    this.#set(alertId, { state, timer: setTimeout(after, ms) });
  }

  async send(alert, comment = null) {
    if (this.state(alert.id)?.state === "sending") return;
    this.#setFor(alert.id, "sending", 2 * EVENT_DEADLINE_MS, () => this.#notice(alert.id, "silent"));
    try {
      await this.session.post(`/alerts/${encodeURIComponent(alert.id)}/acknowledge`,
        { expected_revision: alert.rev, ...(comment ? { comment } : {}) },
        { "Idempotency-Key": Session.idempotencyKey() });
      if (this.state(alert.id)?.state === "sending") this.#setFor(alert.id, "sending", EVENT_DEADLINE_MS, () => this.#notice(alert.id, "silent"));
    } catch (error) {
      const isConflict = error instanceof RefusedError && error.status === 409;
      if (isConflict && error.problem.current) this.store.putAlert(error.problem.current);
      this.#notice(alert.id, isConflict ? "conflict" : "failed");
    }
  }

  #notice(alertId, state) {
    this.#setFor(alertId, state, KEPT_MS, () => this.#set(alertId, null));
  }
}
