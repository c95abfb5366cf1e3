// What the drawer says about one alert: cause, value against limit, what can be done, why, procedure, journal, who was told.

import { alertForms, asideUntilMs } from "./alert-forms.js";
import { instantMs } from "./alert-state.js";
import { whyNodes, whyOf } from "./alert-why.js";
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

async function toldOf(id, session) {
  try {
    return await session.get(`/alerts/${encodeURIComponent(id)}`);
  } catch {
    return null;
  }
}

/** What an entry changed, beside who did it and why: to whom it went, how severe it was made, until when it is aside. */
function factOf({ type, alert }, language) {
  if (type === "assigned") return alert.assigned_to ?? language.t("event.nobody");
  if (type === "severity_set" || type === "severity") return language.name("severity", alert.severity);
  const until = ["shelved", "suppressed", "out_of_service"].includes(type) ? when(asideUntilMs(alert)) : "";
  return until ? language.t("event.until", { time: until }) : "";
}

function journalNode(events, language) {
  if (events === null) return h("p", { class: "quiet" }, language.t("journal.failed"));
  return h("ol", { class: "journal" }, ...events.map((event) => h("li", {},
    h("time", {}, when(event.at)),
    h("span", {}, [language.name("event", event.type), event.actor ?? "", event.alert ? factOf(event, language) : "", event.comment ?? event.reason ?? ""].filter(Boolean).join(" · ")))));
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
      h("span", {}, `${department(told.department)} · ${told.reason.startsWith("level_") ? language.t("told.level", { n: told.reason.slice(6) }) : language.name("told", told.reason)}`,
        told.receivers_count === 0 ? h("em", { class: "quiet" }, ` · ${language.t("told.unheard")}`) : null)))));
}

/** Whom a supervisor can give the alert to; asked once, as people do not change while a wall looks. */
let operators = null;
async function operatorsOf(session) {
  if (!session.maySupervise) return [];
  try {
    operators ??= session.get("/operators").then((answer) => answer.items);
    return await operators;
  } catch {
    operators = null;
    return [];
  }
}

export async function describeAlert({ id, isNamed }, parts, isCurrent) {
  const { store, language, session, geodata } = parts;
  if (!store.alerts.has(id) && !isNamed) return null;
  const [told, routing, why, people] = await Promise.all([toldOf(id, session), routingOf(id, session), whyOf(id, session), operatorsOf(session)]);
  const row = store.alerts.get(id);
  if (!isCurrent() || (!row && !isNamed)) return null;
  if (!row && !told?.alert) return { title: language.t("alert.unknown"), nodes: [h("p", { class: "quiet" }, id)], history: null };
  // The live link has the newest row, REST the fields that no row carries.
  const alert = { ...told?.alert, ...row };
  const procedure = await procedureOf(alert.rule_id, session, language);
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
        ...fact(language.t("alert.assigned"), alert.assigned_to ?? ""),
        ...fact(language.t("alert.aside_until"), when(asideUntilMs(alert))),
        ...fact(language.t("alert.started"), when(alert.started_at)),
        ...fact(language.t("alert.observed"), when(alert.observed_at)),
        ...fact(language.t("alert.ended"), when(alert.ended_at)),
        ...fact(language.t("alert.rule"), alert.rule_id)),
      ...(row ? alertForms(alert, parts, people) : []),
      ...whyNodes(why, language),
      h("h3", {}, language.t("alert.procedure")),
      h("p", { class: procedure ? "procedure" : "quiet" }, procedure || language.t("alert.no_procedure")),
      h("h3", {}, language.t("alert.journal")),
      journalNode(told?.events ?? null, language),
      h("h3", {}, language.t("told.heading")),
      routingNode(routing, language),
    ].filter(Boolean),
    history: history?.kind && history.quantity ? { kind: history.kind, assetId: alert.asset_id, quantity: history.quantity, limit: alert.limit } : null,
  };
}
