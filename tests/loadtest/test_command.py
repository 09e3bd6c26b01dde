"""Command line ``python -m loadtest.client``: exit status, output, report file."""

import os
import signal
import threading

import pytest

from loadtest import server_metrics
from loadtest.client import Report
from loadtest.command import main
from tests.support.encoded_images import encoded, gradient
from tests.support.http_stub import Handler, serving
from tests.support.process import free_ports

FEW = ("--clients", "2", "--requests", "4", "--images", "2", "--size", "30x20")


def test_ok_responses_exit_with_0_and_the_path_is_optional(server, capsys):
    assert main([server.url, *FEW]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{server.url}/v1/cartoons: 2 clients for 4 requests, 2 images\n")
    assert "sent 4: 4 ok, 0 rejected, 0 failed, 0 invalid" in output
    assert "p99" in output


@pytest.mark.parametrize(
    ("path", "status", "line"),
    [
        ("429", 1, "rejected without Retry-After: 4"),
        ("500", 1, "failed: status 500 4"),
        ("smaller", 1, "invalid: size 4"),
    ],
)
def test_exit_status_and_table_by_outcome(server, capsys, path, status, line):
    assert main([f"{server.url}/{path}", *FEW]) == status
    assert f"\n{line}\n" in capsys.readouterr().out


def test_json_file_contains_the_report(server, tmp_path):
    file = tmp_path / "report.json"
    main([f"{server.url}/mixed", *FEW, "--json", str(file)])
    report = Report.from_json(file.read_text())
    assert (report.sent, report.ok, report.rejected, report.failed, report.invalid) == (
        *(4, 1, 1, 1, 1),
    )


def test_unwritable_json_file_fails_before_any_request(server, tmp_path, capsys):
    file = tmp_path / "none" / "report.json"
    assert main([server.url, *FEW, "--json", str(file)]) == 1
    assert capsys.readouterr().err == f"{file}: No such file or directory.\n"
    assert server.requests == []


def test_each_violated_gate_is_one_line(server, capsys):
    gates = ("--fail-if", "sent > 3", "--fail-if", "failed > 0", "--fail-if", "ok <= 4")
    assert main([server.url, *FEW, *gates]) == 1
    assert capsys.readouterr().err == (
        "failed by sent > 3: sent is 4\nfailed by ok <= 4: ok is 4\n"
    )
    # Own gates replace the default ones.
    assert main([f"{server.url}/500", *FEW, "--fail-if", "failed.share > 1"]) == 0


def test_html_report_shows_the_server_s_memory_and_queue(server, tmp_path, monkeypatch):
    class Metrics(Handler):
        def respond(self) -> None:
            self.send(200, b"process_resident_memory_bytes 5e8\ndctnet_queue_depth 3\n")

    monkeypatch.setattr(server_metrics, "INTERVAL_S", 0.05)
    file = tmp_path / "report.html"
    load = ("--rate", "20", "--duration", "0.3", "--size", "30x20", "--html", str(file))
    with serving(Metrics) as replica:
        assert main([server.url, *load, "--metrics", replica.url]) == 0
    assert replica.requests[0].path == "/metrics"
    assert "Memory of the server" in file.read_text()


def test_signal_completes_the_requests_in_flight_and_reports(server, tmp_path):
    file = tmp_path / "report.json"
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    load = ("--rate", "20", "--duration", "600", "--size", "30x20", "--json", str(file))
    assert main([server.url, *load]) == 0
    report = Report.from_json(file.read_text())
    assert 0 < report.ok == report.sent < 12_000


def test_open_loop_sends_one_distinct_image_per_request(server):
    load = ("--rate", "40", "--poisson", "--duration", "0.3", "--images", "each")
    assert main([server.url, *load, "--size", "30x20", "--format", "png"]) == 0
    assert {request.headers["Content-Type"] for request in server.requests} == {"image/png"}


def test_headers_are_sent(server):
    headers = ("--header", "X-Api-Key: a:b", "--header", "X-Other:c")
    assert main([server.url, *FEW, *headers]) == 0
    sent = {(it.headers["X-Api-Key"], it.headers["X-Other"]) for it in server.requests}
    assert sent == {("a:b", "c")}


def test_folder_replaces_generated_images(server, tmp_path, capsys):
    (tmp_path / "me.jpg").write_bytes(encoded(gradient(20, 30), "JPEG"))
    assert main([server.url, "--requests", "2", "--folder", str(tmp_path)]) == 0
    assert ", 1 image\n" in capsys.readouterr().out


def test_unreachable_server_is_one_error_line(capsys):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    assert main([f"http://{address}"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{address} cannot be reached: ")
    assert output.err.endswith("Is the server running there?\n")
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["localhost:8080"], "'localhost:8080' is not a URL such as http://127.0.0.1:8080"),
        (["http://h:x"], "is not a URL such as"),
        (["http://h", "--size", "0x5"], "'0x5' is not WIDTHxHEIGHT, such as 640x480"),
        (["http://h", "--images", "0"], "'0' is neither a positive number nor `each`"),
        (["http://h", "--header", "secret"], "'secret' is not a header such as"),
        (["http://h", "--clients", "2", "--rate", "3"], "not allowed with argument --clients"),
        (["http://h", "--header", "A: b\r\nC: d"], "is not a header such as"),
        (["http://h", "--metrics-port", "65536"], "'65536' is not a port from 1 to 65535"),
        (["http://h", "--fail-if", "p95 > 1"], "'p95 > 1' is not a gate such as"),
        (["http://h", "--metrics", "h"], "'h' is not a URL such as http://127.0.0.1:9090/metrics"),
    ],
)
def test_usage_errors(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--images", "each"], "`--images each` needs --rate or --requests, to know how many."),
        (["--clients", "0"], "There must be at least one client."),
        (["--rate", "-1"], "A rate must be positive and finite."),
        (["--rate", "inf", "--requests", "2"], "A rate must be positive and finite."),
        (["--poisson"], "`--poisson` needs --rate: closed-loop clients have no rate."),
        (["--steps", "1:1"], "`--steps` needs --rate: closed-loop clients have no rate."),
        (["--timeout", "0"], "A timeout and a number of connections must be positive."),
        (["--connections", "0"], "A timeout and a number of connections must be positive."),
        (["--duration", "0"], "A duration and a number of requests must be positive."),
        (["--folder", "/none"], "/none: No such file or directory."),
    ],
)
def test_invalid_plan_is_one_error_line(capsys, arguments, sentence):
    assert main(["http://127.0.0.1:1", "--size", "8x8", *arguments]) == 1
    assert capsys.readouterr().err == f"{sentence}\n"
