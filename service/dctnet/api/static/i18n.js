// The language of the page, and every text it shows, so that a switch translates them all.

import en from "./locales/en.js";
import zh from "./locales/zh.js";

const LOCALES = { en, zh };
const LANG_TAGS = { en: "en", zh: "zh-CN" };
const STORAGE_KEY = "dctnet-language";
const ATTRIBUTE = /^data-text(?:-(.+))?$/; // `data-text` or `data-text-ATTRIBUTE`.

let language = preferredLanguage();
const texts = new Map(); // Per element: a Map from attribute (or "") to [text key, values].

function preferredLanguage() {
  const tags = navigator.languages.map((tag) => tag.split("-")[0].toLowerCase());
  return [storedLanguage(), ...tags].find((name) => Object.hasOwn(LOCALES, name)) ?? "en";
}

function storedLanguage() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // The browser blocks storage.
  }
}

export function hasText(key) {
  return Object.hasOwn(en, key);
}

export function setText(element, key, values = {}, attribute = "") {
  if (!texts.has(element)) texts.set(element, new Map());
  texts.get(element).set(attribute, [key, values]);
  renderText(element, attribute, key, values);
}

export function clearText(element) {
  texts.delete(element);
  element.textContent = "";
}

function renderText(element, attribute, key, values) {
  const entry = LOCALES[language][key];
  const text = typeof entry === "function" ? entry(values) : entry;
  if (attribute === "") element.textContent = text;
  else element.setAttribute(attribute, text);
}

function renderAll() {
  document.documentElement.lang = LANG_TAGS[language];
  for (const [element, entries] of texts) {
    if (!element.isConnected) texts.delete(element);
    else for (const [attribute, [key, values]] of entries) renderText(element, attribute, key, values);
  }
  for (const button of document.querySelectorAll("#languages button")) {
    button.setAttribute("aria-pressed", String(button.value === language));
  }
}

function switchLanguage(event) {
  language = event.target.value;
  try {
    localStorage.setItem(STORAGE_KEY, language);
  } catch {
    // The browser blocks storage: the choice lasts until the page is closed.
  }
  renderAll();
}

export function init() {
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const match = ATTRIBUTE.exec(name);
      if (match) setText(element, value, { ...element.dataset }, match[1]);
    }
  }
  for (const button of document.querySelectorAll("#languages button")) {
    button.addEventListener("click", switchLanguage);
  }
  renderAll();
}
