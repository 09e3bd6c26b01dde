// Working size: the largest size at which the service processes an image of these dimensions.

export function workingSize(width, height, { shortSide, longSide, maxPixels }) {
  const scale = Math.min(
    1,
    shortSide / Math.min(width, height),
    longSide / Math.max(width, height),
    Math.sqrt(maxPixels / (width * height)),
  );
  // Corrects rounding errors of floating-point arithmetic before rounding down.
  const scaled = (side) => Math.max(1, Math.floor(side * scale + 1e-6));
  return { width: scaled(width), height: scaled(height) };
}
