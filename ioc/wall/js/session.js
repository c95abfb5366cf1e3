// Who is signed in, and every REST call of the wall.

const API = "../api/v1";
const DEADLINE_MS = 10_000;

/** A refused REST call; `problem` is the RFC 9457 body where the server sent one. */
export class RefusedError extends Error {
  constructor(status, problem) {
    super(problem?.title ?? `HTTP ${status}`);
    this.name = "RefusedError";
    this.status = status;
    this.problem = problem ?? {};
  }
}

async function bodyOf(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/** The signed-in person, the CSRF token, and calls that carry both. */
export class Session {
  user = null;
  #csrf = null;
  #clock;

  constructor(clock) {
    this.#clock = clock;
  }

  get roles() {
    return this.user?.roles ?? [];
  }

  get mayAcknowledge() {
    return this.roles.some((role) => ["operator", "supervisor", "admin"].includes(role));
  }

  /** A screen without a person has nobody to read reports. */
  get mayReadReports() {
    return this.roles.some((role) => role !== "kiosk");
  }

  /** Taking alerts off the list, giving them to others, changing what a rule says. */
  get maySupervise() {
    return this.roles.some((role) => ["supervisor", "admin"].includes(role));
  }

  async #call(method, path, body, headers = {}) {
    const response = await fetch(`${API}${path}`, {
      method,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method !== "GET" && this.#csrf ? { "X-CSRF-Token": this.#csrf } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!this.#clock.isSynced) this.#clock.observe(date);
    const answer = await bodyOf(response);
    if (!response.ok) throw new RefusedError(response.status, answer);
    return answer;
  }

  get(path) {
    return this.#call("GET", path);
  }

  post(path, body = {}, headers = {}) {
    return this.#call("POST", path, body, headers);
  }

  #signedIn(answer) {
    this.user = answer.user;
    this.#csrf = answer.csrf;
    return this.user;
  }

  /** The current person, or null when nobody is signed in. */
  async restore() {
    try {
      return this.#signedIn(await this.get("/auth/me"));
    } catch (error) {
      if (error instanceof RefusedError && error.status === 401) return null;
      throw error;
    }
  }

  async signIn(username, password) {
    return this.#signedIn(await this.post("/auth/login", { username, password }));
  }

  async signOut() {
    try {
      await this.post("/auth/logout");
    } catch (error) {
      // Who is not signed in any more is signed out.
      if (!(error instanceof RefusedError && error.status === 401)) throw error;
    }
    this.user = null;
    this.#csrf = null;
  }

  /** One-use token for the WebSocket's hello. */
  async ticket() {
    return (await this.post("/auth/ws-ticket")).token;
  }

  /** Static geodata of the province. */
  geo(name) {
    return this.get(`/geo/${name}.geojson`);
  }

  /** A key that lets the server recognise a repeated POST. */
  static idempotencyKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}
