// The styles that are loaded, each with a sample where there is one.

import { say } from "./language.js";

const fieldset = document.getElementById("styles");

export async function load() {
  let answer;
  try {
    answer = await fetch("v1/styles");
    if (!answer.ok) return;
  } catch {
    return; // Without a choice the service draws what it has loaded.
  }
  const { styles } = await answer.json();
  fieldset.querySelector("div").replaceChildren(
    ...styles.map((style, i) => choice(style, i === 0, answer.url)),
  );
  for (const { name, title } of styles) {
    const label = document.getElementById(`style-${name}`);
    say(label.querySelector("span"), "styleTitle", { name, title });
    const sample = label.querySelector("img");
    if (sample) say(sample, "sample", { name, title }, "alt");
  }
  fieldset.hidden = styles.length === 0;
}

function choice({ name, sample }, checked, base) {
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

export function chosen() {
  return fieldset.querySelector("input:checked")?.value;
}
