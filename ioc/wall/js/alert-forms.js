// What can be done to an alert from the drawer, by its state and the person's roles. Each form asks only for what the server needs.

import { instantMs, isSetAside, needsAcknowledgement, SEVERITIES } from "./alert-state.js";
import { h } from "./dom.js";
import { noticeText } from "./alert-requests.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SHELF_MS = [15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 24 * HOUR];
const LONGEST_SHELF_MS = 8 * HOUR;
const SUPPRESSION_MS = [8 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR];

const labelled = (text, field) => h("label", {}, h("span", {}, text), field);
const reasonField = (language, name = "reason") =>
  labelled(language.t("action.reason"), h("input", { name, maxlength: 500, autocomplete: "off", required: true, pattern: ".*\\S.*" }));

function durationField(language, choices) {
  const say = (ms) => (ms < HOUR ? language.t("age.min", { n: ms / MINUTE }) : ms < 48 * HOUR ? language.t("age.h", { n: ms / HOUR }) : language.t("age.d", { n: ms / HOUR / 24 }));
  return labelled(language.t("action.for"), h("select", { name: "for" }, ...choices.map((ms) => h("option", { value: ms }, say(ms)))));
}

/** For how long an alert may be shelved: no choice is offered that the server refuses. */
function shelfChoices(connection) {
  const longest = connection?.limits.shelf_s * 1000 || LONGEST_SHELF_MS;
  const allowed = SHELF_MS.filter((ms) => ms <= longest);
  return allowed.length > 0 ? allowed : [longest];
}

/** A form that opens under its name; `read` turns its fields into the request. What was filled in stays until it is done. */
function action(name, parts, alert, fields, read, verb = name) {
  const { language, requests, store, body } = parts;
  const form = h("form", {}, ...fields, h("button", { type: "submit" }, language.t(`action.${name}.do`)));
  const details = h("details", { class: "action", name: "alert-action", "data-form": name, "data-of": alert.id }, h("summary", {}, language.t(`action.${name}`)), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const current = store.alerts.get(alert.id);
    if (!current) return;
    const asked = read(new FormData(form));
    const isDone = await requests.send(current, asked.verb ?? verb, asked.body);
    // The drawer may have been drawn anew since, or have another alert.
    const drawn = body.querySelector(`[data-form="${name}"][data-of="${CSS.escape(alert.id)}"]`);
    if (isDone && drawn) close(drawn);
  });
  return details;
}

function close(details) {
  const hadFocus = details.contains(document.activeElement);
  details.open = false;
  details.querySelector("form").reset();
  if (hadFocus) details.firstElementChild.focus();
}

/** One click, no question. */
function plain(name, parts, alert, verb, body) {
  const button = h("button", { type: "button", class: "action-now", "data-form": name }, parts.language.t(`action.${name}`));
  button.addEventListener("click", () => {
    const current = parts.store.alerts.get(alert.id);
    if (current) parts.requests.send(current, verb, body);
  });
  return button;
}

/** The end is told by the server's clock: a desk whose clock is wrong must not shelve for a day. */
const untilIn = (parts, values) => new Date(parts.clock.now() + Number(values.get("for"))).toISOString();

function operatorsForms(alert, parts) {
  const { language, session } = parts;
  const t = language;
  const mine = alert.assigned_to === session.user?.name;
  return [
    action("comment", parts, alert, [labelled(t.t("action.text"), h("input", { name: "text", maxlength: 500, autocomplete: "off", required: true }))],
      (values) => ({ body: { comment: values.get("text") } })),
    alert.operator === "shelved" ? plain("unshelve", parts, alert, "unshelve", {}) : null,
    isSetAside(alert) ? null : action("shelve", parts, alert, [durationField(t, shelfChoices(parts.connection)), reasonField(t)],
      (values) => ({ body: { until: untilIn(parts, values), reason: values.get("reason") } })),
    mine ? plain("give_up", parts, alert, "assign", { to: null }) : alert.assigned_to ? null : plain("take", parts, alert, "assign", { to: session.user?.name }),
    alert.ended_at === null ? action("resolve", parts, alert, [reasonField(t)], (values) => ({ body: { reason: values.get("reason") } })) : null,
  ];
}

function supervisorsForms(alert, parts, operators) {
  const { language } = parts;
  const names = operators.filter((person) => person.name !== alert.assigned_to);
  const severities = SEVERITIES.filter((severity) => severity !== alert.severity);
  const isOut = ["suppressed", "out_of_service"].includes(alert.operator) && alert.suppressed_until;
  return [
    names.length === 0 ? null : action("assign", parts, alert,
      [labelled(language.t("action.to"), h("select", { name: "to" }, ...names.map((person) => h("option", { value: person.name }, person.display_name || person.name))))],
      (values) => ({ body: { to: values.get("to") } })),
    action("severity", parts, alert,
      [labelled(language.t("alert.priority"), h("select", { name: "severity" }, ...severities.map((each) => h("option", { value: each }, language.name("severity", each))))), reasonField(language)],
      (values) => ({ body: { severity: values.get("severity"), reason: values.get("reason") } })),
    isOut || isSetAside(alert) ? null : action("suppress", parts, alert,
      [labelled(language.t("action.as"), h("select", { name: "as" }, h("option", { value: "out-of-service" }, language.t("operator.out_of_service")), h("option", { value: "suppress" }, language.t("operator.suppressed")))),
        durationField(language, SUPPRESSION_MS), reasonField(language)],
      (values) => ({ verb: values.get("as"), body: { until: untilIn(parts, values), reason: values.get("reason") } })),
    isOut ? action("return", parts, alert, [reasonField(language)], (values) => ({ body: { reason: values.get("reason") } })) : null,
  ];
}

function acknowledgeForm(alert, { language, requests, store }) {
  if (!needsAcknowledgement(alert)) return null;
  const comment = h("input", { name: "comment", maxlength: 500, autocomplete: "off", placeholder: language.t("alert.comment"), "aria-label": language.t("alert.comment") });
  const form = h("form", { class: "ack-form", "data-form": "acknowledge" }, comment, h("button", { type: "submit" }, language.t("alert.acknowledge")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const current = store.alerts.get(alert.id);
    const text = comment.value.trim();
    if (current) requests.send(current, "acknowledge", text ? { comment: text } : {});
  });
  return form;
}

/** Everything that this person may do to this alert now; nothing where they may only look. */
export function alertForms(alert, parts, operators) {
  const { session, language, requests } = parts;
  if (!session.mayAcknowledge) return [];
  const entry = requests.state(alert.id);
  const notice = entry?.state === "sending" ? language.t("alert.sending") : noticeText(entry, language);
  return [
    acknowledgeForm(alert, parts),
    h("div", { class: "actions" }, ...operatorsForms(alert, parts), ...(session.maySupervise ? supervisorsForms(alert, parts, operators) : [])),
    notice ? h("p", { class: "alert-notice", role: "status" }, notice) : null,
  ];
}

/** Until when it is aside, in words; empty when it is not. */
export const asideUntilMs = (alert) => instantMs(alert.shelved_until) ?? instantMs(alert.suppressed_until);
