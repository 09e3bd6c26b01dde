"""``GET /v1/styles/STYLE/sample``: the model's golden output."""

import hashlib
from collections.abc import Callable
from io import BytesIO

from flask import Response, abort, send_file

from dctnet.models.folder import GOLDEN_OUTPUT, ModelFolder


def style_sample_view(model: ModelFolder) -> Callable[[str], Response]:
    """Make the view function, which sends the verified bytes from memory."""
    content = model.sample
    etag = hashlib.sha256(content or b"").hexdigest()

    def sample(style: str) -> Response:
        if style != model.style or content is None:
            abort(404, f"The style {style!r} has no sample.")
        file = BytesIO(content)
        return send_file(file, mimetype="image/png", download_name=GOLDEN_OUTPUT, etag=etag)

    return sample
