// List of several photos: the state of each, and a button that shows its result.

import { showBlob } from "./blob_image.js";
import { setText } from "./i18n.js";

// Instead of a photo that the browser cannot show: nothing, on the background of the list.
const PLACEHOLDER = new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>'], { type: "image/svg+xml" });

const list = document.getElementById("photos");

// Shows the photos of a queue. `onSelect` gets one that is done or failed. One photo has no list.
export function showPhotos(photos, onSelect) {
  list.hidden = photos.length < 2;
  list.replaceChildren(...(list.hidden ? [] : photos.map((photo) => photoItem(photo, onSelect))));
  for (const photo of list.hidden ? [] : photos) {
    const image = thumbnail(photo);
    showBlob(image.id, photo.file);
    setText(image, "photoName", photoName(photo), "alt");
  }
}

function photoItem(photo, onSelect) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  const image = Object.assign(document.createElement("img"), { id: `photo-${photo.number}` });
  image.addEventListener("error", () => showBlob(image.id, PLACEHOLDER), { once: true });
  button.append(image, document.createElement("span"));
  button.addEventListener("click", () => onSelect(photo));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

const thumbnail = ({ number }) => document.getElementById(`photo-${number}`);

// Values of the texts that name a photo.
export function photoName({ number, total, file }) {
  return { number, total, name: file?.name };
}

// Sets the state of a photo: waiting, in-progress, done or failed.
export function setPhotoState(photo, state) {
  if (list.hidden) return;
  const image = thumbnail(photo);
  const button = image.parentElement;
  button.dataset.state = state;
  button.disabled = !["done", "failed"].includes(state);
  setText(button.querySelector("span"), `photo-${state}`);
  if (state === "done") showBlob(image.id, photo.result.cartoon);
}

// Marks the photo whose result is visible.
export function setCurrentPhoto(photo) {
  for (const button of list.querySelectorAll("button")) {
    const isCurrent = photo !== null && button.contains(thumbnail(photo));
    button.setAttribute("aria-current", String(isCurrent));
  }
}
