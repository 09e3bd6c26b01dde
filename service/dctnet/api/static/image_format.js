// Formats that the service rejects, by their first bytes as in dctnet/imaging/foreign.py.

import { limits } from "./limits.js";

const HEAD_BYTES = 4096;

// A name is a key of the texts, or null for the supported formats.
const FORMATS = [
  [null, /^(?:\xff\xd8\xff|\x89PNG|RIFF.{4}WEBP|.{4}ftyp(?:.{4}){0,8}?avi[fs])/s],
  ["heic", /^.{4}ftyp(?:hei[cxms]|hevc|mif1|msf1)/s],
  ["video", /^(?:.{4}ftyp|\x1a\x45\xdf\xa3|RIFF|\x00\x00\x01[\xb3\xba])/s],
  ["gif", /^GIF8/],
  ["bmp", /^BM.{4}\x00{4}/s],
  ["tiff", /^(?:II\*\x00|MM\x00\*)/],
  ["jpegXl", /^(?:\xff\x0a|\x00\x00\x00\x0cJXL )/],
  ["jpeg2000", /^(?:\x00\x00\x00\x0cjP {2}|\xff\x4f\xff\x51)/],
  ["photoshop", /^8BPS/],
  ["icon", /^\x00\x00\x01\x00/],
  ["pdf", /^%PDF-/],
  ["archive", /^(?:PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!)/],
  ["svg", /^(?:\xef\xbb\xbf)?\s*<(?:.{0,2000}?<)?svg\b/s],
  ["html", /^(?:\xef\xbb\xbf)?\s*<[!?a-zA-Z]/],
];

const CONTROL = /[\0-\x08\x0e-\x1f]/;

// Resolves to the name of a format that the service rejects, or to null.
export async function unsupportedFormat(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const head = String.fromCharCode(...bytes);
  const known = FORMATS.find(([, pattern]) => pattern.test(head));
  if (known) return known[0] === "heic" && limits.heic ? null : known[0];
  return isText(bytes) ? "text" : null;
}

function isText(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return !CONTROL.test(text); // `stream`, because the last character may be truncated.
  } catch {
    return false;
  }
}
