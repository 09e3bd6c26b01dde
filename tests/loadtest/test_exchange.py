"""HTTP client: ways in which a response may be sent."""

import asyncio
import ssl
import subprocess

import pytest

from loadtest.client import ClosedLoop, Plan, run
from loadtest.exchange import Failure, HttpClient, Response
from tests.support.http_stub import Handler, serving
from tests.support.polling import BOUND_S


class _Raw(Handler):
    """Sends these bytes as response to each request."""

    data = b""
    closes = False

    def respond(self) -> None:
        self.body()
        self.wfile.write(self.data)
        self.close_connection = self.closes


def post(image, number=1, **attributes):
    """Post an image some times; return the results, and the number of connections."""

    async def post_all():
        async with HttpClient(timeout_s=BOUND_S, connections=1) as client:
            return [await client.post_image(f"{stub.url}/x", image) for _ in range(number)]

    with serving(_Raw, **attributes) as stub:
        return asyncio.run(post_all())


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: Image/PNG; a=b\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"


def test_chunked_responses_keep_the_connection(images):
    expected = Response(200, "image/png", None, b"abcde")
    assert post(images[0], 3, data=CHUNKED + CHUNKS) == [expected] * 3


@pytest.mark.parametrize("data", [CHUNKED + CHUNKS[:-2], CHUNKED + b"x\r\n", CHUNKED + b"5\r\nab"])
def test_broken_chunks_are_truncated(images, data):
    (result,) = post(images[0], data=data, closes=True)
    assert isinstance(result, Failure)
    assert (result.reason, result.status) == ("truncated", 200)


def test_response_may_end_with_the_connection(images):
    data = b"HTTP/1.0 200 OK\r\nRetry-After: 5\r\n\r\nabc"
    assert post(images[0], 2, data=data, closes=True) == [Response(200, "", "5", b"abc")] * 2


def test_interim_responses_are_skipped(images):
    data = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    assert post(images[0], 2, data=data) == [Response(204, "", None, b"")] * 2


def test_tls_with_an_own_certificate(images, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(
        [*command, "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(_Raw, tls=context, data=b"HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n") as stub:
        plan = {"url": stub.url, "images": images, "arrivals": ClosedLoop(clients=2, requests=4)}
        assert run(Plan(**plan, ca_file=certificate)).rejected == 4
        assert run(Plan(**plan)).failed_by_reason == {"connect": 4}
