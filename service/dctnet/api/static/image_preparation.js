// Converts a file to the image that is sent: upright, at the working size, without metadata.

import { workingSize } from "./working_size.js";

const JPEG_QUALITY = 0.92;
const SUPPORTED_TYPES = new Set(["image/jpeg", "image/png", "image/webp", "image/avif"]);

// Resolves to the `image`, and, unless the browser cannot decode it, to the photo's `width` and
// `height` and the `scale` at which the service looks for faces.
export async function prepareImage(file, limits) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return { image: file }; // The service may support a format that this browser does not.
  }
  try {
    const { width, height } = bitmap;
    const size = workingSize(width, height, limits);
    const isSmall = size.width === width && size.height === height;
    const isKept = isSmall && SUPPORTED_TYPES.has(file.type) && file.size <= limits.maxBytes;
    const image = isKept ? file : ((await encodeJpeg(bitmap, size)) ?? file);
    return { image, width, height, scale: size.width / width };
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
