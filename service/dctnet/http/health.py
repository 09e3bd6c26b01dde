"""``GET /health``: whether the model is loaded, so that pictures can be drawn."""

from collections.abc import Callable
from concurrent.futures import Future

from flask import Response, jsonify

from dctnet.http.drawing import Cartoonist


def view(engine: Future[Cartoonist]) -> Callable[[], Response]:
    """Make the view function."""

    def health() -> Response:
        loaded = engine.done()
        response = jsonify(status="healthy" if loaded else "starting", model_loaded=loaded)
        response.status_code = 200 if loaded else 503
        return response

    return health
