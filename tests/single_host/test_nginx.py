"""What stands between a client and the replicas: TLS, limits, the cache, ids, the log."""

import json
import re
import ssl
import subprocess

import numpy as np
import pytest
import requests

from dctnet.server.gunicorn_app import KEEP_ALIVE_S
from loadtest.client import generate_images
from tests.single_host.conftest import SINGLE_HOST, require
from tests.support.encoded_images import encoded
from tests.support.polling import BOUND_S, until

pytestmark = pytest.mark.xdist_group("single host")  # So that there is one.

MAX_BYTES = 10 * 1024 * 1024
FORM_BYTES = 64 * 1024
IMAGE = generate_images(1, 64, 64)[0].data


def test_nginx_has_nothing_to_say_against_its_configuration(host):
    said = host.nginx("-t").splitlines()
    assert [line.split(": ", 1)[0] for line in said] == ["nginx", "nginx"], said
    assert said[0].endswith("syntax is ok")
    assert said[1].endswith("test is successful")


def test_a_cartoon_comes_by_tls_and_nothing_older_is_spoken(host):
    assert host.post(IMAGE).headers["X-Dctnet-Faces"] == "0"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(host.url, timeout=BOUND_S)  # Whoever does not know the certificate.
    port = host.url.rpartition(":")[2]
    for version, spoken in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version]
        # Else OpenSSL itself rejects to offer the old one.
        command += ["-cipher", "DEFAULT@SECLEVEL=0"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert (done.returncode == 0) == spoken, version
    assert ssl.HAS_TLSv1_3


def test_http_leads_to_https_with_the_method_and_the_body(host):
    url = f"{host.http}/v1/cartoons?format=webp"
    answer = requests.post(url, IMAGE, allow_redirects=False, timeout=BOUND_S)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{host.url}/v1/cartoons?format=webp"
    assert answer.headers["X-Request-Id"]
    followed = requests.post(url, IMAGE, verify=host.certificate, timeout=BOUND_S)
    assert followed.headers["Content-Type"] == "image/webp"


def test_one_id_is_in_the_answer_in_nginx_s_log_and_in_the_replica_s(host):
    answer = host.post(IMAGE, headers={"X-Request-Id": "a.Sane_id-1"})
    # Two headers would be joined by a comma.
    assert answer.headers["X-Request-Id"] == "a.Sane_id-1"
    access = host.access("a.Sane_id-1")
    number = host.replica_ports.index(int(access["upstream"].rpartition(":")[2])) + 1
    replica_log = host.logs / f"dctnet-{number}.log"
    until(lambda: "a.Sane_id-1" in replica_log.read_text())


@pytest.mark.parametrize("offered", [None, "", 'forged","status":200', "a b", "a" * 129])
def test_an_id_that_could_forge_a_line_is_replaced(host, offered):
    answer = host.post(IMAGE, headers={"X-Request-Id": offered})
    made_id = answer.headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", made_id)
    assert host.access(made_id)["status"] == 200


def test_a_line_of_the_access_log_says_what_became_of_a_request(host):
    path = '/no"such\\page\x7f'
    access = host.access(host.get(f"{path}?secret").headers["X-Request-Id"])
    assert access.pop("upstream") in {f"127.0.0.1:{port}" for port in host.replica_ports}
    assert access["bytes_in"] > 0
    assert access["bytes_out"] > 0
    assert 0 <= access["duration"] < BOUND_S
    assert 0 <= float(access["upstream_duration"]) < BOUND_S
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", access["time"])
    assert {name: access[name] for name in access if name not in _TIMED} == {
        "client": "127.0.0.1",
        "method": "GET",
        "path": path,
        "status": 404,
        "upstream_status": "404",
        "cache": "",
    }


_TIMED = {"time", "request_id", "duration", "bytes_in", "bytes_out", "upstream_duration"}


def test_the_body_limit_lets_through_what_a_replica_takes_and_nothing_more(host):
    largest = IMAGE + bytes(MAX_BYTES - len(IMAGE))  # Decoders stop at a JPEG's end.
    assert host.post(largest).status_code == 200
    # As a form it has a head of its own.
    form = requests.Request("POST", host.url, files={"file": ("p.jpg", largest)}).prepare()
    assert isinstance(form.body, bytes)
    answer = host.post(form.body, "/upload", headers=dict(form.headers))
    assert answer.status_code == 200

    at_the_limit = host.post(bytes(MAX_BYTES + FORM_BYTES))
    assert at_the_limit.status_code == 413
    assert host.access(at_the_limit.headers["X-Request-Id"])["upstream_status"] == "413"
    past_it = host.post(bytes(MAX_BYTES + FORM_BYTES + 1))
    assert past_it.status_code == 413
    access = host.access(past_it.headers["X-Request-Id"])
    assert (access["upstream"], access["upstream_status"]) == ("", "")

    # nginx's own answer is the service's but for what it says in detail.
    assert past_it.headers["Content-Type"] == at_the_limit.headers["Content-Type"]
    ours, nginx_s = at_the_limit.json(), past_it.json()
    assert nginx_s["request_id"] == past_it.headers["X-Request-Id"]
    for problem in (ours, nginx_s):
        del problem["detail"], problem["request_id"]
    assert nginx_s == ours


@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
def test_no_image_is_written_to_a_file(host):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    answer = host.post(encoded(noise))
    assert len(answer.content) > 100_000
    # nginx would warn of a file for a body, and of one for an answer.
    assert "temporary file" not in (host.logs / "nginx-error.log").read_text()


def test_what_the_page_needs_comes_from_the_cache_and_keeps_its_headers(host):
    style = re.search(r'href="(static/[^"]+\.css)"', host.get("/").text)[1]
    answers = [host.get(f"/{style}") for _ in range(2)]
    assert [answer.headers["X-Cache-Status"] for answer in answers] == ["MISS", "HIT"]
    assert answers[0].content == answers[1].content
    assert "immutable" in answers[1].headers["Cache-Control"]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert ids[0] != ids[1]
    assert [host.access(identity)["cache"] for identity in ids] == ["MISS", "HIT"]
    assert host.access(ids[1])["upstream"] == ""
    # What a query string asks for is the same file.
    assert host.get(f"/{style}?other").headers["X-Cache-Status"] == "HIT"


def test_a_file_that_one_replica_lacks_is_asked_of_the_other(host):
    answer = host.get("/static/page.of-another-release.css")
    assert answer.status_code == 404
    access = host.access(answer.headers["X-Request-Id"])
    assert access["upstream_status"] == "404, 404"
    assert {*access["upstream"].split(", ")} == {f"127.0.0.1:{p}" for p in host.replica_ports}


def test_health_is_passed_on_and_not_logged(host):
    answer = host.get("/health")
    assert answer.json() == {"status": "healthy", "model_loaded": True}
    identity = host.get("/").headers["X-Request-Id"]
    host.access(identity)  # By now the line of /health would be there too.
    assert "/health" not in {line["path"] for line in host.accesses()}


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/livez", "/startupz"])
def test_the_management_port_cannot_be_reached_through_it(host, path):
    url = f"http://127.0.0.1:{host.management_ports[0]}{path}"
    assert requests.get(url, timeout=BOUND_S).ok
    assert host.get(path).status_code == 404
    for trick in (f"/static/..{path}", f"//127.0.0.1:{host.management_ports[0]}{path}"):
        assert host.get(trick).status_code == 404


def test_idle_connections_are_closed_by_nginx_first():
    template = (SINGLE_HOST / "templates" / "nginx.conf").read_text()
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", template)
    assert int(seconds) < KEEP_ALIVE_S


def test_logs_rotate_and_nginx_goes_on_in_a_new_file(host):
    require("logrotate")
    before = host.get("/").headers["X-Request-Id"]
    host.access(before)
    replicas = {path: path.read_bytes() for path in host.logs.glob("dctnet-*.log")}
    host.logrotate()
    log, rotated = host.logs / "nginx-access.log", host.logs / "nginx-access.log.1"
    assert before in rotated.read_text()
    # nginx's workers take the new file a moment after the signal.
    until(lambda: host.get("/").headers["X-Request-Id"] in log.read_text())
    assert before not in log.read_text()
    for line in rotated.read_text().splitlines():
        json.loads(line)
    # Those are supervisord's to rotate.
    assert all(path.read_bytes().startswith(content) for path, content in replicas.items())
