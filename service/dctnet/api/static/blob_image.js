// Shows a blob in an image element, and releases the memory of the previous one.

const urls = new Map();

export function showBlob(id, blob) {
  URL.revokeObjectURL(urls.get(id));
  const url = URL.createObjectURL(blob);
  urls.set(id, url);
  document.getElementById(id).src = url;
  return url;
}
