// How the link is doing: a quiet line in the head, and a loud banner when the picture or the alerts stand still.

import { setText } from "./dom.js";
import { formatMinute, formatNumber, formatTime } from "./format.js";

export class ConnectionBanner {
  /** @param {{pill, banner, connection, language, clock}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  update() {
    const { pill, banner, connection, language } = this.parts;
    const isFrozen = connection.isFrozen || connection.state === "refused" || connection.state === "signed-out";
    const isUnjudged = !isFrozen && connection.unjudgedSinceMs !== null;
    document.documentElement.classList.toggle("is-frozen", isFrozen);
    document.documentElement.classList.toggle("is-unjudged", isUnjudged);
    pill.dataset.state = isFrozen || isUnjudged ? "frozen" : connection.state;
    const state = connection.state !== "live" ? connection.state : isFrozen ? "frozen" : isUnjudged ? "unjudged" : "live";
    const facts = [language.t(`connection.${state}`)];
    if (connection.state === "live" && !isFrozen && connection.roundTripMs !== null) facts.push(`${formatNumber(Math.max(1, Math.round(connection.roundTripMs)), language.lang, 0)} ms`);
    const data = connection.lastFrameServerMs === null ? [] : [language.t("connection.as_of", { time: formatTime(connection.lastFrameServerMs) })];
    data.push(...connection.marks.map((mark) => language.t(`connection.mark.${mark}`)));
    setText(pill.querySelector("#link-state"), facts.join(" · "));
    setText(pill.querySelector("#link-data"), data.join(" · "));
    banner.hidden = !isFrozen && !isUnjudged;
    if (isFrozen) setText(banner, this.#whyFrozen());
    else if (isUnjudged) setText(banner, language.t("banner.unjudged", { time: formatMinute(connection.unjudgedSinceMs) }));
  }

  #whyFrozen() {
    const { connection, language, clock } = this.parts;
    if (!clock.isSynced) return language.t("banner.never");
    if (connection.state === "refused") return language.t("banner.refused", { code: connection.closeCode });
    const seconds = formatNumber(Math.floor(connection.silenceMs / 1000), language.lang, 0);
    return language.t("banner.frozen", { n: seconds, time: connection.lastFrameServerMs === null ? "–" : formatTime(connection.lastFrameServerMs) });
  }
}
