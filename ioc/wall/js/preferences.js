// Choices that belong to this screen: they live in the address, so that a saved link opens the same view.

const KEPT = "ioc.wall.lang";

/** What this browser remembers from the last time, or null: it may be told to remember nothing. */
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** Reads `?lang&theme&view&kiosk#alert=` and keeps the address in step; the language is known at the next visit, too. */
export class Preferences {
  #url = new URL(location.href);

  get lang() {
    return this.#url.searchParams.get("lang") ?? remembered() ?? "vi";
  }

  get theme() {
    return this.#url.searchParams.get("theme") ?? "night";
  }

  get view() {
    return this.#url.searchParams.get("view") ?? "province";
  }

  get isKiosk() {
    return this.#url.searchParams.get("kiosk") === "1";
  }

  /** `?map=canvas` draws without WebGL, for screens whose driver misbehaves. */
  get wantsCanvas() {
    return this.#url.searchParams.get("map") === "canvas";
  }

  /** The alert that the address names, or null. */
  get alert() {
    return new URLSearchParams(this.#url.hash.slice(1)).get("alert");
  }

  set alert(id) {
    this.#url.hash = id === null ? "" : new URLSearchParams({ alert: id });
    history.replaceState(null, "", this.#url);
  }

  /** Somebody wrote into the address line, or followed a link to another alert. */
  readAddress() {
    this.#url = new URL(location.href);
  }

  set(name, value) {
    this.#url.searchParams.set(name, value);
    history.replaceState(null, "", this.#url);
    if (name !== "lang") return;
    try {
      localStorage.setItem(KEPT, value);
    } catch {
      // The address has it.
    }
  }
}
