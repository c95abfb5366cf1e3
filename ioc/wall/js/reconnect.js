// When to try again after a connection ended: full jitter, close codes, and a kiosk that never gives up.

const TERMINAL_CODES = new Set([4400, 4403, 4406, 4409, 4413]);
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const RATE_LIMITED_MS = 15_000;
const KIOSK_DELAY_MS = 60_000;

/** Milliseconds to wait, or null when a person must act (sign in again, reload). */
export function reconnectDelayMs({ code, attempt, afterMs = null, isKiosk = false, random = Math.random }) {
  if (TERMINAL_CODES.has(code)) return isKiosk ? KIOSK_DELAY_MS : null;
  if (afterMs !== null) return afterMs + random() * FIRST_DELAY_MS;
  if (code === 4429) return RATE_LIMITED_MS * (1 + random());
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return random() * ceiling;
}
