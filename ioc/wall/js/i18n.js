// Vietnamese and English, switched live. Every text a person sees comes from here or from the data.

export const LANGUAGES = ["vi", "en"];

async function load(lang) {
  const response = await fetch(new URL(`../i18n/${lang}.json`, import.meta.url));
  if (!response.ok) throw new Error(`i18n/${lang}.json: HTTP ${response.status}`);
  return response.json();
}

export class Language extends EventTarget {
  missingKeys = new Set();
  #texts;

  constructor(texts, lang) {
    super();
    this.#texts = texts;
    this.lang = lang;
  }

  static async open(lang) {
    const [vi, en] = await Promise.all(LANGUAGES.map(load));
    return new Language({ vi, en }, LANGUAGES.includes(lang) ? lang : "vi");
  }

  has(key) {
    return key in this.#texts[this.lang];
  }

  /** The text of a key with `{name}` replaced; a key without text is shown as it is and recorded. */
  t(key, values = {}) {
    const text = this.#texts[this.lang][key];
    if (text === undefined) {
      this.missingKeys.add(key);
      return key;
    }
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  /** For names that come from data: the translation where we have one, else the name itself. */
  name(prefix, id) {
    const key = `${prefix}.${id}`;
    return this.has(key) ? this.t(key) : String(id);
  }

  /** Picks `title_vi` or `title_en` and the like. */
  field(object, stem) {
    return object[`${stem}_${this.lang}`] || object[`${stem}_vi`] || object[`${stem}_en`] || "";
  }

  set(lang) {
    if (lang === this.lang) return;
    this.lang = lang;
    this.dispatchEvent(new Event("change"));
  }

  /** Fills every element marked with data-i18n, data-i18n-label (aria) or data-i18n-title. */
  apply(root = document) {
    document.documentElement.lang = this.lang;
    for (const node of root.querySelectorAll("[data-i18n]")) node.textContent = this.t(node.dataset.i18n);
    for (const node of root.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", this.t(node.dataset.i18nLabel));
    for (const node of root.querySelectorAll("[data-i18n-title]")) node.title = this.t(node.dataset.i18nTitle);
  }
}
