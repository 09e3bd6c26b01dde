// The way of one image: prepared, sent, sent again while the service is busy, drawn.

import { prepare } from "./image.js";
import { follow, newTicket } from "./place.js";
import { Problem, problemOf } from "./problems.js";
import { send } from "./request.js";
import { wait } from "./wait.js";

// Throws a Problem that does not pass by itself, or the signal's reason.
export async function draw(file, { limits, style, key, signal, on }) {
  on.preparing(file);
  const image = await prepare(file, limits);
  signal.throwIfAborted();
  if (image.size > limits.maxBytes) throw new Problem("too-many-bytes");

  for (let attempt = 1; ; attempt++) {
    on.sending();
    const ticket = newTicket();
    let unfollow = () => {};
    const onSent = () => {
      on.drawing();
      unfollow = follow(ticket, on.place);
    };
    let answer;
    try {
      answer = await send(image, { style, key, ticket, signal, onProgress: on.progress, onSent });
    } finally {
      unfollow();
    }
    if (answer?.status === 200) {
      const faces = Number(answer.header("X-Dctnet-Faces"));
      return { image, cartoon: answer.body, faces };
    }
    const problem = await problemOf(answer);
    if (!problem.passes) throw problem;
    on.waiting(problem);
    await wait(problem.retryAfter, signal, (seconds) => on.second(seconds, attempt + 1));
  }
}
