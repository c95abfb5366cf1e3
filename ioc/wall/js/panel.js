// The drawer at the left: one asset with its last 24 h, or one alert with its cause, procedure and journal.

import { describeAlert } from "./alert-panel.js";
import { describeAsset } from "./asset-panel.js";
import { HistoryChart } from "./history-chart.js";

export class Panel {
  #open = null;
  #chart;
  #returnFocus = null;

  /** @param {{root, title, body, chartRoot, closeButton, session, store, clock, language, theme, geodata, acknowledgements, onClose}} parts */
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

  showAlert(id) {
    this.#show({ type: "alert", id });
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

  /** Draws again, as after a change of language or theme. */
  refresh() {
    if (this.isOpen) this.#redraw({ withChart: true });
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
    const draft = body.querySelector("[name=comment]");
    const isWriting = draft !== null && draft === document.activeElement;
    body.replaceChildren(...content.nodes);
    this.#keepDraft(draft?.value, isWriting);
    chartRoot.hidden = !content.history;
    if (withChart && content.history) this.#chart.show(content.history);
  }

  /** An event in the journal must not wipe out what someone is writing. */
  #keepDraft(text, isWriting) {
    const field = this.parts.body.querySelector("[name=comment]");
    if (!field || text === undefined) return;
    field.value = text;
    if (isWriting) field.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.#open = null;
    this.#chart.close();
    this.parts.root.hidden = true;
    this.parts.onClose();
    if (this.#returnFocus?.isConnected) this.#returnFocus.focus();
  }
}
