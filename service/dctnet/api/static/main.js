// Entry point of the web UI: connects the image inputs, the API and the page state.

import { cartoonize } from "./cartoonize.js";
import * as comparison from "./comparison.js";
import * as i18n from "./i18n.js";
import * as imageInputs from "./image_inputs.js";
import * as options from "./options.js";
import * as pageState from "./page_state.js";
import { Problem } from "./problems.js";
import * as styles from "./styles.js";

const byId = (id) => document.getElementById(id);
const limits = Object.fromEntries(
  Object.entries(document.body.dataset).map(([name, value]) => [name, Number(value)]),
);

let latestPhoto = null; // The chosen file, and the image prepared from it.
let key = null; // The API key, kept in memory only.
let controller = new AbortController(); // Aborts the request in progress.

async function submit(photo) {
  controller.abort(); // A new image replaces the one in progress.
  controller = new AbortController();
  const { signal } = controller;
  latestPhoto = photo;
  const startedAt = performance.now();
  try {
    const style = styles.selectedStyle();
    const result = await cartoonize(photo, {
      limits, style, options: options.selectedOptions(), key, signal, on: pageState,
    });
    pageState.done(photo.file, result, (performance.now() - startedAt) / 1000);
  } catch (problem) {
    if (signal.aborted) return;
    if (!(problem instanceof Problem)) throw problem;
    if (problem.slug === "unauthorized") {
      pageState.unauthorized(key !== null);
    } else {
      pageState.failed(problem, limits);
      if (problem.slug === "unknown-style") styles.loadStyles();
    }
  }
}

i18n.init();
comparison.init();
imageInputs.init((file) => submit({ file }));
const submitAgain = () => {
  if (latestPhoto) submit(latestPhoto);
};
options.init(submitAgain);
styles.init(submitAgain);
styles.loadStyles();

byId("retry").addEventListener("click", () => submit(latestPhoto));
byId("stop").addEventListener("click", () => {
  controller.abort();
  pageState.stopped();
});
byId("api-key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("api-key").value.trim();
  byId("api-key").value = "";
  submit(latestPhoto);
});
