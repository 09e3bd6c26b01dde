// Comparison of the cartoon with the original: two images and a slider between them.

import { showBlob } from "./blob_image.js";
import { setText } from "./i18n.js";

const byId = (id) => document.getElementById(id);
const slider = byId("slider");
let original = null;

function updateSlider() {
  const percent = slider.value;
  // Set by script, because the content security policy blocks style attributes.
  byId("comparison").style.setProperty("--slider", `${percent}%`);
  setText(slider, "sliderValue", { percent }, "aria-valuetext");
}

export function showResult({ file, image, result }) {
  if (image !== original) {
    original = image;
    byId("comparison").classList.remove("no-original");
    showBlob("original", image);
    slider.value = 50;
    updateSlider();
  }
  byId("download").href = showBlob("cartoon", result.cartoon);
  byId("download").download = `${file.name.replace(/\.[^.]*$/, "") || "image"}-cartoon.jpg`;
}

export function init() {
  slider.addEventListener("input", updateSlider);
  // The browser cannot display the format of the original.
  byId("original").addEventListener("error", () => byId("comparison").classList.add("no-original"));
}
