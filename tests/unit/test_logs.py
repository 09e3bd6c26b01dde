"""Structured logging: JSON and text records, levels, formats, and standard streams."""

import json
import logging
import os
import pty
import re
import subprocess
import sys

import pytest

from dctnet import logs
from tests.support.repo import environment

TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
START = "from dctnet import logs; logs.start();"


def record(message: str, *args: object, level: int = logging.INFO, **members: object):
    made = logging.LogRecord("dctnet.some", level, "", 0, message, args, None)
    made.__dict__.update(members)
    return made


def failure() -> logging.LogRecord:
    try:
        raise ArithmeticError("no\nnumber")
    except ArithmeticError:
        return record("failed", level=logging.ERROR, exc_info=sys.exc_info())


@pytest.fixture(autouse=True)
def outside_of_requests():
    token = logs.request_ids.set({})
    yield
    logs.request_ids.reset(token)


@pytest.fixture
def in_request():
    token = logs.request_ids.set({"request_id": "mine", "trace_id": "12ab"})
    yield
    logs.request_ids.reset(token)


def parsed(made: logging.LogRecord) -> dict[str, object]:
    line = logs.JsonFormatter().format(made)
    assert "\n" not in line
    return dict(json.loads(line))


def test_json_record_has_time_level_logger_and_message():
    members = parsed(record("%d images", 3, level=logging.WARNING))
    assert re.fullmatch(TIMESTAMP, str(members.pop("ts")))
    assert members == {"level": "warning", "logger": "dctnet.some", "message": "3 images"}


def test_json_record_has_request_id_trace_id_and_fields(in_request):
    members = parsed(record("done", fields={"status": 200, "unread": None, "trace_id": "34cd"}))
    assert members["request_id"] == "mine"
    assert members["trace_id"] == "34cd"
    assert members["status"] == 200
    assert "unread" not in members


def test_json_record_has_its_exception_in_the_same_line():
    exception = str(parsed(failure())["exception"])
    assert exception.startswith("Traceback (most recent call last):\n")
    assert exception.endswith("\nArithmeticError: no\nnumber")


def test_text_record_is_printable_and_has_its_exception_below(in_request):
    assert re.fullmatch(
        TIMESTAMP + r" INFO dctnet\.some: \?\[31mred request_id=mine trace_id=12ab",
        logs.TextFormatter().format(record("\x1b[31mred")),
    )
    first, *_, last = logs.TextFormatter().format(failure()).splitlines()
    assert first.endswith(" ERROR dctnet.some: failed request_id=mine trace_id=12ab")
    assert last == "number"


def test_record_that_cannot_be_formatted_counts_as_dropped():
    handler = logs.LogHandler(None)
    handler.handle(record("%d images", "three"))
    assert handler.writer.dropped == 1


def run(program: str, stderr: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", START + program],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "logger", "level", "message"),
    [
        ("print('a word')", "stdout", "info", "a word"),
        ("import sys; print('a word', file=sys.stderr)", "stderr", "warning", "a word"),
        ("import warnings; warnings.warn('old')", "py.warnings", "warning", "UserWarning: old"),
        ("import logging; logging.getLogger('lib').error('bad')", "lib", "error", "bad"),
        ("1 / 0", "dctnet.logs", "critical", "uncaught exception"),
        (
            "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
            "dctnet.logs",
            "critical",
            "uncaught exception",
        ),
    ],
)
def test_whatever_python_code_writes_is_a_record_on_standard_error(program, logger, level, message):
    done = run(program)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    members = json.loads(line)
    assert (members["logger"], members["level"]) == (logger, level)
    assert message in members["message"]
    assert ("exception" in members) == (level == "critical")


LEVELS = """
import logging
logs.configure(logs.LogLevel('{}'), logs.LogFormat.JSON)
for name in 'dctnet.some', 'lib':
    for level in 'debug', 'info', 'warning', 'error':
        getattr(logging.getLogger(name), level)('')
"""


@pytest.mark.parametrize(
    ("level", "own", "others"),
    [("debug", 4, 3), ("info", 3, 3), ("warning", 2, 2), ("error", 1, 1)],
)
def test_log_level_is_the_least_severity_and_libraries_never_debug(level, own, others):
    loggers = [json.loads(line)["logger"] for line in run(LEVELS.format(level)).stderr.splitlines()]
    assert (loggers.count("dctnet.some"), loggers.count("lib")) == (own, others)


@pytest.mark.parametrize(
    ("log_format", "on_terminal", "is_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("text", False, False)],
)
def test_log_format_auto_is_text_on_a_terminal(log_format, on_terminal, is_json):
    program = f"logs.configure(logs.LogLevel.INFO, logs.LogFormat('{log_format}')); print('a')"
    if on_terminal:
        reader, writer = pty.openpty()
        run(program, writer)
        os.close(writer)
        line = os.read(reader, 4096)
        os.close(reader)
    else:
        line = run(program).stderr.encode()
    assert line.startswith(b"{") == is_json
    assert is_json or re.match(TIMESTAMP, line.decode())
