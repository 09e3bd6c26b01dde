// What the page says in English. A function makes a text of its values.

const mebibytes = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

export default {
  title: "Portrait to cartoon",
  language: "Language",
  model: ({ model }) => `Model: ${model}`,
  privacy: "Images are drawn in memory and stored nowhere.",
  demoNotice: ({ style }) =>
    "This is the demo model that ships with the service. It imitates a classical cartoon filter. " +
    `For a public DCT-Net model, the operator runs “dctnet fetch ${style}” and starts the service again.`,

  chooseImage: "Choose an image",
  inputHint: "Or drop one here, or paste it. A large one is made smaller before it is sent.",
  takePhoto: "Take a photo",
  style: "Style",
  styleTitle: ({ title }) => title,
  sample: ({ title }) => `A portrait in the style ${title}`,

  preparing: "Preparing the image…",
  sending: "Sending the image…",
  queued: "Waiting for its turn…",
  queuePosition: ({ position }) => `Place ${position} in the queue`,
  cartoonizing: "Drawing the cartoon…",
  progress: "Progress",
  countdown: ({ seconds, attempt }) =>
    `Attempt ${attempt} in ${seconds === 1 ? "1 second" : `${seconds} seconds`}`,
  stop: "Stop",
  stopped: "Stopped.",
  retry: "Try again",

  apiKey: "API key",
  apiKeyPattern: "A key has only letters, digits and signs of ASCII.",
  apiKeyHint: "It is kept until you leave this page.",
  submitApiKey: "Draw the image",

  result: "Your cartoon",
  done: ({ seconds, faces }) =>
    `Done in ${seconds} s. ${["No face", "1 face"][faces] ?? `${faces} faces`} found.`,
  original: "The image you chose",
  originalShort: "Original",
  cartoon: "Its cartoon",
  cartoonShort: "Cartoon",
  slider: "How much of the original is shown",
  sliderValue: ({ percent }) => `${percent} % original`,
  download: "Download the cartoon",

  // Named after the type of the problem document.
  "problem-bad-request": "The service did not understand this page. Reload it and try again.",
  "problem-missing-image": "This file is empty. Choose another one.",
  "problem-unauthorized": "This service asks for an API key.",
  "problem-unauthorized-again": "This API key is not valid.",
  "problem-not-found": "The service is not at this address. Reload the page and try again.",
  "problem-method-not-allowed": "The service has changed. Reload the page and try again.",
  "problem-read-timeout": "The image came too slowly. Try again where the connection is better.",
  "problem-too-many-bytes": ({ maxBytes }) =>
    `This file is too large: it may have at most ${mebibytes(maxBytes)} MiB.`,
  "problem-too-many-pixels": "This image has too many pixels. Make it smaller and try again.",
  "problem-unsupported-format":
    "This file is in no format that can be read here. Choose a JPEG, PNG, WebP or AVIF.",
  "problem-damaged-image": "This image is damaged. Choose another one.",
  "problem-unknown-style": "The service has another style now. Choose one and try again.",
  "problem-bad-parameter": "The service cannot draw this as it was asked to. Reload the page and try again.",
  "problem-overloaded": "Many people are waiting. Your image is sent again by itself; keep this page open.",
  "problem-client-disconnected": "The connection was lost before the cartoon was ready. Try again.",
  "problem-internal-error": ({ id }) => `The service failed. Whoever runs it finds the reason under ${id}.`,
  "problem-starting": "The service is starting. Your image is sent again by itself.",
  "problem-out-of-memory": "The service has no memory left for this image. Try again in a moment.",
  "problem-draining": "The service is being restarted. Your image is sent again by itself.",
  "problem-deadline-exceeded": "The cartoon was not ready in time. Try again.",
  // Those of no such document.
  "problem-unavailable": "The service cannot be used right now. Your image is sent again by itself.",
  "problem-unreachable": "The service cannot be reached. Check the connection and try again.",
  "problem-unknown": ({ status, detail }) => `The service answered with status ${status}. ${detail}`,
};
