// What is to be seen, and where the focus is, in each state of a drawing.

import { hush, say } from "./language.js";
import { present } from "./result.js";
import { show } from "./shown.js";

const byId = (id) => document.getElementById(id);

// Which parts each state has; every other one is hidden.
const PARTS = {
  preparing: ["work", "progress"],
  sending: ["work", "progress"],
  drawing: ["work", "progress"],
  queued: ["work", "progress", "place"],
  waiting: ["work", "countdown"],
  stopped: ["again"],
  failed: [],
  worthAClick: ["again"],
  locked: ["unlock"],
  done: ["result"],
};
const ALL = new Set(Object.values(PARTS).flat());

function enter(state) {
  const hadFocus = document.activeElement;
  for (const id of ALL) byId(id).hidden = !PARTS[state].includes(id);
  document.body.dataset.state = state;
  hush(byId("problem"));
  return hadFocus;
}

// Moves the focus, unless it is on something that is still there.
function lead(hadFocus, id) {
  const isLost = hadFocus === document.body || hadFocus.closest("[hidden]") !== null;
  if (isLost || hadFocus.type === "file") byId(id).focus();
}

export function preparing(file) {
  enter("preparing");
  byId("progress").removeAttribute("value");
  show("preview", file);
  say(byId("status"), "preparing");
}

export function sending() {
  enter("sending");
  say(byId("status"), "sending");
}

export function progress(share) {
  byId("progress").value = share;
}

export function drawing() {
  enter("drawing");
  byId("progress").removeAttribute("value");
  say(byId("status"), "drawing");
}

export function place(place) {
  const state = place > 0 ? "queued" : "drawing";
  if (document.body.dataset.state !== state) {
    enter(state);
    say(byId("status"), state); // Once, for a screen reader reads it out.
  }
  say(byId("place"), "place", { place });
}

export function waiting(problem) {
  enter("waiting");
  say(byId("status"), `problem-${problem.name}`);
}

export function second(seconds, next) {
  say(byId("countdown"), "countdown", { seconds, next });
}

export function stopped() {
  const hadFocus = enter("stopped");
  say(byId("status"), "stopped");
  lead(hadFocus, "again");
}

export function failed(problem, values) {
  const hadFocus = enter(problem.isWorthAClick ? "worthAClick" : "failed");
  hush(byId("status"));
  say(byId("problem"), `problem-${problem.name}`, { ...values, ...problem.values });
  lead(hadFocus, problem.isWorthAClick ? "again" : "file");
}

export function locked(hadKey) {
  enter("locked");
  hush(byId("status"));
  say(byId("problem"), hadKey ? "problem-unauthorized-again" : "problem-unauthorized");
  byId("key").focus();
}

export function done(file, drawn, seconds) {
  const hadFocus = enter("done");
  present(file, drawn);
  say(byId("status"), "done", { seconds: seconds.toFixed(1), faces: drawn.faces });
  lead(hadFocus, "result-title");
}
