// Style picker: the loaded styles, each with a portrait. The last choice is remembered.

import { setText } from "./i18n.js";

const fieldset = document.getElementById("styles");
const STORAGE_KEY = "dctnet-style";

// Calls `onChange` when the user chooses a style.
export function init(onChange) {
  fieldset.addEventListener("change", () => {
    remember(selectedStyle());
    onChange();
  });
}

export async function loadStyles() {
  let response;
  try {
    response = await fetch("v1/styles");
    if (!response.ok) return;
  } catch {
    return; // Without a selection the service uses its default style.
  }
  const { styles } = await response.json();
  const last = remembered();
  const chosen = styles.find(({ name }) => name === last) ?? styles.find((each) => each.default);
  fieldset.querySelector("div").replaceChildren(
    ...styles.map((style) => styleOption(style, style === chosen, response.url)),
  );
  for (const { name, title } of styles) {
    const label = document.getElementById(`style-${name}`);
    setText(label.querySelector("span"), "styleTitle", { name, title });
    const sample = label.querySelector("img");
    if (sample) setText(sample, "sample", { name, title }, "alt");
  }
  fieldset.hidden = styles.length === 0;
}

function styleOption({ name, sample }, checked, base) {
  const label = document.createElement("label");
  label.id = `style-${name}`;
  const input = Object.assign(document.createElement("input"), {
    type: "radio", name: "style", value: name, checked,
  });
  label.append(input);
  if (sample) {
    const image = document.createElement("img");
    image.src = new URL(sample, base);
    label.append(image);
  }
  label.append(document.createElement("span"));
  return label;
}

export function selectedStyle() {
  return fieldset.querySelector("input:checked")?.value;
}

function remember(style) {
  try {
    localStorage.setItem(STORAGE_KEY, style);
  } catch {
    // The browser stores nothing: the choice lasts as long as the page.
  }
}

function remembered() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}
