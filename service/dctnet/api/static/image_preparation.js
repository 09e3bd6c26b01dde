// Converts a file to the image that is sent: upright, at the working size, without metadata.

import { workingSize } from "./working_size.js";

const JPEG_QUALITY = 0.92;
const SUPPORTED_TYPES = new Set(["image/jpeg", "image/png", "image/webp", "image/avif"]);

export async function prepareImage(file, limits) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // The service may support a format that this browser does not.
  }
  try {
    const size = workingSize(bitmap.width, bitmap.height, limits);
    const isSmall = size.width === bitmap.width && size.height === bitmap.height;
    if (isSmall && SUPPORTED_TYPES.has(file.type) && file.size <= limits.maxBytes) return file;
    return (await encodeJpeg(bitmap, size)) ?? file;
  } finally {
    bitmap.close();
  }
}

function encodeJpeg(bitmap, { width, height }) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff"; // The service blends transparency with white, too.
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
}
