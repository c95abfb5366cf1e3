// The alert list: unacknowledged first, then priority, then newest; nothing moves under the pointer.

import { LETTERS, SEVERITIES, compareAlerts, isSetAside, needsAcknowledgement, startedMs } from "./alert-state.js";
import { noticeText } from "./alert-requests.js";
import { AlertSelection } from "./alert-selection.js";
import { h, placeInOrder, setText } from "./dom.js";
import { formatAge, formatNumber, formatUnit } from "./format.js";
import { alertSymbol } from "./map-features.js";
import { symbolElement } from "./symbols.js";

/** More rows than this say nothing on a wall; the counts above the list stay complete. */
const ROWS = 60;
const FLOOD_COUNT = 10;
const FLOOD_MS = 10 * 60_000;

/** "182 > 150 µg/m³": the value against its limit. */
export function valueAgainstLimit(alert, language) {
  if (!Number.isFinite(alert.value)) return "";
  const unit = formatUnit(alert.quantity_unit, language);
  const value = formatNumber(alert.value, language.lang);
  if (!Number.isFinite(alert.limit)) return `${value} ${unit}`.trim();
  const sign = alert.value > alert.limit ? ">" : alert.value < alert.limit ? "<" : "=";
  return `${value} ${sign} ${formatNumber(alert.limit, language.lang)} ${unit}`.trim();
}

/** A source that comes and goes is one row that says how often; its state of the moment says nothing. */
export const flappingText = (alert, language) => (alert.flapping ? language.t("alert.flapping", { n: formatNumber(alert.flip_count, language.lang) }) : "");

class AlertRow {
  constructor(id, list) {
    this.symbolSlot = h("span", { class: "alert-symbol" });
    this.severity = h("span", { class: "visually-hidden" });
    this.title = h("button", { class: "alert-title", type: "button" });
    this.meta = h("span", { class: "alert-meta" });
    this.state = h("span", { class: "alert-state" });
    this.notice = h("span", { class: "alert-notice", role: "status" });
    this.button = h("button", { class: "alert-ack", type: "button" });
    this.pick = h("input", { class: "alert-pick", type: "checkbox", name: "pick" });
    this.node = h("li", { class: "alert", "data-alert": id }, h("div", { class: "alert-side" }, this.symbolSlot, this.pick),
      h("div", { class: "alert-text" }, this.severity, this.title, this.meta, h("div", { class: "alert-foot" }, this.state, this.button), this.notice));
    this.title.addEventListener("click", () => list.parts.onOpen(id));
    this.button.addEventListener("click", () => {
      const alert = list.parts.store.alerts.get(id);
      if (alert) list.parts.requests.send(alert, "acknowledge");
    });
    this.pick.addEventListener("click", (event) => list.selection.toggle(id, event.shiftKey));
  }

  show(alert, { language, clock, theme, session, requests, geodata, isKiosk }, selection) {
    const symbol = `${alertSymbol(alert)}-${theme.name}`;
    if (this.symbol !== symbol) {
      this.symbol = symbol;
      this.symbolSlot.replaceChildren(symbolElement(alertSymbol(alert), theme.colours));
    }
    const isWaiting = needsAcknowledgement(alert);
    this.node.dataset.operator = alert.operator;
    this.node.dataset.severity = alert.severity;
    this.node.classList.toggle("is-waiting", isWaiting);
    setText(this.title, language.field(alert, "title") || alert.rule_id);
    this.title.disabled = isKiosk;
    setText(this.severity, `${language.name("severity", alert.severity)} (${LETTERS[alert.severity] ?? "–"})`);
    const now = clock.now();
    const place = geodata.unitName(alert.unit_code, language) || geodata.zoneName(alert.zone_id, language);
    setText(this.meta, [place, valueAgainstLimit(alert, language), now === null ? "" : formatAge(now - startedMs(alert), language).replaceAll(" ", "\u00a0")].filter(Boolean).join(" · "));
    const who = alert.operator === "acknowledged" && alert.acked_by ? language.t("alert.by", { who: alert.acked_by }) : "";
    const flaps = flappingText(alert, language);
    const calm = alert.condition === "recovering" ? language.t("condition.recovering") : "";
    const whose = alert.assigned_to ? language.t("alert.with", { who: alert.assigned_to }) : "";
    setText(this.state, [language.name("operator", alert.operator) + (who ? ` ${who}` : ""), whose, flaps || calm].filter(Boolean).join(" · "));
    const work = requests.state(alert.id)?.state ?? null;
    this.button.hidden = isKiosk || !isWaiting || !session.mayAcknowledge;
    this.button.disabled = work === "sending";
    setText(this.button, language.t(work === "sending" ? "alert.sending" : "alert.acknowledge"));
    const notice = noticeText(requests.state(alert.id), language);
    this.notice.hidden = notice === "";
    setText(this.notice, notice);
    this.pick.hidden = this.button.hidden || work === "sending";
    this.pick.checked = selection.has(alert.id);
    this.pick.setAttribute("aria-label", language.t("selection.pick"));
    this.node.classList.toggle("is-picked", this.pick.checked);
  }
}

export class AlertList {
  #rows = new Map();
  #order = [];
  #shown = [];
  #isHeld = false;
  #isAsideShown = false;

  /** @param {{root, counts, banner, more, aside, selectionBar, store, language, clock, theme, session, requests, geodata, isKiosk, onOpen}} parts */
  constructor(parts) {
    this.parts = parts;
    this.selection = new AlertSelection({ ...parts, root: parts.selectionBar, shown: () => this.#shown, onChange: () => this.update() });
    parts.aside.addEventListener("click", () => {
      this.#isAsideShown = !this.#isAsideShown;
      this.update();
    });
    for (const [type, isHeld] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]]) {
      parts.root.addEventListener(type, () => {
        this.#isHeld = isHeld;
        if (!isHeld) this.update();
      });
    }
  }

  /** While the pointer is over the list rows keep their places and new ones go below. */
  #ordered(alerts) {
    const sorted = [...alerts].sort(compareAlerts);
    if (!this.#isHeld) return sorted;
    const byId = new Map(sorted.map((alert) => [alert.id, alert]));
    const kept = this.#order.filter((id) => byId.has(id)).map((id) => byId.get(id));
    const keptIds = new Set(this.#order);
    return [...kept, ...sorted.filter((alert) => !keptIds.has(alert.id))];
  }

  update() {
    const { root, store, language } = this.parts;
    const all = [...store.alerts.values()];
    const shown = this.#ordered(all.filter((alert) => !isSetAside(alert)));
    this.#order = shown.map((alert) => alert.id);
    // Only what has a row can be picked: nobody takes note of what they do not see.
    this.#shown = shown.slice(0, ROWS);
    const aside = this.#isAsideShown ? all.filter(isSetAside).sort(compareAlerts) : [];
    if (this.selection.isPossible) this.selection.update();
    const nodes = [...this.#shown, ...aside.slice(0, ROWS)].map((alert) => {
      if (!this.#rows.has(alert.id)) this.#rows.set(alert.id, new AlertRow(alert.id, this));
      const row = this.#rows.get(alert.id);
      row.show(alert, this.parts, this.selection);
      return row.node;
    });
    for (const id of this.#rows.keys()) if (!store.alerts.has(id)) this.#rows.delete(id);
    placeInOrder(root, nodes);
    root.parentElement.classList.toggle("is-empty", nodes.length === 0);
    this.#count(all, shown, language);
  }

  /** How many alerts stand below the edge of the list: a wall that cannot scroll must say so. */
  #countBelow(count) {
    const { root } = this.parts;
    const edge = root.parentElement.getBoundingClientRect().bottom;
    const visible = [...root.children].filter((node) => node.getBoundingClientRect().bottom <= edge + 1).length;
    return count - visible;
  }

  #count(all, shown, language) {
    const { counts, banner, more, aside, clock, theme } = this.parts;
    if (this.countsTheme !== theme.name) {
      this.countsTheme = theme.name;
      counts.replaceChildren(...SEVERITIES.map((severity) => h("span", { class: "count", "data-severity": severity },
        symbolElement(`alert-${severity}-waiting`, theme.colours, "count-symbol"), h("span", { class: "count-number" }))));
    }
    SEVERITIES.forEach((severity, index) => {
      const count = shown.filter((alert) => alert.severity === severity).length;
      const node = counts.children[index];
      node.classList.toggle("is-zero", count === 0);
      node.setAttribute("aria-label", `${language.t(`severity.${severity}`)}: ${count}`);
      setText(node.lastElementChild, formatNumber(count, language.lang));
    });
    const setAside = all.filter(isSetAside).length;
    const below = this.#countBelow(shown.length + (this.#isAsideShown ? setAside : 0));
    if (setAside === 0) this.#isAsideShown = false;
    setText(more, below ? language.t("alerts.below", { n: below }) : "");
    aside.hidden = setAside === 0;
    aside.setAttribute("aria-pressed", String(this.#isAsideShown));
    setText(aside, language.t("alerts.aside", { n: setAside }));
    const now = clock.now();
    const fresh = now === null ? 0 : shown.filter((alert) => now - startedMs(alert) < FLOOD_MS).length;
    banner.hidden = fresh <= FLOOD_COUNT;
    setText(banner, banner.hidden ? "" : language.t("alerts.flood", { n: fresh }));
  }
}
