// Strength and size of the cartoon: a change reports once, after the last of several key presses.

import { setText } from "./i18n.js";

const DELAY_MS = 400;

const byId = (id) => document.getElementById(id);
const strength = byId("strength");
const size = byId("size");

function showStrength() {
  const percent = strength.value;
  setText(byId("strength-value"), "strengthValue", { percent });
  setText(strength, "strengthValue", { percent }, "aria-valuetext");
}

// Parameters of the request that differ from the API's defaults.
export function selectedOptions() {
  return {
    ...(strength.value !== strength.max && { strength: strength.value / strength.max }),
    ...(size.value !== "" && { size: size.value }),
  };
}

export function init(onChange) {
  let timer;
  for (const control of [strength, size]) {
    control.addEventListener("change", () => {
      clearTimeout(timer);
      timer = setTimeout(onChange, DELAY_MS);
    });
  }
  strength.addEventListener("input", showStrength);
  showStrength();
}
