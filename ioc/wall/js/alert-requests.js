// What the operator asks of alerts: compare-and-swap over REST, finished only when the journal's entry comes back over the live link.

import { RefusedError, Session } from "./session.js";

const EVENT_DEADLINE_MS = 10_000;
const KEPT_MS = 15_000;

/** What each alert's request is doing: `sending`, `conflict`, `refused` (with the server's words), `failed` or `silent`; absent when nothing is. */
export class AlertRequests extends EventTarget {
  #states = new Map();

  constructor(session, store) {
    super();
    this.session = session;
    this.store = store;
    store.addEventListener("alert-event", ({ detail }) => this.#heard(detail.alert));
  }

  /** @returns {{state: string, detail?: string} | null} */
  state(alertId) {
    return this.#states.get(alertId) ?? null;
  }

  /** Asks for one thing: `acknowledge`, `shelve`, `assign` … with what it needs; true when the server has done it. */
  async send(alert, verb, body = {}) {
    if (this.state(alert.id)?.state === "sending") return false;
    this.#begin(alert.id);
    try {
      const answer = await this.session.post(`/alerts/${encodeURIComponent(alert.id)}/${verb}`,
        { expected_revision: alert.rev, ...body }, { "Idempotency-Key": Session.idempotencyKey() });
      this.#answered(alert.id, answer.rev);
      return true;
    } catch (error) {
      this.#refused(alert.id, error instanceof RefusedError ? error.problem : null, error.status);
      return false;
    }
  }

  /**
   * Acknowledges exactly the alerts that were selected, each at the revision that the operator sees; each succeeds or
   * fails for itself. False when the request as a whole failed.
   */
  async acknowledgeSeveral(alerts, comment = null) {
    const asked = alerts.filter((alert) => this.state(alert.id)?.state !== "sending");
    if (asked.length === 0) return false;
    for (const alert of asked) this.#begin(alert.id);
    try {
      const answer = await this.session.post("/alerts/acknowledge",
        { items: asked.map((alert) => ({ id: alert.id, expected_revision: alert.rev })), ...(comment ? { comment } : {}) },
        { "Idempotency-Key": Session.idempotencyKey() });
      for (const item of answer.items) {
        if (item.done) this.#answered(item.id, item.alert.rev);
        else this.#refused(item.id, { code: item.code, detail: item.detail, current: item.alert }, 409);
      }
      return true;
    } catch {
      for (const alert of asked) this.#notice(alert.id, "failed");
      return false;
    }
  }

  #begin(alertId) {
    this.#setFor(alertId, { state: "sending", heardRev: 0, doneRev: null }, 2 * EVENT_DEADLINE_MS, () => this.#notice(alertId, "silent"));
  }

  #answered(alertId, rev) {
    const entry = this.state(alertId);
    if (entry?.state !== "sending") return;
    if (entry.heardRev >= rev) this.#set(alertId, null);
    else this.#setFor(alertId, { ...entry, doneRev: rev }, EVENT_DEADLINE_MS, () => this.#notice(alertId, "silent"));
  }

  /** The journal's entry may come before the answer to the request, or after it. */
  #heard(alert) {
    const entry = this.state(alert.id);
    if (entry?.state !== "sending") return;
    if (entry.doneRev !== null && alert.rev >= entry.doneRev) this.#set(alert.id, null);
    else entry.heardRev = Math.max(entry.heardRev, alert.rev);
  }

  #refused(alertId, problem, status) {
    const isConflict = status === 409 && Boolean(problem?.current);
    if (isConflict) this.store.putAlert(problem.current);
    if (isConflict) this.#notice(alertId, "conflict");
    else if (problem?.detail && status < 500) this.#notice(alertId, "refused", problem.detail);
    else this.#notice(alertId, "failed");
  }

  #set(alertId, entry) {
    clearTimeout(this.#states.get(alertId)?.timer);
    if (entry) this.#states.set(alertId, entry);
    else this.#states.delete(alertId);
    this.dispatchEvent(new CustomEvent("change", { detail: alertId }));
  }

  #setFor(alertId, entry, ms, after) {
    this.#set(alertId, { ...entry, timer: setTimeout(after, ms) });
  }

  #notice(alertId, state, detail = "") {
    this.#setFor(alertId, { state, detail }, KEPT_MS, () => this.#set(alertId, null));
  }
}

/** The words for a request's state, to stand beside the alert; empty while nothing is wrong. */
export function noticeText(entry, language) {
  if (entry === null || entry.state === "sending") return "";
  return language.t(`alert.notice.${entry.state}`, { detail: entry.detail });
}
