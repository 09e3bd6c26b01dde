"use strict";

const element = (id) => document.getElementById(id);

let attempt = 0; // Tells the latest picture from an earlier one whose answer comes late.
let key = null; // In memory alone; asked for when the server does.
let refused = null; // The picture that a key is missing for.
const urls = new Map(); // The object URL that each image shows, to be given back.

function show(id, blob) {
  URL.revokeObjectURL(urls.get(id));
  urls.set(id, URL.createObjectURL(blob));
  element(id).src = urls.get(id);
}

async function describeProblem(response) {
  if (response.headers.get("Content-Type") === "application/problem+json") {
    return (await response.json()).detail;
  }
  return `The server answered with status ${response.status}.`; // A proxy's own page, perhaps.
}

// Not in `Authorization`, which a proxy's own password may need.
function post(file) {
  const headers = key === null ? {} : { "X-Api-Key": key };
  return fetch("v1/cartoons", { method: "POST", body: file, headers });
}

async function draw(file) {
  const mine = ++attempt;
  element("problem").textContent = "";
  element("status").textContent = "Drawing…";
  element("cartoon").hidden = true;
  element("result").hidden = true;
  element("unlock").hidden = true;
  element("waiting").hidden = false;
  element("pictures").hidden = false;
  document.body.classList.add("busy");
  show("original", file);

  let cartoon = null;
  let status = "";
  let problem = "";
  let locked = false;
  const started = performance.now();
  try {
    const response = await post(file);
    if (response.ok) {
      cartoon = await response.blob();
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const faces = Number(response.headers.get("X-Dctnet-Faces"));
      status = `Done in ${seconds} s; ${faces === 1 ? "1 face" : `${faces} faces`} found.`;
    } else if (response.status === 401) {
      locked = true;
      problem = key === null ? "This server asks for an API key." : "The API key is not valid.";
    } else {
      problem = await describeProblem(response);
    }
  } catch {
    problem = "The server cannot be reached. Check the connection and try again.";
  }
  if (mine !== attempt) return;

  document.body.classList.remove("busy");
  element("status").textContent = status;
  element("problem").textContent = problem;
  element("waiting").hidden = true;
  element("unlock").hidden = !locked;
  if (locked) {
    refused = file;
    element("key").focus();
  }
  if (cartoon === null) {
    element("pictures").hidden = true;
    return;
  }
  show("cartoon", cartoon);
  element("cartoon").hidden = false;
  element("download").href = urls.get("cartoon");
  element("download").download = `${file.name.replace(/\.[^.]*$/, "")}-cartoon.png`;
  element("result").hidden = false;
}

element("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = ""; // So that the same picture can be chosen again.
  if (file) draw(file);
});

element("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  key = element("key").value.trim();
  element("key").value = "";
  draw(refused);
});

const drop = element("drop");

document.addEventListener("dragover", (event) => {
  event.preventDefault(); // Else the browser leaves the page for the picture.
  drop.classList.add("over");
});

document.addEventListener("dragleave", () => drop.classList.remove("over"));

document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) draw(file);
});
