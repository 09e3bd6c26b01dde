// What went wrong, by the name of a text that says it, and what can be done about it.

import { has } from "./language.js";

const MEDIA_TYPE = "application/problem+json";
const PREFIX = "urn:dctnet:problem:";
const RETRY_AFTER_S = 5; // Where the answer does not say.

// They pass by themselves.
const PASSING = new Set(["overloaded", "starting", "draining", "unavailable"]);

// With these another attempt with the same image is worth a click.
const WORTH_A_CLICK = new Set([
  "read-timeout", "unknown-style", "client-disconnected", "internal-error", "out-of-memory", "deadline-exceeded",
  "unreachable", "unknown",
]);

// What a proxy before the service answers by itself.
const BY_STATUS = { 413: "too-many-bytes", 429: "overloaded", 503: "unavailable" };

export class Problem extends Error {
  constructor(name, values = {}, retryAfter = RETRY_AFTER_S) {
    super(name);
    this.name = name;
    this.values = values;
    this.retryAfter = retryAfter;
  }

  get passes() {
    return PASSING.has(this.name);
  }

  get isWorthAClick() {
    return WORTH_A_CLICK.has(this.name);
  }
}

export async function problemOf(answer) {
  if (answer === null) return new Problem("unreachable");
  const { type = "", detail = "", request_id: id } = await documentOf(answer);
  const named = type.startsWith(PREFIX) ? type.slice(PREFIX.length) : BY_STATUS[answer.status];
  const name = has(`problem-${named}`) ? named : "unknown";
  const seconds = Number.parseInt(answer.header("Retry-After"), 10);
  return new Problem(name, { status: answer.status, detail, id }, seconds || RETRY_AFTER_S);
}

async function documentOf(answer) {
  if (answer.header("Content-Type") !== MEDIA_TYPE) return {}; // A proxy's own page, perhaps.
  try {
    return JSON.parse(await answer.body.text());
  } catch {
    return {}; // It was cut off.
  }
}
