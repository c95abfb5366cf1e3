// The live link: hello, subscriptions, snapshots and deltas, heartbeats, reconnection. Protocol qnioc.v1.

import { ChannelCursor } from "./channel-cursor.js";
import { reconnectDelayMs } from "./reconnect.js";

const PROTOCOL = "qnioc.v1.json";
const DEFAULT_HEARTBEAT_MS = 10_000;
const OPEN_DEADLINE_MS = 10_000;
const MARK_MS = 30_000;
/** Only these prove that the picture moves; a greeting from a stalled server does not. */
const LIVING = new Set(["snap", "d", "ev", "hb"]);

export class Connection {
  state = "idle"; // idle | connecting | live | waiting | signed-out | refused
  resyncCount = 0;
  reconnectCount = 0;
  lastFrameElapsedMs = null;
  lastFrameServerMs = null;
  lagMs = null;
  /** Server time since when no alert is judged, as its last heartbeat said; null while all is well. */
  unjudgedSinceMs = null;
  roundTripMs = null;
  closeCode = null;
  #marks = new Map();
  #socket = null;
  #nextId = 1;
  #attempt = 0;
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;
  #heartbeatSeqs = {};
  /** What the server allows, as it said in its welcome. */
  limits = {};
  #retryTimer = null;
  #openedAt = 0;
  #heardAt = 0;
  #afterMs = null;
  #pings = new Map();
  #lastPingAt = -Infinity;

  /** @param {{url, client, lang, isKiosk, ticket, store, clock, channels, onSignedOut}} parts */
  constructor(parts) {
    this.parts = parts;
    this.cursors = new Map(parts.channels.map((channel) => [channel, new ChannelCursor()]));
  }

  /** Silence after which the picture counts as frozen: two heartbeats. */
  get frozenAfterMs() {
    return 2 * this.#heartbeatMs;
  }

  /** Milliseconds since the picture last moved, or 0 before the first frame. */
  get silenceMs() {
    return this.lastFrameElapsedMs === null ? 0 : this.parts.clock.elapsed() - this.lastFrameElapsedMs;
  }

  get isFrozen() {
    return this.lastFrameElapsedMs !== null && this.silenceMs > this.frozenAfterMs;
  }

  /** Recent facts an operator should know about the stream: `conflated`, `snapshot`. */
  get marks() {
    const now = this.parts.clock.elapsed();
    return [...this.#marks].filter(([, at]) => now - at < MARK_MS).map(([name]) => name);
  }

  async start() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.state = "connecting";
    this.#openedAt = this.parts.clock.elapsed();
    let token;
    try {
      token = await this.parts.ticket();
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        this.state = "signed-out";
        this.parts.onSignedOut();
      } else {
        this.#retry(1006);
      }
      return;
    }
    const socket = new WebSocket(this.parts.url, PROTOCOL);
    this.#socket = socket;
    this.#nextId = 1;
    socket.onopen = () => this.#send({ t: "hello", token, client: this.parts.client, lang: this.parts.lang() }, null);
    socket.onmessage = (message) => {
      if (socket === this.#socket) this.#receive(JSON.parse(message.data));
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
  }

  /** Called once a second: finds half-dead links that never report a close. */
  watch() {
    const { clock } = this.parts;
    if (this.state === "live" && clock.elapsed() - this.#heardAt > this.frozenAfterMs) this.#abandon();
    else if (this.state === "connecting" && clock.elapsed() - this.#openedAt > OPEN_DEADLINE_MS) this.#abandon();
    else if (this.state === "live" && clock.elapsed() - this.#lastPingAt > 1.5 * this.#heartbeatMs) this.#ping();
  }

  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#closed(1006);
  }

  #closed(code) {
    this.#socket = null;
    this.closeCode = code;
    this.#pings.clear();
    for (const cursor of this.cursors.values()) cursor.disconnected();
    this.#retry(code);
  }

  #retry(code) {
    if (this.#retryTimer !== null) return;
    const delay = reconnectDelayMs({
      code, attempt: this.#attempt++, afterMs: this.#afterMs, isKiosk: this.parts.isKiosk,
    });
    this.#afterMs = null;
    this.state = delay === null ? "refused" : "waiting";
    if (delay === null) return;
    this.#retryTimer = setTimeout(() => {
      this.reconnectCount += 1;
      this.start();
    }, delay);
  }

  #send(frame, id = this.#nextId++) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(id === null ? frame : { ...frame, id }));
  }

  #ping() {
    this.#lastPingAt = this.parts.clock.elapsed();
    this.#pings.clear();
    this.#pings.set(this.#nextId, this.#lastPingAt);
    this.#send({ t: "ping" });
  }

  #subscribe() {
    for (const [channel, cursor] of this.cursors) {
      this.#send({ t: "sub", ch: channel, ...(cursor.resume ? { resume: cursor.resume } : {}) });
    }
  }

  #receive(frame) {
    const { clock } = this.parts;
    this.#heardAt = clock.elapsed();
    clock.observe(frame.ts);
    if (LIVING.has(frame.t)) {
      this.lastFrameElapsedMs = this.#heardAt;
      this.lastFrameServerMs = frame.ts;
    }
    const handle = this.#handlers[frame.t];
    if (handle) handle(frame);
  }

  #handlers = {
    welcome: (frame) => {
      // Seconds in the protocol; a server that speaks milliseconds is understood as well.
      this.limits = frame.limits ?? {};
      if (frame.hb > 0) this.#heartbeatMs = frame.hb >= 500 ? frame.hb : frame.hb * 1000;
      this.state = "live";
      this.#attempt = 0;
      this.#heartbeatSeqs = {};
      this.#subscribe();
      this.#ping();
    },
    snap: (frame) => {
      const cursor = this.cursors.get(frame.ch);
      if (!cursor) return;
      if (frame.why === "old" || frame.why === "epoch") this.#mark("snapshot");
      const { verdict, rows, fields, early } = cursor.snapshot(frame);
      if (verdict !== "apply") return;
      this.parts.store.replace(frame.ch, fields, rows);
      for (const event of early) this.#handlers.ev(event);
    },
    d: (frame) => {
      const verdict = this.cursors.get(frame.ch)?.delta(frame);
      if (verdict === "resync") this.#resync(frame.ch);
      if (verdict !== "apply") return;
      if (frame.con) this.#mark("conflated");
      this.parts.store.change(frame.ch, frame.f, frame.set ?? [], frame.del ?? []);
    },
    ev: (frame) => {
      const verdict = this.cursors.get(frame.ch)?.event(frame);
      if (verdict === "resync") this.#resync(frame.ch);
      if (verdict === "apply") this.parts.store.append(frame.e);
    },
    hb: (frame) => {
      this.lagMs = frame.lag_ms ?? null;
      this.unjudgedSinceMs = frame.unjudged_since ?? null;
      for (const [channel, seq] of Object.entries(frame.seqs ?? {})) {
        const cursor = this.cursors.get(channel);
        if (!cursor) continue;
        if (cursor.isBehind(seq, this.#heartbeatSeqs[channel])) this.#resync(channel);
        this.#heartbeatSeqs[channel] = cursor.seq;
      }
    },
    ok: (frame) => this.#answered(frame.id),
    err: (frame) => this.#answered(frame.id),
    auth: () => this.#refresh(),
    bye: (frame) => {
      this.#afterMs = frame.after_ms ?? null;
    },
  };

  #answered(id) {
    const sentAt = this.#pings.get(id);
    if (sentAt === undefined) return;
    this.#pings.delete(id);
    this.roundTripMs = this.parts.clock.elapsed() - sentAt;
  }

  async #refresh() {
    try {
      this.#send({ t: "refresh", token: await this.parts.ticket() });
    } catch {
      // The server will close with 4401, and the reconnection asks for a ticket again.
    }
  }

  #resync(channel) {
    this.resyncCount += 1;
    this.cursors.get(channel).demandResync();
    this.#mark("snapshot");
    this.#send({ t: "resync", ch: channel });
  }

  #mark(name) {
    this.#marks.set(name, this.parts.clock.elapsed());
  }
}
