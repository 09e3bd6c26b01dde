// The page: an image comes, its cartoon is drawn, and what becomes of it is shown.

import { draw } from "./drawing.js";
import * as language from "./language.js";
import { Problem } from "./problems.js";
import * as result from "./result.js";
import * as sources from "./sources.js";
import * as styles from "./styles.js";
import * as view from "./view.js";

const byId = (id) => document.getElementById(id);
const limits = Object.fromEntries(
  Object.entries(document.body.dataset).map(([name, value]) => [name, Number(value)]),
);

let latest = null; // The image that was chosen last.
let key = null; // In memory alone; asked for when the service does.
let stop = new AbortController(); // Of the drawing that runs.

async function start(file) {
  stop.abort(); // Another image takes the place of one that is being drawn.
  stop = new AbortController();
  const { signal } = stop;
  latest = file;
  const started = performance.now();
  try {
    const drawn = await draw(file, { limits, style: styles.chosen(), key, signal, on: view });
    view.done(file, drawn, (performance.now() - started) / 1000);
  } catch (problem) {
    if (signal.aborted) return;
    if (!(problem instanceof Problem)) throw problem;
    if (problem.name === "unauthorized") {
      view.locked(key !== null);
    } else {
      view.failed(problem, limits);
      if (problem.name === "unknown-style") styles.load();
    }
  }
}

language.start();
result.start();
sources.start(start);
styles.load();

byId("again").addEventListener("click", () => start(latest));
byId("stop").addEventListener("click", () => {
  stop.abort();
  view.stopped();
});
byId("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  byId("key").value = "";
  start(latest);
});
