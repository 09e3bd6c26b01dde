"""``GET /v1/styles/STYLE/sample``: a portrait in the style, as drawn when the replica started."""

import hashlib
from collections.abc import Callable
from io import BytesIO

from flask import Response, abort, send_file

from dctnet.lifecycle.warm_up import SAMPLE_MEDIA_TYPE
from dctnet.replica import Replica


def style_sample_view(replica: Replica) -> Callable[[str], Response]:
    """Make the view function, which sends the sample from memory."""

    def sample(style: str) -> Response:
        if style not in replica.samples:
            abort(404, f"The style {style!r} has no sample.")
        content = replica.samples[style]
        etag = hashlib.sha256(content).hexdigest()
        name = f"{style}.webp"
        file = BytesIO(content)
        return send_file(file, mimetype=SAMPLE_MEDIA_TYPE, download_name=name, etag=etag)

    return sample
