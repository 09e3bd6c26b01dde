// Entry point of the web UI: connects the image inputs, the API and the page state.

import { cartoonize } from "./cartoonize.js";
import * as comparison from "./comparison.js";
import * as i18n from "./i18n.js";
import * as imageInputs from "./image_inputs.js";
import { limits } from "./limits.js";
import * as options from "./options.js";
import * as pageState from "./page_state.js";
import { Problem } from "./problems.js";
import * as styles from "./styles.js";

const byId = (id) => document.getElementById(id);

// The photos that were chosen together. Each gets a `result` or a `problem`.
let photos = [];
let key = null; // The API key, kept in memory only.
let controller = new AbortController(); // Aborts the request in progress.

function choosePhotos(chosen) {
  photos = chosen.map((photo, index) => ({ ...photo, number: index + 1, total: chosen.length }));
  pageState.choose(photos);
  submit(photos);
}

const isUnfinished = ({ result, problem }) => !result && (!problem || problem.isRetryable);

// Cartoonizes photos one after the other, until one fails for a reason that others share.
async function submit(queue) {
  controller.abort(); // New photos replace those in progress.
  controller = new AbortController();
  const { signal } = controller;
  pageState.enqueue(queue);
  for (const photo of queue) {
    pageState.begin(photo);
    await submitPhoto(photo, signal);
    if (signal.aborted || isUnfinished(photo)) return;
  }
}

async function submitPhoto(photo, signal) {
  photo.result = photo.problem = null;
  const startedAt = performance.now();
  try {
    const result = await cartoonize(photo, {
      limits, style: styles.selectedStyle(), options: options.selectedOptions(), key, signal,
      on: pageState,
    });
    photo.result = { ...result, seconds: (performance.now() - startedAt) / 1000 };
    pageState.done(photo);
  } catch (problem) {
    if (signal.aborted) return;
    if (!(problem instanceof Problem)) throw problem;
    if (problem.slug === "unauthorized") {
      pageState.unauthorized(key !== null);
      return;
    }
    photo.problem = problem;
    pageState.failed(photo);
    if (problem.slug === "unknown-style") styles.loadStyles();
  }
}

const submitUnfinished = () => submit(photos.filter(isUnfinished));

// With other options, the selected photo is cartoonized again.
function submitAgain() {
  const selected = pageState.selectedPhoto();
  const others = photos.filter((photo) => photo !== selected && isUnfinished(photo));
  if (selected) submit([selected, ...others]);
}

i18n.init();
comparison.init();
imageInputs.init(choosePhotos);
options.init(submitAgain);
styles.init(submitAgain);
styles.loadStyles();

byId("retry").addEventListener("click", submitUnfinished);
byId("stop").addEventListener("click", () => {
  controller.abort();
  pageState.stopped();
});
byId("api-key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("api-key").value.trim();
  byId("api-key").value = "";
  submitUnfinished();
});
