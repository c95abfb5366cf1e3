// Night and day. The style sheet owns the colours; canvases read them from it, so there is one place to change.

const NAMES = {
  sea: "--sea", land: "--land", province: "--province", coast: "--coast", border: "--border", zone: "--zone",
  label: "--map-label", labelQuiet: "--map-label-quiet", halo: "--map-halo",
  asset: "--asset", assetStrong: "--asset-strong", ghost: "--ghost",
  plate: "--plate", plateStrong: "--plate-strong", plateEdge: "--plate-edge", symbolGround: "--symbol-ground",
  critical: "--critical", major: "--major", minor: "--minor", info: "--info", onAlert: "--on-alert",
  ink: "--ink", quiet: "--quiet", line: "--line",
};

export class Theme extends EventTarget {
  constructor(name) {
    super();
    this.#show(name === "day" ? "day" : "night");
  }

  #show(name) {
    this.name = name;
    document.documentElement.dataset.theme = name;
    const style = getComputedStyle(document.documentElement);
    this.colours = Object.fromEntries(Object.entries(NAMES).map(([key, variable]) => [key, style.getPropertyValue(variable).trim()]));
  }

  toggle() {
    this.#show(this.name === "night" ? "day" : "night");
    this.dispatchEvent(new Event("change"));
  }
}

/** Pixels of the wall's smallest text divided by 20: 1 on a 1920 px wall, 2 on a 3840 px one. */
export const wallScale = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 20;
