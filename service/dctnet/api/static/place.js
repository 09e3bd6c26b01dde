// An image's place in the queue, asked for while the service has it.

const PERIOD_MS = 1000;

export function newTicket() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is for HTTPS alone.
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Tells each place that is learnt, until what it returns is called.
export function follow(ticket, onPlace) {
  let timer = setTimeout(ask, PERIOD_MS);

  async function ask() {
    const place = await placeOf(ticket);
    if (timer === null) return;
    if (place !== null) onPlace(place);
    timer = setTimeout(ask, PERIOD_MS);
  }

  return () => {
    clearTimeout(timer);
    timer = null;
  };
}

async function placeOf(ticket) {
  try {
    const answer = await fetch(`v1/queue-tickets/${ticket}`);
    return answer.ok ? (await answer.json()).position : null;
  } catch {
    return null; // The image's own request tells whether the service is there.
  }
}
