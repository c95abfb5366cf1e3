// What the drawer says about one alert: cause, value against limit, procedure, journal, who was told, acknowledgement.

import { instantMs, needsAcknowledgement } from "./alert-state.js";
import { flappingText, valueAgainstLimit } from "./alerts.js";
import { h } from "./dom.js";
import { formatDayMinute } from "./format.js";
import { historyOfAlert } from "./quantities.js";

const fact = (term, value) => (value ? [h("dt", {}, term), h("dd", {}, value)] : []);
const when = (value) => (instantMs(value) === null ? "" : formatDayMinute(instantMs(value)));

/** Rules by id; asked once, as their texts do not change while a wall looks at them. */
let rules = null;
async function procedureOf(ruleId, session, language) {
  try {
    rules ??= session.get("/rules").then((answer) => new Map((answer.items ?? answer).map((rule) => [rule.id ?? rule.rule_id, rule])));
    const rule = (await rules).get(ruleId);
    return rule ? language.field(rule, "procedure") : "";
  } catch {
    rules = null;
    return "";
  }
}

async function journalOf(id, session) {
  try {
    return (await session.get(`/alerts/${encodeURIComponent(id)}`)).events;
  } catch {
    return null;
  }
}

function journalNode(events, language) {
  if (events === null) return h("p", { class: "quiet" }, language.t("journal.failed"));
  return h("ol", { class: "journal" }, ...events.map((event) => h("li", {},
    h("time", {}, when(event.at)),
    h("span", {}, [language.name("event", event.type), event.actor ?? "", event.comment ?? event.reason ?? ""].filter(Boolean).join(" · ")))));
}

async function routingOf(id, session) {
  try {
    return await session.get(`/alerts/${encodeURIComponent(id)}/routing`);
  } catch {
    return null;
  }
}

/** Who was told, newest first; above it what keeps the alert quiet now, or who will be told next. */
function routingNode(routing, language) {
  if (routing === null) return h("p", { class: "quiet" }, language.t("told.failed"));
  const { held, groups, notifications } = routing;
  const until = held && when(held.until);
  const department = (name) => language.name("department", name);
  const waiting = groups.filter((group) => ["waiting", "interval"].includes(group.reason));
  return h("div", {},
    held ? h("p", { class: "held" }, language.t("told.held", { why: language.name("held", held.why) }), until ? ` ${language.t("told.until", { time: until })}` : "") : null,
    ...waiting.map((group) => h("p", { class: "quiet" }, language.t("told.next", { who: group.departments.map(department).join(", "), time: when(group.look_at) }))),
    notifications.length === 0 && waiting.length === 0 && !held ? h("p", { class: "quiet" }, language.t("told.nobody")) : null,
    h("ol", { class: "journal" }, ...notifications.map((told) => h("li", {},
      h("time", {}, when(told.at)),
      h("span", {}, `${department(told.department)} · ${told.reason.startsWith("level_") ? language.t("told.level", { n: told.reason.slice(6) }) : language.name("told", told.reason)}`)))));
}

function acknowledgeForm(alert, { language, session, acknowledgements, store }) {
  if (!needsAcknowledgement(alert) || !session.mayAcknowledge) return null;
  const comment = h("input", { name: "comment", maxlength: 500, autocomplete: "off", placeholder: language.t("alert.comment"), "aria-label": language.t("alert.comment") });
  const form = h("form", { class: "ack-form" }, comment, h("button", { type: "submit" }, language.t("alert.acknowledge")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const current = store.alerts.get(alert.id);
    if (current) acknowledgements.send(current, comment.value.trim() || null);
  });
  return form;
}

export async function describeAlert({ id }, parts, isCurrent) {
  const { store, language, session, geodata } = parts;
  const alert = store.alerts.get(id);
  if (!alert) return null;
  const [events, procedure, routing] = await Promise.all([
    journalOf(id, session), procedureOf(alert.rule_id, session, language), routingOf(id, session)]);
  if (!isCurrent()) return null;
  const history = historyOfAlert(alert, store);
  const detail = language.field(alert, "detail");
  return {
    title: language.field(alert, "title") || alert.rule_id,
    nodes: [
      detail ? h("p", { class: "detail" }, detail) : null,
      h("dl", { class: "facts" },
        ...fact(language.t("alert.priority"), language.name("severity", alert.severity)),
        ...fact(language.t("alert.state"), [language.name("operator", alert.operator), language.name("condition", alert.condition), flappingText(alert, language)].filter(Boolean).join(" · ")),
        ...fact(language.t("alert.value"), valueAgainstLimit(alert, language)),
        ...fact(language.t("asset.unit"), geodata.unitName(alert.unit_code, language)),
        ...fact(language.t("asset.zone"), geodata.zoneName(alert.zone_id, language)),
        ...fact(language.t("asset.id"), alert.asset_id ?? ""),
        ...fact(language.t("alert.started"), when(alert.started_at)),
        ...fact(language.t("alert.observed"), when(alert.observed_at)),
        ...fact(language.t("alert.ended"), when(alert.ended_at)),
        ...fact(language.t("alert.rule"), alert.rule_id)),
      acknowledgeForm(alert, parts),
      h("h3", {}, language.t("alert.procedure")),
      h("p", { class: procedure ? "procedure" : "quiet" }, procedure || language.t("alert.no_procedure")),
      h("h3", {}, language.t("alert.journal")),
      journalNode(events, language),
      h("h3", {}, language.t("told.heading")),
      routingNode(routing, language),
    ].filter(Boolean),
    history: history?.kind && history.quantity ? { kind: history.kind, assetId: alert.asset_id, quantity: history.quantity, limit: alert.limit } : null,
  };
}
