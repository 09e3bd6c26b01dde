// Queue position of an image, polled while the service processes it.

const POLL_INTERVAL_MS = 1000;

export function newQueueTicket() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID requires HTTPS.
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Reports each known position until the returned function is called.
export function pollQueuePosition(ticket, onPosition) {
  let timer = setTimeout(poll, POLL_INTERVAL_MS);

  async function poll() {
    const position = await fetchQueuePosition(ticket);
    if (timer === null) return;
    if (position !== null) onPosition(position);
    timer = setTimeout(poll, POLL_INTERVAL_MS);
  }

  return () => {
    clearTimeout(timer);
    timer = null;
  };
}

async function fetchQueuePosition(ticket) {
  try {
    const response = await fetch(`v1/queue-tickets/${ticket}`);
    return response.ok ? (await response.json()).position : null;
  } catch {
    return null; // The image's own request reports an unreachable service.
  }
}
