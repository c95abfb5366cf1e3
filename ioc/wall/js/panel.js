// The drawer at the left: one asset with its last 24 h, or one alert with its cause, procedure and journal.

import { describeAlert } from "./alert-panel.js";
import { describeAsset } from "./asset-panel.js";
import { HistoryChart } from "./history-chart.js";

export class Panel {
  #open = null;
  #drawn = null;
  #chart;
  #returnFocus = null;

  /** @param {{root, title, body, chartRoot, closeButton, session, store, clock, language, theme, geodata, requests, onClose, fallbackFocus}} parts */
  constructor(parts) {
    this.parts = parts;
    this.#chart = new HistoryChart({ ...parts, root: parts.chartRoot });
    parts.closeButton.addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    parts.store.addEventListener("alert-event", ({ detail }) => {
      if (this.#open?.type === "alert" && this.#open.id === detail.alert.id) this.#redraw({ withChart: false });
    });
  }

  get isOpen() {
    return this.#open !== null;
  }

  /** `isNamed`: the address names it, so it is shown even if it has left the list. */
  showAlert(id, { isNamed = false } = {}) {
    this.#show({ type: "alert", id, isNamed });
  }

  showAsset(layer, id) {
    this.#show({ type: "asset", layer, id });
  }

  #show(what) {
    if (!this.isOpen) this.#returnFocus = document.activeElement;
    this.#open = what;
    this.parts.root.hidden = false;
    this.#redraw({ withChart: true });
    this.parts.closeButton.focus();
  }

  /** A request about an alert has got an answer, or waits for one. */
  requestChanged(alertId) {
    if (this.#open?.type === "alert" && this.#open.id === alertId) this.#redraw({ withChart: false });
  }

  /** Draws again, as after a change of language or theme. */
  refresh() {
    if (this.isOpen) this.#redraw({ withChart: true });
  }

  /** The window has another size. */
  resize() {
    this.#chart.resize();
  }

  async #redraw({ withChart }) {
    const { title, body, chartRoot } = this.parts;
    const what = this.#open;
    const isCurrent = () => this.#open === what;
    const describe = what.type === "alert" ? describeAlert : describeAsset;
    const content = await describe(what, this.parts, isCurrent);
    if (!isCurrent()) return;
    if (!content) {
      this.close();
      return;
    }
    title.textContent = content.title;
    // What is being written about one alert is not about another one.
    const drafts = this.#drawn === `${what.type} ${what.id}` ? this.#drafts() : [];
    this.#drawn = `${what.type} ${what.id}`;
    const hadFocus = body.contains(document.activeElement);
    body.replaceChildren(...content.nodes);
    this.#keepDrafts(drafts);
    // What had the focus may be gone, as a form that was sent: hands on the keyboard stay in the drawer.
    if (hadFocus && !body.contains(document.activeElement)) this.parts.closeButton.focus();
    chartRoot.hidden = !content.history;
    if (withChart && content.history) this.#chart.show(content.history);
  }

  /** What somebody is filling in: fields by form, which form is open, which field has the focus. */
  #drafts() {
    return [...this.parts.body.querySelectorAll("[data-form]")].map((form) => ({
      name: form.dataset.form,
      isOpen: form.open,
      fields: [...form.querySelectorAll("[name]")].map((field) => ({ name: field.name, value: field.value, isFocused: field === document.activeElement })),
    }));
  }

  /** An event in the journal must not wipe out what someone is writing. */
  #keepDrafts(drafts) {
    for (const draft of drafts) {
      const form = this.parts.body.querySelector(`[data-form="${CSS.escape(draft.name)}"]`);
      if (!form) continue;
      if (draft.isOpen !== undefined) form.open = draft.isOpen;
      for (const { name, value, isFocused } of draft.fields) {
        const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
        if (!field) continue;
        if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
        if (isFocused) field.focus();
      }
    }
  }

  close() {
    if (!this.isOpen) return;
    this.#open = null;
    this.#chart.close();
    this.parts.root.hidden = true;
    this.parts.onClose();
    // The row may have gone meanwhile, as one that was shelved: then the list itself is where to go on.
    (this.#returnFocus?.isConnected ? this.#returnFocus : this.parts.fallbackFocus())?.focus();
  }
}
