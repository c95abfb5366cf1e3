// How the link is doing: a quiet line in the head, and a loud banner when the picture stands still.

import { setText } from "./dom.js";
import { formatNumber, formatTime } from "./format.js";

export class ConnectionBanner {
  /** @param {{pill, banner, connection, language, clock}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  update() {
    const { pill, banner, connection, language, clock } = this.parts;
    const isFrozen = connection.isFrozen || connection.state === "refused" || connection.state === "signed-out";
    document.documentElement.classList.toggle("is-frozen", isFrozen);
    pill.dataset.state = isFrozen ? "frozen" : connection.state;
    const facts = [language.t(isFrozen && connection.state === "live" ? "connection.frozen" : `connection.${connection.state}`)];
    if (connection.state === "live" && !isFrozen && connection.roundTripMs !== null) facts.push(`${formatNumber(Math.max(1, Math.round(connection.roundTripMs)), language.lang, 0)} ms`);
    const data = connection.lastFrameServerMs === null ? [] : [language.t("connection.as_of", { time: formatTime(connection.lastFrameServerMs) })];
    data.push(...connection.marks.map((mark) => language.t(`connection.mark.${mark}`)));
    setText(pill.querySelector("#link-state"), facts.join(" · "));
    setText(pill.querySelector("#link-data"), data.join(" · "));
    banner.hidden = !isFrozen;
    if (!isFrozen) return;
    const seconds = formatNumber(Math.floor(connection.silenceMs / 1000), language.lang, 0);
    const time = connection.lastFrameServerMs === null ? "–" : formatTime(connection.lastFrameServerMs);
    const reason = connection.state === "refused" ? language.t("banner.refused", { code: connection.closeCode }) : language.t("banner.frozen", { n: seconds, time });
    setText(banner, clock.isSynced ? reason : language.t("banner.never"));
  }
}
