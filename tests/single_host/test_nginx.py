"""nginx in front of the replicas: TLS, limits, cache, request IDs, access log."""

import json
import re
import ssl
import subprocess

import numpy as np
import pytest
import requests

from dctnet.server.gunicorn_app import KEEP_ALIVE_S
from dctnet.shared_limits import FORM_OVERHEAD_BYTES
from loadtest.client import generate_images
from tests.single_host.conftest import SINGLE_HOST, require
from tests.support.encoded_images import encoded
from tests.support.polling import BOUND_S, until

pytestmark = pytest.mark.xdist_group("single host")  # All use one host.

MAX_BODY_BYTES = 24 * 1024 * 1024
IMAGE = generate_images(1, 64, 64)[0].data


def test_nginx_accepts_its_configuration(host):
    output = host.nginx("-t").splitlines()
    assert [line.split(": ", 1)[0] for line in output] == ["nginx", "nginx"], output
    assert output[0].endswith("syntax is ok")
    assert output[1].endswith("test is successful")


def test_tls_1_2_and_1_3_are_served_and_older_rejected(host):
    assert host.post(IMAGE).headers["X-Dctnet-Faces"] == "0"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(host.url, timeout=BOUND_S)  # Without the certificate.
    port = host.url.rpartition(":")[2]
    for version, supported in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version]
        # At its default level, OpenSSL does not offer TLS 1.1.
        command += ["-cipher", "DEFAULT@SECLEVEL=0"]
        completed = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        assert (completed.returncode == 0) == supported, version
    assert ssl.HAS_TLSv1_3


def test_http_redirects_to_https_with_method_and_body(host):
    url = f"{host.http}/v1/cartoons?format=webp"
    response = requests.post(url, IMAGE, allow_redirects=False, timeout=BOUND_S)
    assert response.status_code == 308
    assert response.headers["Location"] == f"{host.url}/v1/cartoons?format=webp"
    assert response.headers["X-Request-Id"]
    followed = requests.post(url, IMAGE, verify=host.certificate, timeout=BOUND_S)
    assert followed.headers["Content-Type"] == "image/webp"


def test_response_and_both_logs_have_the_same_request_id(host):
    response = host.post(IMAGE, headers={"X-Request-Id": "a.Sane_id-1"})
    # Two headers would be joined by a comma.
    assert response.headers["X-Request-Id"] == "a.Sane_id-1"
    access = host.access_log_line("a.Sane_id-1")
    number = host.replica_ports.index(int(access["upstream"].rpartition(":")[2])) + 1
    replica_log = host.logs / f"dctnet-{number}.log"
    until(lambda: "a.Sane_id-1" in replica_log.read_text())


@pytest.mark.parametrize("request_id", [None, "", 'forged","status":200', "a b", "a" * 129])
def test_invalid_request_id_is_replaced(host, request_id):
    response = host.post(IMAGE, headers={"X-Request-Id": request_id})
    new_id = response.headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", new_id)
    assert host.access_log_line(new_id)["status"] == 200


def test_access_log_line(host):
    path = '/no"such\\page\x7f'
    access = host.access_log_line(host.get(f"{path}?secret").headers["X-Request-Id"])
    assert access.pop("upstream") in {f"127.0.0.1:{port}" for port in host.replica_ports}
    assert access["bytes_in"] > 0
    assert access["bytes_out"] > 0
    assert 0 <= access["duration"] < BOUND_S
    assert 0 <= float(access["upstream_duration"]) < BOUND_S
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", access["time"])
    assert {name: access[name] for name in access if name not in MEASURED_FIELDS} == {
        "client": "127.0.0.1",
        "method": "GET",
        "path": path,
        "status": 404,
        "upstream_status": "404",
        "cache": "",
    }


MEASURED_FIELDS = {"time", "request_id", "duration", "bytes_in", "bytes_out", "upstream_duration"}


def test_body_limit_is_the_replica_limit_and_the_form_overhead(host):
    largest = IMAGE + bytes(MAX_BODY_BYTES - len(IMAGE))  # Decoders stop at a JPEG's end.
    assert host.post(largest).status_code == 200
    # A form adds its own headers.
    form = requests.Request("POST", host.url, files={"file": ("p.jpg", largest)}).prepare()
    assert isinstance(form.body, bytes)
    response = host.post(form.body, "/upload", headers=dict(form.headers))
    assert response.status_code == 200

    at_limit = host.post(bytes(MAX_BODY_BYTES + FORM_OVERHEAD_BYTES))
    assert at_limit.status_code == 413
    assert host.access_log_line(at_limit.headers["X-Request-Id"])["upstream_status"] == "413"
    over_limit = host.post(bytes(MAX_BODY_BYTES + FORM_OVERHEAD_BYTES + 1))
    assert over_limit.status_code == 413
    access = host.access_log_line(over_limit.headers["X-Request-Id"])
    assert (access["upstream"], access["upstream_status"]) == ("", "")

    # nginx's own response differs from the server's only in the detail.
    assert over_limit.headers["Content-Type"] == at_limit.headers["Content-Type"]
    from_replica, from_nginx = at_limit.json(), over_limit.json()
    assert from_nginx["request_id"] == over_limit.headers["X-Request-Id"]
    for problem in (from_replica, from_nginx):
        del problem["detail"], problem["request_id"]
    assert from_nginx == from_replica


@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
def test_no_image_is_written_to_a_file(host):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    response = host.post(encoded(noise))
    assert len(response.content) > 100_000
    # nginx logs a warning for each body that it writes to a temporary file.
    assert "temporary file" not in (host.logs / "nginx-error.log").read_text()


def test_static_files_are_cached_with_their_headers(host):
    style = re.search(r'href="(static/[^"]+\.css)"', host.get("/").text)[1]
    responses = [host.get(f"/{style}") for _ in range(2)]
    assert [response.headers["X-Cache-Status"] for response in responses] == ["MISS", "HIT"]
    assert responses[0].content == responses[1].content
    assert "immutable" in responses[1].headers["Cache-Control"]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert ids[0] != ids[1]
    assert [host.access_log_line(identity)["cache"] for identity in ids] == ["MISS", "HIT"]
    assert host.access_log_line(ids[1])["upstream"] == ""
    # The cache ignores the query string.
    assert host.get(f"/{style}?other").headers["X-Cache-Status"] == "HIT"


def test_static_file_missing_on_one_replica_is_requested_from_the_other(host):
    response = host.get("/static/page.of-another-release.css")
    assert response.status_code == 404
    access = host.access_log_line(response.headers["X-Request-Id"])
    assert access["upstream_status"] == "404, 404"
    assert {*access["upstream"].split(", ")} == {f"127.0.0.1:{p}" for p in host.replica_ports}


def test_health_is_proxied_and_not_logged(host):
    response = host.get("/health")
    assert response.json() == {"status": "healthy", "model_loaded": True}
    identity = host.get("/").headers["X-Request-Id"]
    host.access_log_line(identity)  # nginx logs in order, so a line of /health would precede it.
    assert "/health" not in {line["path"] for line in host.access_log_lines()}


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/livez", "/startupz"])
def test_management_port_is_not_proxied(host, path):
    url = f"http://127.0.0.1:{host.management_ports[0]}{path}"
    assert requests.get(url, timeout=BOUND_S).ok
    assert host.get(path).status_code == 404
    for trick in (f"/static/..{path}", f"//127.0.0.1:{host.management_ports[0]}{path}"):
        assert host.get(trick).status_code == 404


def test_nginx_closes_idle_connections_before_the_replica():
    template = (SINGLE_HOST / "templates" / "nginx.conf").read_text()
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", template)
    assert int(seconds) < KEEP_ALIVE_S


def test_logrotate_makes_nginx_reopen_its_logs(host):
    require("logrotate")
    old_id = host.get("/").headers["X-Request-Id"]
    host.access_log_line(old_id)
    replicas = {path: path.read_bytes() for path in host.logs.glob("dctnet-*.log")}
    host.logrotate()
    log, rotated = host.logs / "nginx-access.log", host.logs / "nginx-access.log.1"
    assert old_id in rotated.read_text()
    # nginx's workers open the new file shortly after the signal.
    until(lambda: host.get("/").headers["X-Request-Id"] in log.read_text())
    assert old_id not in log.read_text()
    for line in rotated.read_text().splitlines():
        json.loads(line)
    # supervisord rotates the logs of the replicas.
    assert all(path.read_bytes().startswith(content) for path, content in replicas.items())
