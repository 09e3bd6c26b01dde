// The lifecycle of one image: prepare, send, retry while the service is busy, return the cartoon.

import { sendCartoonRequest } from "./cartoon_request.js";
import { countDown } from "./countdown.js";
import { readDraggedUrl } from "./dragged_image.js";
import { unsupportedFormat } from "./image_format.js";
import { prepareImage } from "./image_preparation.js";
import { Problem, problemFromResponse } from "./problems.js";
import { newQueueTicket, pollQueuePosition } from "./queue_position.js";

// Keeps the prepared image and its size in `photo`, for the next request with the same photo.
// Throws a Problem that is not transient, or the signal's reason.
export async function cartoonize(photo, { limits, style, options, key, signal, on }) {
  if (!photo.image) {
    photo.file ??= await readDraggedUrl(photo.url);
    on.preparing(photo.file);
    Object.assign(photo, await prepareImage(photo.file, limits));
    signal.throwIfAborted();
  }
  const { image } = photo;
  if (image.size > limits.maxBytes) {
    const format = await unsupportedFormat(image);
    throw new Problem(format ? "unsupported-format" : "too-many-bytes", { format });
  }

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
      return { cartoon: response.body, faces };
    }
    const problem = await problemFromResponse(response);
    if (problem.slug === "unsupported-format") problem.values.format = await unsupportedFormat(image);
    if (!problem.isTransient) throw problem;
    on.waiting(problem);
    await countDown(problem.retryAfter, signal, (seconds) => on.countdown(seconds, attempt + 1));
  }
}
