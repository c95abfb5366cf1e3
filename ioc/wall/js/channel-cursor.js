// Where one subscription stands: the epoch and `prev` rule of qnioc.v1, without any socket.

/** Tells for each frame what to do with it: `apply`, `wait`, `ignore`, or `resync` (exactly once per gap). */
export class ChannelCursor {
  epoch = null;
  seq = null;
  isLive = false;
  #isResyncing = false;
  #part = null;
  #early = [];

  /** Position for `sub.resume`; null when there is nothing to resume from. */
  get resume() {
    return this.epoch !== null && this.seq !== null ? { epoch: this.epoch, seq: this.seq } : null;
  }

  /** The rows gathered so far stay valid until the next frame proves otherwise. */
  disconnected() {
    this.isLive = false;
    this.#isResyncing = false;
    this.#part = null;
    this.#early = [];
  }

  /** Returns `{verdict, rows, fields, early}`; `rows` is the whole snapshot once its last part is here. */
  snapshot(frame) {
    this.#part ??= { rows: [], fields: frame.f };
    this.#part.rows.push(...frame.rows);
    if (!frame.last) return { verdict: "wait" };
    const whole = this.#part;
    const early = this.#early.filter((event) => event.epoch === frame.epoch && event.seq > frame.seq);
    this.disconnected();
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    this.isLive = true;
    return { verdict: "apply", rows: whole.rows, fields: whole.fields, early };
  }

  delta(frame) {
    if (this.#isResyncing || this.#part) return "ignore";
    if (frame.epoch === this.epoch && frame.prev === this.seq) {
      this.seq = frame.seq;
      this.isLive = true;
      return "apply";
    }
    return this.#lost();
  }

  /** Log channels: ordered, numbered by the database, possibly with holes; a repeated one is dropped. */
  event(frame) {
    if (this.#isResyncing || this.#part || this.epoch === null) {
      if (this.#early.length < 10_000) this.#early.push(frame);
      return "wait";
    }
    if (frame.epoch !== this.epoch) return this.#lost();
    if (frame.seq <= this.seq) return "ignore";
    this.seq = frame.seq;
    this.isLive = true;
    return "apply";
  }

  #lost() {
    if (this.epoch === null) return "ignore";
    this.#isResyncing = true;
    return "resync";
  }

  /** The heartbeat says the server is ahead although nothing arrived in between. */
  isBehind(serverSeq, seqAtLastHeartbeat) {
    return this.isLive && !this.#isResyncing && serverSeq > this.seq && this.seq === seqAtLastHeartbeat;
  }

  demandResync() {
    this.#isResyncing = true;
  }
}
