// Puts the wall together: who is signed in, the live link, the picture, and one beat a second.

import { AlertRequests } from "./alert-requests.js";
import { AlertList } from "./alerts.js";
import { AssetTable } from "./asset-table.js";
import { ConnectionBanner } from "./banner.js";
import { ServerClock } from "./clock.js";
import { Connection } from "./connection.js";
import { setFigures, setText } from "./dom.js";
import { FeedStrip } from "./feeds.js";
import { formatDate, formatTime } from "./format.js";
import { Geodata } from "./geodata.js";
import { Language } from "./i18n.js";
import { KpiRail } from "./kpi.js";
import { askToSignIn } from "./login.js";
import { MapLegend } from "./map-legend.js";
import { openMap } from "./map.js";
import { exposeWall } from "./observe.js";
import { Panel } from "./panel.js";
import { Preferences } from "./preferences.js";
import { Session } from "./session.js";
import { Store } from "./store.js";
import { Theme } from "./theme.js";

const CHANNELS = ["alerts", "kpi:province", "feeds", "map:vessels", "map:sensors", "map:crowd", "map:trucks"];
const BEAT_MS = 1_000;
const SETTLING_MS = 150;

const $ = (id) => document.getElementById(id);

async function signIn(session, language) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (await session.restore()) return;
      await askToSignIn({ dialog: $("login"), form: $("login-form"), message: $("login-message"), session, language });
      return;
    } catch {
      // The server is not there yet: a wall switched on before it must come up by itself.
      $("banner").hidden = false;
      setText($("banner"), language.t("banner.never"));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(15_000, 1_000 * 2 ** attempt)));
    }
  }
}

/** Whoever leaves a shared screen must see it when the server has not heard of it. */
async function signOut(session, language) {
  try {
    await session.signOut();
    location.reload();
  } catch {
    $("sign-out").dataset.i18n = "head.sign_out_again";
    language.apply();
  }
}

function live(parts) {
  const url = new URL("../ws/v1", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return new Connection({
    url: url.href, client: "wall", lang: () => parts.language.lang, isKiosk: parts.preferences.isKiosk,
    ticket: () => parts.session.ticket(), store: parts.store, clock: parts.clock, channels: CHANNELS,
    onSignedOut: async () => {
      await signIn(parts.session, parts.language);
      parts.connection.start();
    },
  });
}

/** Redraws what changed: alerts at once, everything else with the next beat. */
class Picture {
  #dirty = new Set();
  #isAlertFrameAsked = false;

  constructor(views) {
    this.views = views;
  }

  markDirty(channel) {
    this.#dirty.add(channel);
    if (channel !== "alerts" || this.#isAlertFrameAsked) return;
    this.#isAlertFrameAsked = true;
    setTimeout(() => {
      this.#isAlertFrameAsked = false;
      this.views.alerts.update();
      this.views.map?.draw(new Set(["alerts"]));
    }, 50);
  }

  beat() {
    const { kpi, feeds, alerts, banner, legend, table, map, clock, language } = this.views;
    const now = clock.now();
    setFigures($("clock-time"), now === null ? "--:--:--" : formatTime(now));
    setText($("clock-date"), now === null ? "" : formatDate(now, language.lang));
    banner.update();
    kpi.update();
    feeds.update();
    alerts.update();
    legend.update();
    table?.update();
    map?.draw(this.#dirty);
    this.#dirty.clear();
  }
}

async function start() {
  const preferences = new Preferences();
  document.documentElement.classList.toggle("is-kiosk", preferences.isKiosk);
  const clock = new ServerClock();
  const language = await Language.open(preferences.lang);
  const theme = new Theme(preferences.theme);
  const session = new Session(clock);
  const store = new Store();
  language.apply();
  $("skip").addEventListener("click", (event) => {
    // The address names the alert that is open, not a place on the page.
    event.preventDefault();
    $("alerts-section").focus();
  });
  document.documentElement.classList.add("is-ready");
  await signIn(session, language);
  await document.fonts.load('700 24px "Be Vietnam Pro"', "ABCD");

  const geodata = await Geodata.load(session);
  const requests = new AlertRequests(session, store);
  const parts = { preferences, clock, language, theme, session, store, geodata, requests, isKiosk: preferences.isKiosk };
  const connection = (parts.connection = live(parts));
  const views = { clock, language, map: null };
  exposeWall({ store, connection, language, clock, getMap: () => views.map });

  const panel = new Panel({ ...parts, root: $("panel"), title: $("panel-title"), body: $("panel-body"), chartRoot: $("panel-chart"),
    closeButton: $("panel-close"),
    onClose: () => {
      preferences.alert = null;
      views.map?.resize();
    },
    fallbackFocus: () => $("alerts").querySelector(".alert-title") });
  const lookAt = (row) => {
    if (Number.isFinite(row?.lon) && Number.isFinite(row?.lat)) views.map?.lookAt(row.lon, row.lat, Math.max(0, $("panel").getBoundingClientRect().right - $("map").getBoundingClientRect().left));
  };
  const openAlert = (id, how) => {
    panel.showAlert(id, how);
    preferences.alert = id;
    lookAt(store.alerts.get(id));
  };
  const openAsset = (layer, id) => {
    panel.showAsset(layer, id);
    preferences.alert = null;
  };
  views.kpi = new KpiRail({ ...parts, root: $("kpi"), pager: $("kpi-pager") });
  views.feeds = new FeedStrip({ ...parts, root: $("feeds") });
  views.alerts = new AlertList({ ...parts, root: $("alerts"), counts: $("alert-counts"), banner: $("flood"), more: $("alert-more"), aside: $("alert-aside"), selectionBar: $("selection"), onOpen: openAlert });
  views.banner = new ConnectionBanner({ ...parts, pill: $("link"), banner: $("banner") });
  views.legend = new MapLegend({ ...parts, root: $("legend"), scale: $("scale"), onToggle: (layer) => views.map?.toggle(layer) ?? true });
  const picture = new Picture(views);

  store.addEventListener("change", ({ detail }) => picture.markDirty(detail));
  requests.addEventListener("change", ({ detail }) => {
    views.alerts.update();
    panel.requestChanged(detail);
  });
  const areAlertsTold = new Promise((resolve) => {
    store.addEventListener("change", ({ detail }) => detail === "alerts" && resolve());
  });
  setText($("user"), session.user?.display_name ?? "");
  connection.start();
  setInterval(() => {
    connection.watch();
    picture.beat();
  }, BEAT_MS);
  picture.beat();

  // What is pressed while the map still opens, which takes seconds on slow screens, counts.
  bindControls({ ...parts, views, picture, panel });
  const opened = { view: preferences.view, theme: theme.name, lang: language.lang };
  views.map = await openMap($("map"), { ...parts, view: opened.view, wantsCanvas: preferences.wantsCanvas,
    onPick: (layer, id) => {
      if (parts.isKiosk) return;
      if (layer === "alerts") openAlert(id);
      else openAsset(layer, id);
    },
    onMove: () => views.map && views.legend.drawScale(views.map) });
  $("map-notice").hidden = !views.map.isDegraded;
  $("credit-approximate").hidden = !geodata.isApproximate;
  if (views.map.isDegraded) views.table = new AssetTable({ ...parts, root: $("asset-table") });
  if (preferences.view !== opened.view) views.map.show(preferences.view);
  if (theme.name !== opened.theme) views.map.setTheme();
  if (language.lang !== opened.lang) views.map.setLanguage();
  views.legend.drawScale(views.map);
  views.map.draw(new Set(CHANNELS));
  if (parts.isKiosk) return;
  const openNamed = () => {
    preferences.readAddress();
    if (preferences.alert) openAlert(preferences.alert, { isNamed: true });
  };
  addEventListener("hashchange", openNamed);
  await areAlertsTold;
  openNamed();
}

function bindControls({ preferences, language, theme, session, views, picture, panel }) {
  const showView = (name) => {
    for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  };
  showView(preferences.view);
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      preferences.set("view", button.dataset.view);
      showView(button.dataset.view);
      views.map?.show(button.dataset.view);
    });
  }
  const report = $("shift-report");
  const linkReport = () => {
    report.href = `../api/v1/reports/shift.html?${new URLSearchParams({ shift: "now", lang: language.lang })}`;
  };
  linkReport();
  report.hidden = !session.mayReadReports;
  $("lang").addEventListener("click", () => language.set(language.lang === "vi" ? "en" : "vi"));
  $("theme").addEventListener("click", () => theme.toggle());
  $("sign-out").addEventListener("click", () => signOut(session, language));
  language.addEventListener("change", () => {
    preferences.set("lang", language.lang);
    language.apply();
    linkReport();
    views.legend.rebuild();
    views.map?.setLanguage();
    if (views.map) views.legend.drawScale(views.map);
    panel.refresh();
    picture.beat();
  });
  theme.addEventListener("change", () => {
    preferences.set("theme", theme.name);
    views.legend.rebuild();
    views.map?.setTheme();
    panel.refresh();
    picture.beat();
  });
  new ResizeObserver(() => views.map?.resize()).observe($("map"));
  // What is drawn, unlike what is styled, must be told of a new size: once it has settled, not at each step of a drag.
  let settling;
  addEventListener("resize", () => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      views.map?.rescale();
      if (views.map) views.legend.drawScale(views.map);
      panel.resize();
    }, SETTLING_MS);
  });
}

start();
