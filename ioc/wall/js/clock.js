// The server's time on a client whose own clock may be wrong or stepped while the wall runs.

const WINDOW_MS = 120_000;

/**
 * Keeps `server time − monotonic time`. A frame can only arrive late, so the largest offset of the last
 * two minutes is the one with the least delay in it. `Date` is never read.
 */
export class ServerClock {
  #samples = [];
  #monotonic;

  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  observe(serverMs) {
    if (!Number.isFinite(serverMs)) return;
    const at = this.#monotonic();
    const offset = serverMs - at;
    this.#samples = this.#samples.filter((sample) => at - sample.at < WINDOW_MS && sample.offset > offset);
    this.#samples.push({ at, offset });
  }

  get isSynced() {
    return this.#samples.length > 0;
  }

  /** Milliseconds since the epoch as the server has it, or null before the first word from it. */
  now() {
    return this.isSynced ? this.#monotonic() + this.#samples[0].offset : null;
  }

  /** Monotonic milliseconds, for measuring silence. */
  elapsed() {
    return this.#monotonic();
  }
}
