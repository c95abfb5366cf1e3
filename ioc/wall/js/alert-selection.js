// Several alerts at once: what the operator has picked by name, and the bar that acknowledges just these.

import { needsAcknowledgement } from "./alert-state.js";
import { h, setText } from "./dom.js";

/** The most that the server takes in one request. */
const MOST = 200;

export class AlertSelection {
  #ids = new Set();
  #last = null;

  /** @param {{root, store, language, session, requests, isKiosk, shown: () => object[], onChange: () => void}} parts */
  constructor(parts) {
    this.parts = parts;
    this.count = h("span", { class: "selection-count", role: "status" });
    this.same = h("button", { type: "button" });
    this.send = h("button", { type: "button", class: "selection-send" });
    this.clear = h("button", { type: "button" });
    this.comment = h("input", { name: "selection-comment", maxlength: 500, autocomplete: "off" });
    parts.root.append(this.count, this.same, this.clear, this.comment, this.send);
    this.same.addEventListener("click", () => this.#pickSame());
    this.clear.addEventListener("click", () => this.#drop());
    this.send.addEventListener("click", () => this.#acknowledge());
    this.comment.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#acknowledge();
    });
  }

  get isPossible() {
    return this.parts.session.mayAcknowledge && !this.parts.isKiosk;
  }

  has(id) {
    return this.#ids.has(id);
  }

  /** Picks or drops one; with `isRange` everything in the list between it and the one picked before. */
  toggle(id, isRange) {
    const order = this.parts.shown().map((alert) => alert.id);
    const [from, to] = [order.indexOf(this.#last), order.indexOf(id)].sort((a, b) => a - b);
    const isPicking = !this.#ids.has(id);
    const ids = isRange && from >= 0 ? order.slice(from, to + 1) : [id];
    for (const each of ids) {
      if (!isPicking) this.#ids.delete(each);
      else if (this.#ids.size < MOST) this.#ids.add(each);
    }
    this.#last = id;
    this.parts.onChange();
  }

  #picked() {
    return this.parts.shown().filter((alert) => this.#ids.has(alert.id));
  }

  #pickSame() {
    const rules = new Set(this.#picked().map((alert) => alert.rule_id));
    for (const alert of this.parts.shown()) {
      if (rules.has(alert.rule_id) && needsAcknowledgement(alert) && this.#ids.size < MOST) this.#ids.add(alert.id);
    }
    this.parts.onChange();
  }

  #drop() {
    this.#ids.clear();
    this.comment.value = "";
    this.parts.onChange();
  }

  async #acknowledge() {
    const picked = this.#picked();
    const comment = this.comment.value.trim();
    this.#drop();
    const isDone = await this.parts.requests.acknowledgeSeveral(picked, comment || null);
    if (isDone || this.#ids.size > 0) return;
    // Nothing was sent, and nothing else has been picked since: what was picked and written is there to be sent again.
    for (const { id } of picked) this.#ids.add(id);
    this.comment.value = comment;
    this.parts.onChange();
  }

  /** What somebody else acknowledged, or what has left the list, is no longer picked. */
  update() {
    const { root, store, language } = this.parts;
    for (const id of this.#ids) {
      const alert = store.alerts.get(id);
      if (!alert || !needsAcknowledgement(alert)) this.#ids.delete(id);
    }
    const picked = this.#picked();
    root.hidden = picked.length === 0;
    if (root.hidden) return;
    const rules = new Set(picked.map((alert) => alert.rule_id));
    const alike = this.parts.shown().filter((alert) => rules.has(alert.rule_id) && needsAcknowledgement(alert)).length;
    setText(this.count, language.t("selection.count", { n: picked.length }));
    this.same.hidden = alike <= picked.length;
    setText(this.same, language.t("selection.same", { n: alike }));
    setText(this.send, language.t("selection.acknowledge", { n: picked.length }));
    setText(this.clear, language.t("selection.clear"));
    this.comment.placeholder = language.t("alert.comment");
    this.comment.setAttribute("aria-label", language.t("alert.comment"));
  }
}
