// Which language the page speaks, and each text that it shows, so that a switch changes them all.

import en from "./texts/en.js";
import zh from "./texts/zh.js";

const TEXTS = { en, zh };
const TAGS = { en: "en", zh: "zh-CN" };
const STORED_AS = "dctnet-language";
const MARK = /^data-text(?:-(.+))?$/; // `data-text` or `data-text-ATTRIBUTE`.

let language = preferred();
const shown = new Map(); // Per element, from an attribute (or "") to the name and values of a text.

function preferred() {
  const wanted = [stored(), ...navigator.languages.map((tag) => tag.split("-")[0].toLowerCase())];
  return wanted.find((name) => Object.hasOwn(TEXTS, name)) ?? "en";
}

function stored() {
  try {
    return localStorage.getItem(STORED_AS);
  } catch {
    return null; // The browser is told to store nothing.
  }
}

export function has(name) {
  return Object.hasOwn(en, name);
}

export function say(element, name, values = {}, attribute = "") {
  if (!shown.has(element)) shown.set(element, new Map());
  shown.get(element).set(attribute, [name, values]);
  render(element, attribute, name, values);
}

export function hush(element) {
  shown.delete(element);
  element.textContent = "";
}

function render(element, attribute, name, values) {
  const text = TEXTS[language][name];
  const said = typeof text === "function" ? text(values) : text;
  if (attribute === "") element.textContent = said;
  else element.setAttribute(attribute, said);
}

function speak() {
  document.documentElement.lang = TAGS[language];
  for (const [element, texts] of shown) {
    if (!element.isConnected) shown.delete(element);
    else for (const [attribute, [name, values]] of texts) render(element, attribute, name, values);
  }
  for (const button of document.querySelectorAll("#languages button")) {
    button.setAttribute("aria-pressed", String(button.value === language));
  }
}

function choose(event) {
  language = event.target.value;
  try {
    localStorage.setItem(STORED_AS, language);
  } catch {
    // Then it lasts as long as the page.
  }
  speak();
}

export function start() {
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const mark = MARK.exec(name);
      if (mark) say(element, value, { ...element.dataset }, mark[1]);
    }
  }
  for (const button of document.querySelectorAll("#languages button")) {
    button.addEventListener("click", choose);
  }
  speak();
}
