// Image inputs: file picker, camera, clipboard, and drag and drop.

import { draggedUrl, hasUrl } from "./dragged_image.js";

const byId = (id) => document.getElementById(id);

// Calls `onPhotos` with one or several photos, each with a `file` or the `url` of a dragged image.
export function init(onPhotos) {
  const onFiles = (files) => {
    if (files.length > 0) onPhotos([...files].map((file) => ({ file })));
  };

  for (const input of [byId("file"), byId("camera")]) {
    input.addEventListener("change", () => {
      onFiles(input.files);
      input.value = ""; // Allows choosing the same image again.
    });
  }

  document.addEventListener("paste", (event) => onFiles(event.clipboardData.files));

  const dropZone = byId("drop-zone");
  let isOwn = false; // Something of this page is dragged, such as the download link.
  document.addEventListener("dragstart", () => (isOwn = true));
  document.addEventListener("dragend", () => (isOwn = false));
  const isImage = ({ dataTransfer }) =>
    dataTransfer.types.includes("Files") || hasUrl(dataTransfer);
  document.addEventListener("dragover", (event) => {
    if (!isImage(event)) return;
    event.preventDefault(); // Otherwise the browser navigates to the image.
    if (isOwn) event.dataTransfer.dropEffect = "none";
    else dropZone.classList.add("dragover");
  });
  document.addEventListener("dragleave", () => dropZone.classList.remove("dragover"));
  document.addEventListener("drop", (event) => {
    dropZone.classList.remove("dragover");
    if (!isImage(event)) return;
    event.preventDefault();
    if (isOwn) return;
    const { dataTransfer } = event;
    if (dataTransfer.files.length > 0) onFiles(dataTransfer.files);
    else if (hasUrl(dataTransfer)) onPhotos([{ url: draggedUrl(dataTransfer) }]);
  });
}
