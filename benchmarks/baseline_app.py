"""A service as guides have it: the model is loaded at import, and the handler draws.

    gunicorn --workers 4 benchmarks.baseline_app:app

The engine and the codecs are dctnet's, so that only the process model differs. It bounds nothing.
"""

import os

from flask import Flask, Response, request

from dctnet.config import Settings
from dctnet.imaging import decode, encode
from dctnet.model_loading import load_engine
from dctnet.server import malloc

READY = "ready"
"""What each worker prints, as a line, when it has loaded."""

malloc.limit_retained_memory()
settings = Settings.from_environment(os.environ)
engine, _ = load_engine(settings)
engine.reserve(settings.slots)  # As a replica does: what the largest images take.
app = Flask(__name__)


@app.post("/v1/cartoons")
def cartoons() -> Response:
    """Draw the image in the body."""
    cartoon = engine.cartoonize(decode(request.get_data(), settings.max_pixels))
    return Response(encode(cartoon.image, "png"), content_type="image/png")


@app.get("/health")
def health() -> dict[str, object]:
    """Say that all is well, without looking."""
    return {"status": "healthy", "model_loaded": True}


print(READY, flush=True)
