// Problems: the text key of each error, and whether a retry can help.

import { hasText } from "./i18n.js";

const MEDIA_TYPE = "application/problem+json";
const TYPE_PREFIX = "urn:dctnet:problem:";
const DEFAULT_RETRY_AFTER_S = 5;

// The page retries these after a delay.
const TRANSIENT = new Set(["overloaded", "starting", "draining", "unavailable"]);

// The page offers a button to retry these with the same image.
const RETRYABLE = new Set([
  "read-timeout", "unknown-style", "client-disconnected", "internal-error", "out-of-memory",
  "deadline-exceeded", "unreachable", "unknown",
]);

// Statuses that a proxy in front of the service sends without a problem document.
const SLUG_BY_STATUS = { 413: "too-many-bytes", 429: "overloaded", 503: "unavailable" };

export class Problem extends Error {
  constructor(slug, values = {}, retryAfter = DEFAULT_RETRY_AFTER_S) {
    super(slug);
    this.slug = slug;
    this.values = values;
    this.retryAfter = retryAfter;
  }

  get isTransient() {
    return TRANSIENT.has(this.slug);
  }

  get isRetryable() {
    return RETRYABLE.has(this.slug);
  }
}

export async function problemFromResponse(response) {
  if (response === null) return new Problem("unreachable");
  const { type = "", detail = "", request_id: id } = await parseDocument(response);
  const typeSlug = type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : null;
  const slug = typeSlug ?? SLUG_BY_STATUS[response.status];
  const seconds = Number.parseInt(response.header("Retry-After"), 10);
  return new Problem(
    hasText(`problem-${slug}`) ? slug : "unknown",
    { status: response.status, detail, id },
    seconds || DEFAULT_RETRY_AFTER_S,
  );
}

async function parseDocument(response) {
  if (response.header("Content-Type") !== MEDIA_TYPE) return {}; // Perhaps a proxy's error page.
  try {
    return JSON.parse(await response.body.text());
  } catch {
    return {}; // The document is truncated.
  }
}
