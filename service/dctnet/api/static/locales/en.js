// English texts of the web UI. A function formats a text with its values.

const mebibytes = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

const FORMATS = {
  video: "a video or sound",
  gif: "a GIF image",
  bmp: "a BMP image",
  tiff: "a TIFF image or a raw photo",
  jpegXl: "a JPEG XL image",
  jpeg2000: "a JPEG 2000 image",
  photoshop: "a Photoshop image",
  icon: "an icon",
  pdf: "a PDF document",
  archive: "an archive",
  svg: "an SVG image",
  html: "an HTML or XML document",
  text: "text",
};

const photoName = ({ number, total, name }) => `Photo ${number} of ${total}: ${name}`;

export default {
  title: "Portrait to cartoon",
  language: "Language",
  models: ({ models }) => `Models: ${models}`,
  privacy: "Photos are processed in memory and never stored.",
  shippedNotice:
    "These styles ship with the service and imitate classical filters. " +
    "To use the public DCT-Net models, the operator runs “dctnet fetch --all” and “dctnet prepare --all”, " +
    "and restarts the service.",

  chooseImage: "Choose a photo",
  inputHint: "Or drop it here, or paste it; several at once, too. Large photos are resized before the upload.",
  takePhoto: "Take a photo",
  style: "Style",
  styleTitle: ({ title }) => title,
  strength: "Strength",
  strengthValue: ({ percent }) => `${percent} %`,
  size: "Size",
  largestSize: "Largest",
  sizeOption: ({ pixels }) => `At most ${pixels} pixels`,
  sample: ({ title }) => `Sample portrait in the style ${title}`,

  preparing: "Preparing the photo…",
  sending: "Uploading the photo…",
  queued: "Waiting in the queue…",
  queuePosition: ({ position }) => `Queue position: ${position}`,
  cartoonizing: "Creating the cartoon…",
  progress: "Progress",
  countdown: ({ seconds, attempt }) =>
    `Attempt ${attempt} in ${seconds === 1 ? "1 second" : `${seconds} seconds`}`,
  photos: "Photos",
  photoName,
  "photo-waiting": "Waiting",
  "photo-in-progress": "In progress",
  "photo-done": "Done",
  "photo-failed": "Failed",
  stop: "Stop",
  stopped: "Stopped.",
  retry: "Try again",

  apiKey: "API key",
  apiKeyPattern: "An API key contains only ASCII letters, digits and symbols.",
  apiKeyHint: "Kept in memory until you leave this page.",
  submitApiKey: "Cartoonize",

  result: "Your cartoon",
  done: ({ seconds, faces, ...photo }) =>
    (photo.total > 1 ? `${photoName(photo)}. ` : "") +
    `Done in ${seconds} s. ${["No face", "1 face"][faces] ?? `${faces} faces`} found.`,
  faceSize: ({ width, height, side }) =>
    `In this photo of ${width} × ${height} pixels, a face must be more than ${side} pixels high.`,
  original: "Your photo",
  originalShort: "Original",
  cartoon: "Cartoon of your photo",
  cartoonShort: "Cartoon",
  slider: "Visible part of the original",
  sliderValue: ({ percent }) => `${percent} % original`,
  download: "Download the cartoon",

  // Keys end with the slug of the problem type.
  "problem-bad-request": "The service rejected the request of this page. Reload the page and try again.",
  "problem-missing-image": "This file is empty. Choose another one.",
  "problem-unauthorized": "This service requires an API key.",
  "problem-unauthorized-again": "This API key is not valid.",
  "problem-not-found": "The service was not found at this address. Reload the page and try again.",
  "problem-method-not-allowed": "The service has changed. Reload the page and try again.",
  "problem-read-timeout": "The upload was too slow. Try again with a better connection.",
  "problem-too-many-bytes": ({ maxBytes }) =>
    `This file is too large: the limit is ${mebibytes(maxBytes)} MiB.`,
  "problem-too-many-pixels": "This photo has too many pixels. Resize it and try again.",
  "problem-unsupported-format": ({ format }) => {
    if (format === "heic") {
      return "This is a HEIC image. On an iPhone, choose Most Compatible in Settings, Camera, Formats; " +
        "or export the photo as JPEG.";
    }
    const file = format ? `This is ${FORMATS[format]}, which` : "This file format";
    return `${file} is not supported. Choose a JPEG, PNG, WebP or AVIF file.`;
  },
  "problem-damaged-image": "This photo is damaged. Choose another one.",
  "problem-unknown-style": "The service has another style now. Choose one and try again.",
  "problem-bad-parameter": "The service rejected a parameter of this page. Reload the page and try again.",
  "problem-overloaded":
    "Many people are waiting. Your photo is sent again automatically; keep this page open.",
  "problem-client-disconnected": "The connection was lost before the cartoon was ready. Try again.",
  "problem-internal-error": ({ id }) =>
    `The service failed. Its operator finds the reason in the log under ${id}.`,
  "problem-starting": "The service is starting. Your photo is sent again automatically.",
  "problem-out-of-memory": "The service has too little memory for this photo. Try again in a moment.",
  "problem-draining": "The service is restarting. Your photo is sent again automatically.",
  "problem-deadline-exceeded": "The cartoon was not ready in time. Try again.",
  // Problems without a problem document.
  "problem-dragged-image":
    "This page cannot read images from other websites. Save the image, then drop the file here.",
  "problem-unavailable": "The service is unavailable. Your photo is sent again automatically.",
  "problem-unreachable": "The service cannot be reached. Check the connection and try again.",
  "problem-unknown": ({ status, detail }) => `The service responded with status ${status}. ${detail}`,
};
