// Asks again and again for what is shown, and is honest about how old it is.

import { setServerTime, now, time } from "./words.js";

export const POLL_SECONDS = 10;
const LONGEST_SECONDS = 60;
const ANSWER_SECONDS = 30;

const known = new Map(); // by address: its etag and what it said
const MOST_KNOWN = 60;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.problem ?? `the answer was ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

// What is at an address; the same object again while nothing has changed.
export async function ask(address) {
  const before = known.get(address);
  const headers = before ? { "If-None-Match": before.etag } : {};
  const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) });
  setServerTime(answer.headers.get("Pool-Queue-Now"));
  if (answer.status === 304) {
    before.readAt = time(answer.headers.get("Pool-Queue-Read-At"));
    return before;
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => null);
    throw new Refused(answer.status, body?.problem);
  }
  const fresh = {
    etag: answer.headers.get("ETag"),
    readAt: time(answer.headers.get("Pool-Queue-Read-At")),
    told: await answer.json(),
  };
  known.delete(address);
  known.set(address, fresh);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
  return fresh;
}

// Calls `look` now, at every `POLL_SECONDS`, and when somebody looks at the page again; not while nobody does.
export class Live {
  constructor(look, tell) {
    this.look = look;
    this.tell = tell;
    this.state = { isUp: true, since: null, readAt: null, why: null };
    this.failures = 0;
    this.timer = null;
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
    addEventListener("offline", () => this.failed(new Error("this computer is offline")));
  }

  wake() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    this.run();
  }

  async run() {
    clearTimeout(this.timer);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const readAt = await this.look();
      if (turn !== this.turn) return;
      this.failures = 0;
      this.state = { isUp: true, since: null, readAt: readAt ?? this.state.readAt, why: null };
    } catch (error) {
      if (turn !== this.turn) return;
      this.failed(error);
    }
    this.tell(this.state);
    const seconds = Math.min(LONGEST_SECONDS, POLL_SECONDS * 2 ** Math.min(this.failures, 5) / (this.failures ? 2 : 1));
    if (!document.hidden) this.timer = setTimeout(() => this.run(), seconds * 1000);
  }

  failed(error) {
    this.failures += 1;
    this.state = { ...this.state, isUp: false, since: this.state.since ?? now(), why: whyOf(error) };
    this.tell(this.state);
  }
}

function whyOf(error) {
  if (error instanceof Refused) {
    if (error.status === 401 || error.status === 403) return "you are no longer allowed to read it: sign in again, or start the proxy again";
    if (error.status === 503) return "Firestore does not answer the function";
    return `the function answered ${error.status}`;
  }
  if (error?.name === "TimeoutError") return "the function does not answer";
  if (error instanceof TypeError) return "the function cannot be reached";
  return error?.message ?? "unknown";
}
