// Numbers, times and ages as a Vietnamese or an English reader writes them. All times are UTC+7.

const ZONE = "Asia/Ho_Chi_Minh";
const LOCALES = { vi: "vi-VN", en: "en-GB" };

const cache = new Map();
function remembered(key, make) {
  if (!cache.has(key)) cache.set(key, make());
  return cache.get(key);
}

const parts = (name, options) => remembered(name, () => new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hourCycle: "h23", ...options }));

export const formatTime = (ms) => parts("time", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
export const formatMinute = (ms) => parts("minute", { hour: "2-digit", minute: "2-digit" }).format(ms);
export const formatDayMinute = (ms) =>
  parts("day-minute", { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit" }).format(ms).replace(",", "");

export function formatDate(ms, lang) {
  const options = { timeZone: ZONE, weekday: "short", day: "2-digit", month: "2-digit", year: "numeric" };
  const text = remembered(`date-${lang}`, () => new Intl.DateTimeFormat(LOCALES[lang], options)).format(ms);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** At most one decimal below 100, none above; a missing value is a dash, never a zero. */
export function formatNumber(value, lang, digits = null) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const most = digits ?? (Math.abs(value) < 100 && !Number.isInteger(value) ? 1 : 0);
  const format = remembered(`number-${lang}-${most}`, () =>
    new Intl.NumberFormat(LOCALES[lang], { minimumFractionDigits: 0, maximumFractionDigits: most }));
  return format.format(value);
}

/** An age in the largest unit that still says something: 12 s, 4 min, 3 h, 2 d. */
export function formatAge(ms, language) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 100) return language.t("age.s", { n: seconds });
  if (seconds < 5_400) return language.t("age.min", { n: Math.round(seconds / 60) });
  if (seconds < 172_800) return language.t("age.h", { n: Math.round(seconds / 3_600) });
  return language.t("age.d", { n: Math.round(seconds / 86_400) });
}

/** The unit as people write it (µg/m³, %, tàu); codes the tables do not know are shown as they came. */
export const formatUnit = (unit, language) => (unit ? language.name("unit", unit) : "");
