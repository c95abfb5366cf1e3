// Choices that belong to this screen: they live in the address, so that a saved link opens the same view.

/** Reads `?lang&theme&view&kiosk` and keeps the address in step. */
export class Preferences {
  #url = new URL(location.href);

  get lang() {
    return this.#url.searchParams.get("lang") ?? "vi";
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

  set(name, value) {
    this.#url.searchParams.set(name, value);
    history.replaceState(null, "", this.#url);
  }
}
