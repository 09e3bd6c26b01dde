"""``GET /health``: health of the server, for existing clients of this route."""

from collections.abc import Callable

from flask import Response, jsonify

from dctnet.lifecycle.state import Lifecycle


def health_view(lifecycle: Lifecycle) -> Callable[[], Response]:
    """Make the view function."""

    def health() -> Response:
        serving = lifecycle.is_serving
        status = "healthy" if serving else str(lifecycle.state)
        response = jsonify(status=status, model_loaded=lifecycle.was_ready)
        response.status_code = 200 if serving else 503
        return response

    return health
