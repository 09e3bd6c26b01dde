// State of the page: the visible elements, the status texts and the focus.

import { showBlob } from "./blob_image.js";
import { showResult } from "./comparison.js";
import { clearText, setText } from "./i18n.js";

const byId = (id) => document.getElementById(id);

// The elements that each state shows; all others are hidden.
const VISIBLE = {
  preparing: ["in-progress", "progress"],
  sending: ["in-progress", "progress"],
  cartoonizing: ["in-progress", "progress"],
  queued: ["in-progress", "progress", "queue-position"],
  waiting: ["in-progress", "countdown"],
  stopped: ["retry"],
  failed: [],
  retryable: ["retry"],
  unauthorized: ["api-key-form"],
  done: ["result"],
};
const ALL = new Set(Object.values(VISIBLE).flat());

// The states in which the last cartoon of the same photo stays visible, so that nothing moves.
const KEEPS_RESULT = new Set(["sending", "cartoonizing", "queued", "waiting"]);

function enter(state) {
  const focused = document.activeElement;
  for (const id of ALL) {
    if (id === "result" && KEEPS_RESULT.has(state)) continue;
    byId(id).hidden = !VISIBLE[state].includes(id);
  }
  document.body.dataset.state = state;
  clearText(byId("problem"));
  return focused;
}

// Moves the focus unless the user has moved it to an element that is still visible.
function moveFocus(focused, id) {
  const isLost = focused === document.body || focused.closest("[hidden]") !== null;
  if (isLost || focused.type === "file") byId(id).focus();
}

export function preparing(file) {
  enter("preparing");
  byId("progress").removeAttribute("value");
  showBlob("preview", file);
  setText(byId("status"), "preparing");
}

export function sending() {
  enter("sending");
  setText(byId("status"), "sending");
}

export function uploadProgress(fraction) {
  byId("progress").value = fraction;
}

export function cartoonizing() {
  enter("cartoonizing");
  byId("progress").removeAttribute("value");
  setText(byId("status"), "cartoonizing");
}

export function queuePosition(position) {
  const state = position > 0 ? "queued" : "cartoonizing";
  if (document.body.dataset.state !== state) {
    enter(state);
    setText(byId("status"), state); // Only on a change, because a screen reader announces it.
  }
  setText(byId("queue-position"), "queuePosition", { position });
}

export function waiting(problem) {
  enter("waiting");
  setText(byId("status"), `problem-${problem.slug}`);
}

export function countdown(seconds, attempt) {
  setText(byId("countdown"), "countdown", { seconds, attempt });
}

export function stopped() {
  const focused = enter("stopped");
  setText(byId("status"), "stopped");
  moveFocus(focused, "retry");
}

export function failed(problem, values) {
  const focused = enter(problem.isRetryable ? "retryable" : "failed");
  clearText(byId("status"));
  setText(byId("problem"), `problem-${problem.slug}`, { ...values, ...problem.values });
  moveFocus(focused, problem.isRetryable ? "retry" : "file");
}

export function unauthorized(hadKey) {
  enter("unauthorized");
  clearText(byId("status"));
  setText(byId("problem"), hadKey ? "problem-unauthorized-again" : "problem-unauthorized");
  byId("api-key").focus();
}

export function done(file, result, seconds) {
  const focused = enter("done");
  showResult(file, result);
  setText(byId("status"), "done", { seconds: seconds.toFixed(1), faces: result.faces });
  moveFocus(focused, "result-title");
}
