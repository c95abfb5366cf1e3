// Why an alert began: what its rule asked for and what of it was met, as the journal keeps it, and what its windows held.

import { h } from "./dom.js";
import { formatNumber } from "./format.js";

export async function whyOf(id, session) {
  try {
    return await session.get(`/alerts/${encodeURIComponent(id)}/why`);
  } catch {
    return null;
  }
}

/** Other ways that would have done as well are left out: one was enough. */
function reasonsOf({ grounds, window_state: state }, language) {
  const met = (grounds?.parts ?? []).filter((part) => part.is_met).map((part) => language.field(part, "text"));
  const windows = (state?.windows ?? []).filter((window) => window.value !== null);
  return [...met, ...windows.map((window) => `${window.name}: ${formatNumber(window.value, language.lang, 1)}`)];
}

export function whyNodes(why, language) {
  const reasons = why === null ? [] : reasonsOf(why, language);
  if (reasons.length === 0) return [];
  return [h("h3", {}, language.t("alert.why")), h("ul", { class: "reasons" }, ...reasons.map((text) => h("li", {}, text)))];
}
