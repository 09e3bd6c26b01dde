// State of the page: the visible elements, the status texts and the focus.

import { showBlob } from "./blob_image.js";
import { showResult } from "./comparison.js";
import { clearText, setText } from "./i18n.js";
import { limits } from "./limits.js";
import { photoName, setCurrentPhoto, setPhotoState, showPhotos } from "./photo_list.js";

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

let current = null; // The photo in progress, or the last one.
let selected = null; // The photo whose result is visible, else the one in progress.

function enter(state) {
  const focused = document.activeElement;
  const isRedrawn = selected === current;
  const keepsResult = isRedrawn ? KEEPS_RESULT.has(state) : Boolean(selected.result);
  for (const id of ALL) {
    if (id === "result" && keepsResult) continue;
    byId(id).hidden = !VISIBLE[state].includes(id);
  }
  byId("output").classList.toggle("redrawn", isRedrawn);
  document.body.dataset.state = state;
  clearText(byId("problem"));
  return focused;
}

// Moves the focus unless the user has moved it to an element that is still visible.
function moveFocus(focused, id) {
  const isLost = focused === document.body || focused.closest("[hidden]") !== null;
  if (isLost || focused.type === "file") byId(id).focus();
}

// Replaces all photos.
export function choose(photos) {
  selected = null;
  showPhotos(photos, select);
}

// Shows the result or the problem of another photo.
function select(photo) {
  selected = photo;
  setCurrentPhoto(photo);
  byId("output").classList.remove("redrawn");
  byId("result").hidden = !photo.result;
  clearText(byId("problem"));
  if (photo.result) {
    showResult(photo);
    showFaceSize(photo);
    showStatus(photo);
  } else {
    showProblem(photo);
  }
}

// The photo that the user looks at.
export function selectedPhoto() {
  return selected;
}

export function enqueue(photos) {
  for (const photo of photos) setPhotoState(photo, "waiting");
}

export function begin(photo) {
  current = photo;
  if (!selected?.result) selected = photo;
  setCurrentPhoto(selected);
  setPhotoState(photo, "in-progress");
  byId("photo-name").hidden = photo.total === 1;
  setText(byId("photo-name"), "photoName", photoName(photo));
  if (photo.image) showBlob("preview", photo.file); // Prepared before.
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
  setPhotoState(current, "waiting");
  setText(byId("status"), "stopped");
  moveFocus(focused, "retry");
}

export function failed(photo) {
  const { isRetryable } = photo.problem;
  const focused = enter(isRetryable ? "retryable" : "failed");
  setPhotoState(photo, "failed");
  showProblem(photo);
  moveFocus(focused, isRetryable ? "retry" : "file");
}

function showProblem(photo) {
  const { slug, values } = photo.problem;
  if (photo.total > 1) setText(byId("status"), "photoName", photoName(photo));
  else clearText(byId("status"));
  setText(byId("problem"), `problem-${slug}`, { ...limits, ...values });
}

export function unauthorized(hadKey) {
  enter("unauthorized");
  setPhotoState(current, "waiting");
  clearText(byId("status"));
  setText(byId("problem"), hadKey ? "problem-unauthorized-again" : "problem-unauthorized");
  byId("api-key").focus();
}

export function done(photo) {
  const focused = enter("done");
  setPhotoState(photo, "done");
  showStatus(photo);
  if (photo !== selected) return;
  showResult(photo);
  showFaceSize(photo);
  moveFocus(focused, "result-title");
}

function showStatus(photo) {
  const { faces, seconds } = photo.result;
  setText(byId("status"), "done", { ...photoName(photo), seconds: seconds.toFixed(1), faces });
}

function showFaceSize({ width, height, scale, result }) {
  const element = byId("face-size");
  element.hidden = result.faces > 0 || !width; // Unknown if the browser cannot decode the photo.
  setText(element, "faceSize", { width, height, side: Math.ceil(limits.minFaceSide / scale) });
}
