// The size at which the service works on an image: a larger one would gain nothing.

export function fit(width, height, { shortSide, longSide, maxPixels }) {
  const scale = Math.min(
    1,
    shortSide / Math.min(width, height),
    longSide / Math.max(width, height),
    Math.sqrt(maxPixels / (width * height)),
  );
  // What is whole but for a rounding error stays whole.
  const scaled = (side) => Math.max(1, Math.floor(side * scale + 1e-6));
  return { width: scaled(width), height: scaled(height) };
}
