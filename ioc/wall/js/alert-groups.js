// In a flood the list is grouped by rule: critical alerts stay single and on top, nothing is dropped.

import { compareAlerts, needsAcknowledgement } from "./alert-state.js";
import { h, setAttribute, setText } from "./dom.js";
import { formatNumber } from "./format.js";
import { alertSymbol } from "./map-features.js";
import { symbolElement } from "./symbols.js";

const PLACES = 3;

/** What the list shows: `{id, lead, members}`, where a group's lead is its most urgent alert. */
export function arrange(alerts, isGrouped) {
  if (!isGrouped) return alerts.map((alert) => ({ id: alert.id, lead: alert, members: [alert] })).sort((a, b) => compareAlerts(a.lead, b.lead));
  const groups = new Map();
  for (const alert of alerts) {
    const key = alert.severity === "critical" ? `alert:${alert.id}` : `rule:${alert.rule_id}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(alert);
  }
  const entries = [...groups].map(([key, found]) => {
    const members = found.sort(compareAlerts);
    return { id: members.length > 1 ? key : members[0].id, lead: members[0], members };
  });
  const isCritical = (entry) => Number(entry.lead.severity === "critical");
  return entries.sort((a, b) => isCritical(b) - isCritical(a) || compareAlerts(a.lead, b.lead));
}

/** One row for many alerts of a rule; opening it shows them all below. */
export class GroupRow {
  constructor(id, onToggle) {
    this.symbolSlot = h("span", { class: "alert-symbol" });
    this.title = h("button", { class: "alert-title", type: "button", "aria-expanded": "false" });
    this.count = h("span", { class: "group-count" });
    this.meta = h("span", { class: "alert-meta" });
    this.state = h("span", { class: "alert-state" });
    this.node = h("li", { class: "alert alert-group", "data-group": id }, this.symbolSlot,
      h("div", { class: "alert-text" }, h("div", { class: "group-head" }, this.title, this.count), this.meta, h("div", { class: "alert-foot" }, this.state)));
    this.title.addEventListener("click", () => onToggle(id));
  }

  show({ lead, members }, isOpen, { language, theme, geodata, isKiosk }) {
    const symbol = `${alertSymbol(lead)}-${theme.name}`;
    if (this.symbol !== symbol) {
      this.symbol = symbol;
      this.symbolSlot.replaceChildren(symbolElement(alertSymbol(lead), theme.colours));
    }
    const waiting = members.filter(needsAcknowledgement).length;
    this.node.dataset.operator = lead.operator;
    this.node.dataset.severity = lead.severity;
    this.node.classList.toggle("is-waiting", waiting > 0);
    setText(this.title, language.field(lead, "title") || lead.rule_id);
    setAttribute(this.title, "aria-expanded", isOpen);
    this.title.disabled = isKiosk;
    setText(this.count, `×${formatNumber(members.length, language.lang)}`);
    this.count.setAttribute("aria-label", language.t("alerts.group", { n: members.length }));
    const places = [...new Set(members.map((alert) => geodata.unitName(alert.unit_code, language) || geodata.zoneName(alert.zone_id, language)).filter(Boolean))];
    const more = places.length > PLACES ? [language.t("alerts.group_places", { n: places.length - PLACES })] : [];
    setText(this.meta, [...places.slice(0, PLACES), ...more].join(" · "));
    setText(this.state, [language.t("alerts.group", { n: members.length }), waiting ? language.t("alerts.group_waiting", { n: waiting }) : ""].filter(Boolean).join(" · "));
  }
}
