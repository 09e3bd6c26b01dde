"""``POST /v1/cartoons``."""

import re
import tempfile
import tracemalloc
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from dctnet.admission import Admission
from dctnet.arrays import Pixels
from dctnet.cartoon_options import MAX_SIZE, MIN_SIZE
from dctnet.config import MIB
from dctnet.engine import Cartoon
from dctnet.memory import KEPT_ALPHA_FACTOR
from tests.api.conftest import MAX_BYTES, MAX_PIXELS, BlockingEngine, client_of, require_problem
from tests.support.encoded_images import decoded, encoded, format_variants, gradient

IMAGE = gradient(40, 24)


def post(client: FlaskClient, data: bytes = encoded(IMAGE), **parameters: str | list[str]) -> Any:
    return client.post("/v1/cartoons", data=data, query_string=parameters)


@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
def test_response_is_the_cartoon_with_no_store(client):
    for response in (
        post(client),
        post(client, style="tiny"),
    ):  # The default, and the loaded style by name.
        assert response.status_code == 200
        assert response.content_type == "image/png"
        assert response.headers["Cache-Control"] == "no-store"
        np.testing.assert_array_equal(decoded(response.data), 255 - IMAGE)


def test_image_may_be_a_form_field(client):
    form = {"file": (BytesIO(encoded(IMAGE)), "me.png"), "strength": "1"}
    response = client.post("/v1/cartoons", data=form)
    np.testing.assert_array_equal(decoded(response.data), 255 - IMAGE)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_response_has_the_requested_format(client, format):
    response = post(client, format=format)
    assert response.content_type == f"image/{format}"
    assert np.abs(decoded(response.data).astype(int) - (255 - IMAGE)).mean() < 3


@pytest.mark.promise("Input: an image of any allowed kind comes back upright and at its own size")
@pytest.mark.parametrize("kind", format_variants())
def test_cartoon_has_the_displayed_size_of_any_image_kind(client, kind):
    response = post(client, format_variants()[kind])
    assert response.status_code == 200
    assert decoded(response.data).shape == (40, 24, 3)


@pytest.mark.promise("Input: an image of any allowed kind comes back upright and at its own size")
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (3000, 1), (300, 300)])
def test_cartoon_has_the_image_size(client, height, width):
    response = post(client, encoded(gradient(height, width)))
    assert decoded(response.data).shape == (height, width, 3)


@pytest.mark.parametrize(("level", "faces"), [(255, "1"), (0, "0")])
def test_model_and_faces_headers(client, level, faces):
    response = post(client, encoded(np.full((256, 256, 3), level, np.uint8)))
    assert response.headers["X-Dctnet-Model"] == "tiny@v1"
    assert response.headers["X-Dctnet-Faces"] == faces
    red = (decoded(response.data) == (255, 0, 0)).all(axis=2)
    assert red.any() == (faces == "1")


def test_server_timing_header(client):
    timing = post(client).headers["Server-Timing"]
    entries = re.findall(r"(\w+);dur=(\d+\.\d)(?:, |$)", timing)
    stages = ["queue", "decode", "background", "faces", "head", "blend", "encode"]
    assert [stage for stage, _ in entries] == stages
    assert 0 < sum(float(duration) for _, duration in entries) < 60_000


@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
def test_upload_is_not_written_to_a_file(settings, tmp_path, monkeypatch):
    """Werkzeug writes uploads of more than 500 kB to a file by default."""
    client = client_of(replace(settings, max_body_bytes=2_000_000))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # Writing would fail.
    image = FileStorage(BytesIO(padded(1_000_000)), "me.png", "file")
    boundary, form = encode_multipart({"file": image})
    response = client.post(
        "/v1/cartoons", data=form, content_type=f"multipart/form-data; boundary={boundary}"
    )
    assert response.status_code == 200


def test_missing_image_is_400(client):
    for response in (
        client.post("/v1/cartoons"),
        post(client, b""),
        client.post("/v1/cartoons", data={"file": (BytesIO(b""), "empty.png")}),
    ):
        assert "field `file`" in require_problem(response, 400, "missing-image")


@pytest.mark.parametrize("data", [b"hello", encoded(IMAGE, "GIF"), bytes(1000)])
def test_unsupported_format_is_415(client, data):
    assert "JPEG, PNG, WebP or AVIF" in require_problem(
        post(client, data), 415, "unsupported-format"
    )


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_truncated_image_is_422(client, format):
    data = encoded(IMAGE, format)
    require_problem(post(client, data[: len(data) // 2]), 422, "damaged-image")


def padded(size: int) -> bytes:
    """Image of exactly this many bytes."""
    data = encoded(IMAGE)
    return data + bytes(size - len(data))


def of_size(client: FlaskClient, size: int) -> list[TestResponse]:
    """Send an image of this many bytes: with a length, in a form, and chunked as by Gunicorn."""
    data = padded(size)
    unsized = {"wsgi.input": BytesIO(data), "wsgi.input_terminated": True}
    return [
        post(client, data),
        client.post("/v1/cartoons", data={"file": (BytesIO(data), "me.png")}),
        client.post("/v1/cartoons", environ_overrides=unsized),
    ]


def test_max_body_bytes_is_exact(client):
    assert [response.status_code for response in of_size(client, MAX_BYTES)] == [200] * 3
    for response in of_size(client, MAX_BYTES + 1):
        assert f"at most {MAX_BYTES} bytes" in require_problem(response, 413, "too-many-bytes")


def test_form_overhead_is_limited(client):
    form = {"file": (BytesIO(padded(MAX_BYTES)), "me.png"), "other": (BytesIO(bytes(70_000)), "x")}
    require_problem(client.post("/v1/cartoons", data=form), 413, "too-many-bytes")


def test_max_pixels_is_exact(client):
    assert post(client, encoded(np.zeros((1, MAX_PIXELS, 3), np.uint8))).status_code == 200
    one_more = post(client, encoded(np.zeros((1, MAX_PIXELS + 1, 3), np.uint8)))
    detail = require_problem(one_more, 413, "too-many-pixels")
    assert f"{MAX_PIXELS + 1} pixels; at most {MAX_PIXELS} are allowed" in detail


@pytest.mark.parametrize("style", ["anime", "", "TINY"])
def test_unknown_style_is_422(client, style):
    detail = require_problem(post(client, style=style), 422, "unknown-style")
    assert detail == f"The style {style!r} is not loaded; these are: tiny."


def test_jpg_is_jpeg(client):
    assert post(client, format="jpg").content_type == "image/jpeg"


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("image/webp", "webp"),
        ("image/jpeg;q=0.5, image/webp;q=0.4", "jpeg"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("application/json", "png"),
        ("text/html,image/avif,image/webp,*/*;q=0.8", "webp"),
    ],
)
def test_accept_decides_without_a_format(client, accept, format):
    headers = {"Accept": accept}
    response = client.post("/v1/cartoons", data=encoded(IMAGE), headers=headers)
    assert response.content_type == f"image/{format}"
    response = client.post("/v1/cartoons?format=jpeg", data=encoded(IMAGE), headers=headers)
    assert response.content_type == "image/jpeg"


@pytest.mark.parametrize("format", ["gif", "", "PNG", "jpg\n"])
def test_unknown_format_is_422(client, format):
    detail = require_problem(post(client, format=format), 422, "bad-parameter")
    assert detail == f"The format {format!r} is none of png, jpeg, webp."


def test_image_too_long_for_the_format_is_422(client):
    data = encoded(np.zeros((1, 20_000, 3), np.uint8))
    assert post(client, data, format="png").status_code == 200
    detail = require_problem(post(client, data, format="webp"), 422, "bad-parameter")
    assert "at most 16383 on a side" in detail


@pytest.mark.parametrize("seconds", ["5", "5.5", "0.5e1", "1e400"])
def test_request_timeout_is_a_json_number(client, seconds):
    headers = {"X-Request-Timeout": seconds}
    assert client.post("/v1/cartoons", data=encoded(IMAGE), headers=headers).status_code == 200


@pytest.mark.parametrize("seconds", ["0", "-1", "+5", "1_0", "inf", "nan", ""])
def test_invalid_request_timeout_is_422(client, seconds):
    headers = {"X-Request-Timeout": seconds}
    response = client.post("/v1/cartoons", data=encoded(IMAGE), headers=headers)
    require_problem(response, 422, "bad-parameter")


@pytest.mark.parametrize("strength", ["0", "0.25", "5e-1", "1"])
def test_strength_mixes_cartoon_and_image(client, strength):
    mixed = float(strength) * (255.0 - IMAGE) + (1 - float(strength)) * IMAGE
    found = decoded(post(client, strength=strength).data)
    assert np.abs(found - mixed).max() <= (0 if strength in {"0", "1"} else 1)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (str(MIN_SIZE), (16, 10)),
        ("39", (39, 23)),
        ("40", (40, 24)),
        (str(MAX_SIZE), (40, 24)),  # Never enlarged.
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "turned JPEG"])
def test_size_limits_the_longest_side_of_the_upright_cartoon(client, kind, size, shape):
    response = post(client, format_variants()[kind], size=size)
    assert decoded(response.data).shape == (*shape, 3)


@pytest.mark.parametrize(
    "parameters",
    [
        *({"strength": value} for value in ("-0.01", "1.01", "", "nan", "inf", "1e400", "0.5\n")),
        *({"size": str(value)} for value in (MIN_SIZE - 1, MAX_SIZE + 1, "", "1e2", "100.0")),
        {"strength": ["0.5", "0.5"]},
        {"size": ["100", "100"]},
    ],
    ids=str,
)
def test_invalid_strength_or_size_is_rejected_before_the_body_is_read(client, parameters):
    body = BytesIO(encoded(IMAGE))
    response = client.post(
        "/v1/cartoons",
        query_string=parameters,
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
    )
    require_problem(response, 422, "bad-parameter")
    assert body.tell() == 0


def test_size_brings_a_long_image_below_the_limit_of_the_format(client):
    data = encoded(np.zeros((1, 20_000, 3), np.uint8))
    response = post(client, data, format="webp", size="16383")
    assert decoded(response.data).shape == (1, 16_383, 3)
    require_problem(post(client, data, format="webp", size="16384"), 422, "bad-parameter")


def test_size_counts_in_the_predicted_service_time(settings, monkeypatch):
    client = client_of(settings)
    costs: list[float] = []
    submit = Admission.submit

    def record(admission: Admission, *arguments: Any, cost: float, **others: Any) -> Any:
        costs.append(cost)
        return submit(admission, *arguments, cost=cost, **others)

    monkeypatch.setattr(Admission, "submit", record)
    post(client, size="16")
    post(client)
    assert costs[0] < costs[1]


def cutout(height: int = 40, width: int = 24) -> np.ndarray:
    """Return a gradient that fades from transparent to opaque, HxWx4 uint8 RGBA."""
    alpha = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    return np.dstack([gradient(height, width), alpha])


@pytest.mark.parametrize(
    ("background", "colour"), [("ff8800", (255, 136, 0)), ("#000", (0, 0, 0)), (None, (255,) * 3)]
)
def test_transparency_is_composited_on_the_background(client, background, colour):
    image = np.zeros((16, 16, 4), np.uint8)
    image[:, 8:] = 20, 30, 40, 255
    parameters = {"background": background} if background else {}
    found = decoded(post(client, encoded(image), **parameters).data)
    assert found[0, 0].tolist() == [255 - value for value in colour]
    assert found[0, 15].tolist() == [235, 225, 215]


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("size", [40, 20])
def test_kept_transparency_is_that_of_the_image(client, format, size):
    data = encoded(cutout())
    response = post(client, data, background="keep", format=format, size=str(size))
    image = Image.open(BytesIO(response.data))
    assert image.mode == "RGBA"
    found = np.asarray(image).astype(int)
    expected = Image.fromarray(cutout()[..., 3]).resize(image.size, Image.Resampling.BOX)
    assert np.abs(found[..., 3] - np.asarray(expected)).max() <= 1
    on_white = decoded(post(client, data, format=format, size=str(size)).data)
    mostly_opaque = found[..., 3] > 200
    alpha = found[mostly_opaque, 3:] / 255
    composite = alpha * found[mostly_opaque, :3] + (1 - alpha) * 255
    assert np.abs(composite - on_white[mostly_opaque]).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_opaque_image_has_no_transparency_to_keep(client, kind):
    response = post(client, format_variants()[kind], background="keep")
    assert Image.open(BytesIO(response.data)).mode == "RGB"


def test_transparency_follows_the_orientation(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(cutout()).transpose(Image.Transpose.ROTATE_90)
    data = encoded(turned, "WEBP", lossless=True, exact=True, exif=exif)
    found = np.asarray(Image.open(BytesIO(post(client, data, background="keep").data)))
    np.testing.assert_array_equal(found[..., 3], cutout()[..., 3])


def test_keep_needs_a_format_with_transparency(client):
    detail = require_problem(post(client, background="keep", format="jpeg"), 422, "bad-parameter")
    assert (
        detail == "The format jpeg has no transparency for background=keep; these have: png, webp."
    )


def test_image_whose_transparency_is_kept_counts_fourfold(client):
    side = int((MAX_PIXELS / KEPT_ALPHA_FACTOR) ** 0.5)
    assert post(client, encoded(cutout(side, side)), background="keep").status_code == 200
    data = encoded(cutout(side + 1, side + 1))
    detail = require_problem(post(client, data, background="keep"), 413, "too-many-pixels")
    assert detail.endswith(
        "at most 22500 are allowed. An image whose transparency is kept counts 4-fold."
    )
    assert post(client, data).status_code == 200


@pytest.mark.parametrize("as_form", [False, True])
def test_file_is_freed_before_encoding(settings, as_form):
    """The encoders need most memory."""
    traced: list[int] = []

    class Tracing(BlockingEngine):
        def cartoonize(self, image: Pixels, /, *options: object) -> Cartoon:
            traced.append(tracemalloc.get_traced_memory()[0])
            return Cartoon(image, 0, {"background": 0.01})

    length = 8 * MIB
    large = replace(settings, slots=1, max_body_bytes=length)
    client = client_of(large, engine=Tracing())
    data = encoded(Image.fromarray(gradient(40, 24)), "JPEG")
    padded = data + bytes(length - len(data))
    body = {"file": FileStorage(BytesIO(padded), "a.jpg")} if as_form else padded
    tracemalloc.start()
    try:
        response = client.post("/v1/cartoons", data=body)
    finally:
        tracemalloc.stop()
    assert response.status_code == 200
    assert traced[-1] < length / 2
