// HTTP request for a cartoon. Uses XMLHttpRequest, because `fetch` reports no upload progress.

// At quality 95 a JPEG looks the same as a PNG, which is five times as large.
const FORMAT = "jpeg";

// Resolves to a response of any status, or to null when no response arrived.
export function sendCartoonRequest(image, { style, options, key, ticket, signal, onProgress, onSent }) {
  return new Promise((resolve, reject) => {
    const parameters = new URLSearchParams({ format: FORMAT, ...(style && { style }), ...options });
    const request = new XMLHttpRequest();
    request.open("POST", `v1/cartoons?${parameters}`);
    request.responseType = "blob";
    request.setRequestHeader("X-Dctnet-Queue-Ticket", ticket);
    // Leaves `Authorization` free for a proxy's password.
    if (key !== null) request.setRequestHeader("X-Api-Key", key);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (total > 0) onProgress(loaded / total);
    });
    request.upload.addEventListener("load", onSent);
    request.addEventListener("load", () => resolve(toResponse(request)));
    request.addEventListener("error", () => resolve(null));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort());
    request.send(image);
  });
}

function toResponse(request) {
  return {
    status: request.status,
    header: (name) => request.getResponseHeader(name),
    body: request.response,
  };
}
