"""Forms as clients write them, and what is said about wrong ones."""

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from dctnet.api.multipart import MAX_BOUNDARY_LENGTH, MAX_PARTS
from dctnet.api.upload_body import IMAGE_FIELDS
from dctnet.shared_limits import FORM_OVERHEAD_BYTES
from tests.api.conftest import MAX_BYTES, require_problem
from tests.support.encoded_images import decoded, encoded, gradient

IMAGE = gradient(40, 24)
DATA = encoded(IMAGE)
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


def part(disposition: str | bytes, data: bytes = DATA, headers: bytes = b"") -> bytes:
    if isinstance(disposition, str):
        disposition = disposition.encode()
    return b"--%s\r\nContent-Disposition: form-data; %s\r\n%s\r\n%s\r\n" % (
        BOUNDARY.encode(),
        disposition,
        headers,
        data,
    )


def field(name: str, text: str) -> bytes:
    return part(f'name="{name}"', text.encode())


def post(
    client: FlaskClient, *parts: bytes, path: str = "/v1/cartoons", end: str = "--\r\n"
) -> Any:
    return client.post(
        path,
        data=b"".join(parts) + f"--{BOUNDARY}{end}".encode(),
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
    )


def require_cartoon(response: Any) -> None:
    assert response.status_code == 200, response.text
    np.testing.assert_array_equal(decoded(response.data), 255 - IMAGE)


@pytest.mark.parametrize("path", ["/v1/cartoons", "/upload"])
@pytest.mark.parametrize("name", IMAGE_FIELDS)
@pytest.mark.parametrize(
    "file_name",
    [
        '; filename="me.jpg"',
        "",
        '; filename=""',
        "; filename*=UTF-8''%e6%88%91.jpg",
        '; filename="a\\"b.jpg"',
    ],
)
def test_image_counts_with_any_file_name_or_none(client, path, name, file_name):
    require_cartoon(post(client, part(f'name="{name}"{file_name}'), path=path))


@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "utf-16"])
def test_file_name_in_any_encoding(client, encoding):
    name = b'name="file"; filename="' + "p\u00e9\u6211.jpg".encode(encoding, "replace") + b'"'
    require_cartoon(post(client, part(name)))


def test_headers_of_a_part_do_not_matter(client):
    headers = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n"
    require_cartoon(post(client, part('name="file"', headers=headers)))


def test_large_image_without_a_file_name(client):
    data = DATA + bytes(MAX_BYTES - len(DATA))
    require_cartoon(post(client, part('name="file"', data)))
    response = post(client, part('name="file"', data + b"x"))
    assert f"at most {MAX_BYTES} bytes" in require_problem(response, 413, "too-many-bytes")


def test_empty_parts_do_not_count(client):
    empty = part('name="file"; filename=""', b"")
    require_cartoon(post(client, empty, part('name="file"'), empty))
    require_problem(post(client, empty), 400, "missing-image")
    require_problem(post(client), 400, "missing-image")


@pytest.mark.parametrize("names", [("file", "file"), ("file", "image"), ("image", "photo")])
def test_two_images_are_422(client, names):
    detail = require_problem(
        post(client, *(part(f'name="{name}"') for name in names)), 422, "bad-parameter"
    )
    assert detail == "The form has 2 images: send one request for each."


def test_parameters_may_be_fields(client):
    parameters = {"style": "tiny", "format": "webp", "strength": "0", "size": "20"}
    fields = [field(*item) for item in parameters.items()]
    response = post(client, *fields[:2], part('name="file"'), *fields[2:])
    assert response.content_type == "image/webp"
    assert response.headers["X-Dctnet-Style"] == "tiny"
    assert decoded(response.data).shape == (20, 12, 3)


def test_parameter_in_query_and_form(client):
    image, format = part('name="file"'), field("format", "webp")
    response = post(client, image, format, path="/v1/cartoons?format=webp")
    assert response.content_type == "image/webp"
    response = post(client, image, format, path="/v1/cartoons?format=png")
    detail = require_problem(response, 422, "bad-parameter")
    assert detail == "The query has format='png' and the form 'webp'; send one."
    detail = require_problem(post(client, image, format, format), 422, "bad-parameter")
    assert detail == "The form has 2 values of format; send one."


def test_invalid_field_is_422(client):
    image = part('name="file"')
    for name, text, slug in (
        ("format", "gif", "bad-parameter"),
        ("size", "0", "bad-parameter"),
        ("strength", "2", "bad-parameter"),
        ("style", "ink", "unknown-style"),
    ):
        assert repr(text)[1:-1] in require_problem(
            post(client, image, field(name, text)), 422, slug
        )


def test_unknown_parameters_are_named(client):
    response = client.post("/v1/cartoons?colour=webp&size=20", data=DATA)
    detail = require_problem(response, 422, "bad-parameter")
    assert detail == (
        "The query has unknown parameters: 'colour'; known are style, format, strength, size,"
        " background."
    )
    fields = [field(f"f{number}", "x") for number in range(7)]
    detail = require_problem(post(client, part('name="file"'), *fields), 422, "bad-parameter")
    assert "The form has unknown parameters: 'f0', 'f1', 'f2', 'f3', 'f4' and 2 more" in detail


def test_browsers_own_fields_and_those_of_the_compatibility_route_are_ignored(client):
    image = part('name="file"; filename="me.jpg"')
    require_cartoon(post(client, image, field("_charset_", "UTF-8"), part("", b"no name")))
    require_cartoon(post(client, image, field("token", "x"), path="/upload?x=1"))


def test_limit_of_other_fields(client):
    image = part('name="file"')
    most = field("_charset_", "x" * FORM_OVERHEAD_BYTES)
    assert post(client, image, most).status_code == 200
    more = field("_charset_", "x" * (FORM_OVERHEAD_BYTES + 1))
    detail = require_problem(post(client, image, more), 413, "form-too-large")
    assert detail == (
        f"The form has more than {FORM_OVERHEAD_BYTES} bytes beside the image in the field `file`."
    )


def test_limit_of_parts(client):
    others = [field("_charset_", "")] * (MAX_PARTS - 1)
    require_cartoon(post(client, part('name="file"'), *others))
    response = post(client, part('name="file"'), *others, others[0])
    detail = require_problem(response, 400, "bad-request")
    assert detail == f"The form has more than {MAX_PARTS} parts."


@pytest.mark.parametrize(
    "parameter",
    ["", "; boundary=", '; boundary="\u00e9"', f"; boundary={'b' * (MAX_BOUNDARY_LENGTH + 1)}"],
)
def test_form_without_a_boundary_is_400(client, parameter):
    content_type = "multipart/form-data" + parameter
    response = client.post("/v1/cartoons", data=part('name="file"'), content_type=content_type)
    detail = require_problem(response, 400, "bad-request")
    assert "names no boundary: let the HTTP client set this header" in detail


def test_longest_boundary(client):
    data = part('name="file"') + f"--{BOUNDARY}--\r\n".encode()
    boundary = "b" * MAX_BOUNDARY_LENGTH
    response = client.post(
        "/v1/cartoons",
        data=data.replace(BOUNDARY.encode(), boundary.encode()),
        content_type=f"multipart/form-data; boundary={boundary}",
    )
    require_cartoon(response)


def test_form_with_another_boundary_is_400(client):
    content_type = "multipart/form-data; boundary=other"
    response = client.post("/v1/cartoons", data=part('name="file"'), content_type=content_type)
    detail = require_problem(response, 400, "bad-request")
    assert detail == (
        "The form has no part that starts with the boundary of its Content-Type, 'other'."
    )


def test_form_that_is_cut_off_is_400(client):
    response = client.post(
        "/v1/cartoons",
        data=field("format", "png") + part('name="file"')[:-40],
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
    )
    detail = require_problem(response, 400, "bad-request")
    assert detail == "The form is damaged or cut off in its part 2."


def test_part_without_a_disposition_is_400(client):
    data = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\nx\r\n".encode()
    require_problem(post(client, data), 400, "bad-request")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_compressed_body_is_415(client, coding):
    response = client.post("/v1/cartoons", data=DATA, headers={"Content-Encoding": coding})
    assert repr(coding) in require_problem(response, 415, "unsupported-format")
    assert response.headers["Accept-Encoding"] == "identity"
    response = client.post("/v1/cartoons", data=DATA, headers={"Content-Encoding": "Identity"})
    require_cartoon(response)


@pytest.mark.parametrize("data", [b"\x89PNG\x1a" + DATA[8:], DATA[:200], b"file=@me.jpg"])
def test_body_that_curl_has_changed_says_how_to_send_it(client, data):
    urlencoded = "application/x-www-form-urlencoded"
    response = client.post("/v1/cartoons", data=data, content_type=urlencoded)
    assert response.status_code in {415, 422}
    advice = " With curl, send it by --data-binary or -F file=@FILE: -d removes line breaks."
    assert response.get_json()["detail"].endswith(advice)
    assert not client.post("/v1/cartoons", data=data).get_json()["detail"].endswith(advice)
    require_cartoon(client.post("/v1/cartoons", data=DATA, content_type=urlencoded))
