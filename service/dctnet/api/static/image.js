// From a file to what is sent: upright, no larger than the service works at, without metadata.

import { fit } from "./size.js";

const QUALITY = 0.92;
const SERVED = new Set(["image/jpeg", "image/png", "image/webp", "image/avif"]);

export async function prepare(file, limits) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // The service may know a format that this browser does not, and else says so.
  }
  try {
    const size = fit(bitmap.width, bitmap.height, limits);
    const isSmall = size.width === bitmap.width && size.height === bitmap.height;
    if (isSmall && SERVED.has(file.type) && file.size <= limits.maxBytes) return file;
    return (await encode(bitmap, size)) ?? file;
  } finally {
    bitmap.close();
  }
}

function encode(bitmap, { width, height }) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff"; // On which the service lays what is transparent, too.
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
