// An image that is dragged from a web page without a file: only its URL is known.

import { Problem } from "./problems.js";

const DATA_URL = /^data:(image\/[\w.+-]+);base64,(.+)$/s;

export function hasUrl(transfer) {
  return transfer.types.includes("text/uri-list");
}

// The URL of the image, because that of the list may be the image's link.
export function draggedUrl(transfer) {
  const html = new DOMParser().parseFromString(transfer.getData("text/html"), "text/html");
  return html.querySelector("img")?.src || transfer.getData("URL");
}

// Resolves to a file. Throws a Problem for other sites: the content security policy blocks them.
export async function readDraggedUrl(url) {
  try {
    const [, type, base64] = DATA_URL.exec(url) ?? [];
    if (base64) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      return new File([bytes], "image", { type });
    }
    if (new URL(url).origin === location.origin) {
      const response = await fetch(url);
      const blob = await response.blob();
      if (response.ok) return new File([blob], "image", { type: blob.type });
    }
  } catch {
    // A malformed URL, or one that the browser does not read.
  }
  throw new Problem("dragged-image");
}
