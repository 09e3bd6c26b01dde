"""Baseline Flask app: loads the model at import and runs inference in the handler.

    gunicorn --workers 4 benchmarks.baseline_app:app

Engine and codecs are dctnet's, so that only the process model differs. It has no admission control.
"""

import os

from flask import Flask, Response, request

from dctnet import malloc
from dctnet.config import Settings
from dctnet.imaging import decode, encode
from dctnet.model_loading import load_engine

READY = "ready"
"""Line that each worker prints when its model is loaded."""

malloc.limit_retained_memory()
settings = Settings.from_environment(os.environ)
engine = load_engine(settings)
engine.require_memory(settings.slots)  # As a replica does.
app = Flask(__name__)


@app.post("/v1/cartoons")
def cartoons() -> Response:
    """Return the cartoon of the image in the body."""
    cartoon = engine.cartoonize(decode(request.get_data(), settings.max_pixels))
    return Response(encode(cartoon.image, "png"), content_type="image/png")


@app.get("/health")
def health() -> dict[str, object]:
    """Return a static status, as in common guides."""
    return {"status": "healthy", "model_loaded": True}


print(READY, flush=True)
