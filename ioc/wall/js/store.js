// The picture as last told: rows of every state channel by id, and the open alerts.

import { isOpenAlert, normalizeAlert } from "./alert-state.js";

const toObject = (fields, row) => Object.fromEntries(fields.map((field, index) => [field, row[index]]));

export class Store extends EventTarget {
  #tables = new Map();
  #fields = new Map();
  alertEventCount = 0;

  /** Rows of a channel by id; empty until its snapshot. */
  table(channel) {
    if (!this.#tables.has(channel)) this.#tables.set(channel, new Map());
    return this.#tables.get(channel);
  }

  rows(channel) {
    return [...this.table(channel).values()];
  }

  get alerts() {
    return this.table("alerts");
  }

  replace(channel, fields, rows) {
    this.#fields.set(channel, fields);
    const table = new Map();
    for (const row of rows) {
      const object = toObject(fields, row);
      table.set(object.id, object);
    }
    this.#tables.set(channel, table);
    this.#announce(channel);
  }

  change(channel, fields, rows, removedIds) {
    if (fields) this.#fields.set(channel, fields);
    const names = this.#fields.get(channel);
    const table = this.table(channel);
    for (const row of rows) {
      const object = toObject(names, row);
      table.set(object.id, object);
    }
    for (const id of removedIds) table.delete(id);
    this.#announce(channel);
  }

  /** One event of the alert log. */
  append(event) {
    this.alertEventCount += 1;
    this.putAlert(event.alert);
    this.dispatchEvent(new CustomEvent("alert-event", { detail: event }));
  }

  /** Takes an alert from an event or from a 409 answer; an older revision than the one shown changes nothing. */
  putAlert(told) {
    const alert = normalizeAlert(told);
    const shown = this.alerts.get(alert.id);
    if (shown && alert.rev < shown.rev) return;
    if (isOpenAlert(alert)) this.alerts.set(alert.id, alert);
    else this.alerts.delete(alert.id);
    this.#announce("alerts");
  }

  #announce(channel) {
    this.dispatchEvent(new CustomEvent("change", { detail: channel }));
  }
}
