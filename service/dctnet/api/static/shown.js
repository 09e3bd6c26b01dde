// Images that show an image from memory, which is given back when the next one comes.

const urls = new Map();

export function show(id, blob) {
  URL.revokeObjectURL(urls.get(id));
  const url = URL.createObjectURL(blob);
  urls.set(id, url);
  document.getElementById(id).src = url;
  return url;
}
