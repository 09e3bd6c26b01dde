// The lifecycle of one image: prepare, send, retry while the service is busy, return the cartoon.

import { sendCartoonRequest } from "./cartoon_request.js";
import { countDown } from "./countdown.js";
import { prepareImage } from "./image_preparation.js";
import { Problem, problemFromResponse } from "./problems.js";
import { newQueueTicket, pollQueuePosition } from "./queue_position.js";

// Keeps the prepared image in `photo`, for the next request with the same photo.
// Throws a Problem that is not transient, or the signal's reason.
export async function cartoonize(photo, { limits, style, options, key, signal, on }) {
  if (!photo.image) {
    on.preparing(photo.file);
    photo.image = await prepareImage(photo.file, limits);
    signal.throwIfAborted();
  }
  const { image } = photo;
  if (image.size > limits.maxBytes) throw new Problem("too-many-bytes");

  for (let attempt = 1; ; attempt++) {
    on.sending();
    const ticket = newQueueTicket();
    let stopPolling = () => {};
    const onSent = () => {
      on.cartoonizing();
      stopPolling = pollQueuePosition(ticket, on.queuePosition);
    };
    let response;
    try {
      response = await sendCartoonRequest(image, {
        style, options, key, ticket, signal, onProgress: on.uploadProgress, onSent,
      });
    } finally {
      stopPolling();
    }
    if (response?.status === 200) {
      const faces = Number(response.header("X-Dctnet-Faces"));
      return { image, cartoon: response.body, faces };
    }
    const problem = await problemFromResponse(response);
    if (!problem.isTransient) throw problem;
    on.waiting(problem);
    await countDown(problem.retryAfter, signal, (seconds) => on.countdown(seconds, attempt + 1));
  }
}
