// Style picker: the loaded styles, each with its sample image if it has one.

import { setText } from "./i18n.js";

const fieldset = document.getElementById("styles");

export async function loadStyles() {
  let response;
  try {
    response = await fetch("v1/styles");
    if (!response.ok) return;
  } catch {
    return; // Without a selection the service uses the loaded style.
  }
  const { styles } = await response.json();
  fieldset.querySelector("div").replaceChildren(
    ...styles.map((style, i) => styleOption(style, i === 0, response.url)),
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
