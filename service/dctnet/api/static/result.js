// A cartoon on top of its original, and the slider between them.

import { say } from "./language.js";
import { show } from "./shown.js";

const byId = (id) => document.getElementById(id);
const split = byId("split");

function divide() {
  const percent = split.value;
  // Not by an attribute, which the page's policy forbids.
  byId("compare").style.setProperty("--split", `${percent}%`);
  say(split, "splitAt", { percent }, "aria-valuetext");
}

export function present(file, { image, cartoon }) {
  byId("compare").classList.remove("alone");
  show("original", image);
  byId("download").href = show("cartoon", cartoon);
  byId("download").download = `${file.name.replace(/\.[^.]*$/, "") || "image"}-cartoon.jpg`;
  split.value = 50;
  divide();
}

export function start() {
  split.addEventListener("input", divide);
  // This browser cannot show what it sent.
  byId("original").addEventListener("error", () => byId("compare").classList.add("alone"));
}
