// Limits of the service, from the page's `data-` attributes: sides in pixels, sizes in bytes; and
// whether it decodes HEIC, 0 or 1.

export const limits = Object.fromEntries(
  Object.entries(document.body.dataset).map(([name, value]) => [name, Number(value)]),
);
