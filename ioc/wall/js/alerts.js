// The alert list: unacknowledged first, then priority, then newest; nothing moves under the pointer.

import { FloodWatch } from "./alert-flood.js";
import { GroupRow, arrange } from "./alert-groups.js";
import { noticeText } from "./alert-requests.js";
import { AlertSelection } from "./alert-selection.js";
import { LETTERS, SEVERITIES, compareAlerts, isSetAside, needsAcknowledgement, startedMs } from "./alert-state.js";
import { h, placeInOrder, setText } from "./dom.js";
import { formatAge, formatNumber, formatUnit } from "./format.js";
import { alertSymbol } from "./map-features.js";
import { symbolElement } from "./symbols.js";

/** More rows than this say nothing on a wall; the counts above the list stay complete. */
const ROWS = 60;

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
  #isGrouped = false;
  #opened = new Set();
  #watch = new FloodWatch();

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
  #ordered(entries) {
    if (!this.#isHeld) return entries;
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    const kept = this.#order.filter((id) => byId.has(id)).map((id) => byId.get(id));
    const keptIds = new Set(this.#order);
    return [...kept, ...entries.filter(({ id }) => !keptIds.has(id))];
  }

  update() {
    const { root, store, language, clock } = this.parts;
    const all = [...store.alerts.values()];
    const shown = all.filter((alert) => !isSetAside(alert));
    const flood = this.#watch.look(all, clock.now());
    // Grouping moves every row: not under the pointer.
    if (!this.#isHeld) this.#isGrouped = flood.isFlood;
    const entries = this.#ordered(arrange(shown, this.#isGrouped));
    this.#order = entries.map(({ id }) => id);
    const visible = entries.slice(0, ROWS);
    // Only what has a row can be picked: nobody takes note of what they do not see.
    this.#shown = visible.flatMap(({ id, lead, members }) => (members.length === 1 ? [lead] : this.#opened.has(id) ? members : []));
    if (this.selection.isPossible) this.selection.update();
    const aside = this.#isAsideShown ? all.filter(isSetAside).sort(compareAlerts) : [];
    const drawn = new Set();
    const nodes = [
      ...visible.flatMap((entry) => this.#draw(entry, drawn)),
      ...aside.slice(0, ROWS).map((alert) => this.#drawAlert(alert, drawn)),
    ];
    for (const id of this.#rows.keys()) if (!drawn.has(id)) this.#rows.delete(id);
    placeInOrder(root, nodes);
    root.parentElement.classList.toggle("is-empty", nodes.length === 0);
    this.#count(all, shown, flood, language);
  }

  /** The rows of an alert or of a group; `data-count` says how many alerts each stands for. */
  #draw({ id, lead, members }, drawn) {
    if (members.length === 1) return [this.#drawAlert(lead, drawn)];
    const isOpen = this.#opened.has(id);
    drawn.add(id);
    if (!this.#rows.has(id)) this.#rows.set(id, new GroupRow(id, (group) => this.#toggle(group)));
    const row = this.#rows.get(id);
    row.show({ lead, members }, isOpen, this.parts);
    row.node.dataset.count = isOpen ? 0 : members.length;
    return [row.node, ...(isOpen ? members.map((alert) => this.#drawAlert(alert, drawn, { isMember: true })) : [])];
  }

  #drawAlert(alert, drawn, { isMember = false } = {}) {
    drawn.add(alert.id);
    if (!this.#rows.has(alert.id)) this.#rows.set(alert.id, new AlertRow(alert.id, this));
    const row = this.#rows.get(alert.id);
    row.show(alert, this.parts, this.selection);
    row.node.dataset.count = 1;
    row.node.classList.toggle("alert-member", isMember);
    return row.node;
  }

  #toggle(group) {
    if (!this.#opened.delete(group)) this.#opened.add(group);
    this.update();
  }

  /** How many alerts stand below the edge of the list: a wall that cannot scroll must say so. */
  #countBelow(count) {
    const { root } = this.parts;
    const edge = root.parentElement.getBoundingClientRect().bottom;
    const visible = [...root.children].filter((node) => node.getBoundingClientRect().bottom <= edge + 1);
    return count - visible.reduce((sum, node) => sum + Number(node.dataset.count), 0);
  }

  #count(all, shown, flood, language) {
    const { counts, banner, more, aside, theme } = this.parts;
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
    const facts = [
      below ? language.t("alerts.below", { n: below }) : "",
      flood.count && !flood.isFlood ? language.t("alerts.rate", { n: flood.count }) : "",
    ];
    setText(more, facts.filter(Boolean).join(" · "));
    aside.hidden = setAside === 0;
    aside.setAttribute("aria-pressed", String(this.#isAsideShown));
    setText(aside, language.t("alerts.aside", { n: setAside }));
    banner.hidden = !flood.isFlood;
    setText(banner, banner.hidden ? "" : language.t("alerts.flood", { n: formatNumber(flood.count, language.lang) }));
  }
}
