"""Structured logging: every record is one line of one stream, as JSON or as text.

In a server the records of dctnet, Gunicorn, Flask and other libraries, Python's warnings, uncaught
exceptions, and what Python code prints go through one handler to standard error, without blocking:
log_writer.py. The other commands print sentences.
"""

import atexit
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from dctnet.log_writer import FLUSH_TIMEOUT_S, LineStream, LogWriter

request_ids: ContextVar[Mapping[str, str]] = ContextVar("request_ids", default=MappingProxyType({}))
"""``request_id`` and ``trace_id`` of the request that this thread serves, where they are known."""

logger = logging.getLogger(__name__)

_STDERR = 2


class LogLevel(StrEnum):
    """Least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """Form of a record; ``auto`` is text on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class JsonFormatter(logging.Formatter):
    """JSON object per record: ``ts``, ``level``, ``logger``, ``message``, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        members = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().rstrip(),
            **_fields(record),
        }
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps(members, default=str)


class TextFormatter(logging.Formatter):
    """A readable line per record, with its traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines, without the last one's end."""
        message = " ".join(record.getMessage().splitlines())
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        head = f"{_timestamp(record)} {record.levelname} {record.name}: {message}{fields}"
        tail = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join(map(_printable, [head, *tail]))


class LogHandler(logging.Handler):
    """Passes records to the log writer; unformattable ones count as dropped."""

    def __init__(self, descriptor: int | None) -> None:
        super().__init__()
        self.writer = LogWriter(descriptor, self._drop_notice)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record's line; never blocks and never fails."""
        try:
            line = self.format(record)
        except Exception:  # Such as MemoryError, or arguments that do not fit the message.
            self.writer.drop(1)
        else:
            self.writer.write((line + "\n").encode("utf-8", "backslashreplace"))

    def _drop_notice(self, number: int) -> str:
        message = f"{number} log lines dropped"
        record = logger.makeRecord(logger.name, logging.WARNING, "", 0, message, (), None)
        record.fields = {"dropped": number}
        return self.format(record)


class SentenceHandler(logging.Handler):
    """Prints each record as a sentence for the user of a command."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line to standard error, in one piece, whatever names went into it."""
        if sys.stderr is not None:  # It was closed when the process started.
            sys.stderr.write(f"dctnet: {_printable(record.getMessage())}\n")
            sys.stderr.flush()


_handlers: list[LogHandler] = []
"""The server's handler, once it is started."""


def start_sentences() -> None:
    """Print dctnet's records as sentences: for all commands but ``serve``."""
    package = logging.getLogger("dctnet")
    package.setLevel(logging.INFO)
    package.handlers = [SentenceHandler()]


def start() -> None:
    """Send all records and standard streams through the log writer, from now on.

    Call it before other files are opened: a standard stream that is closed is replaced by
    /dev/null here, so that no socket gets its number and receives the log.
    """
    if _handlers:
        return
    is_open = sys.stderr is not None
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    # A copy, since descriptor 2 may lead elsewhere for a while: runtimes/stderr_filter.py.
    handler = LogHandler(os.dup(_STDERR) if is_open else None)
    _handlers.append(handler)
    configure(LogLevel.INFO, LogFormat.AUTO)
    logging.getLogger().handlers = [handler]
    logging.captureWarnings(True)
    for number, (name, level) in enumerate(
        (("stdout", logging.INFO), ("stderr", logging.WARNING)), start=1
    ):
        setattr(sys, name, LineStream(_log_line(name, level), number))
    sys.excepthook = lambda _, error, __: _log_uncaught(error)
    threading.excepthook = lambda args: _log_uncaught(args.exc_value)
    sys.unraisablehook = lambda args: _log_uncaught(args.exc_value)
    atexit.register(flush)


def configure(level: LogLevel, log_format: LogFormat) -> None:
    """Set the least severity and the form of the server's records."""
    is_text = log_format is LogFormat.TEXT or (log_format is LogFormat.AUTO and os.isatty(_STDERR))
    severity = logging.getLevelNamesMapping()[level.upper()]
    for handler in _handlers:
        handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
        handler.setLevel(severity)
    logging.getLogger("dctnet").setLevel(severity)
    # Libraries' debug records may have contents of requests.
    logging.getLogger().setLevel(max(severity, logging.INFO))


def start_thread() -> None:
    """Start the writer's thread in this process; otherwise the first record does."""
    for handler in _handlers:
        handler.writer.start()


def flush() -> None:
    """Wait for the last lines, `FLUSH_TIMEOUT_S` at most."""
    for handler in _handlers:
        handler.writer.flush(FLUSH_TIMEOUT_S)


def dropped_lines() -> int:
    """Return how many log lines this process has dropped."""
    return sum(handler.writer.dropped for handler in _handlers)


def _log_line(name: str, level: int) -> Any:
    printed = logging.getLogger(name)

    def log(text: str) -> None:
        for line in text.splitlines():
            printed.log(level, "%s", line)

    return log


def _log_uncaught(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        logger.critical("uncaught exception", exc_info=error)


def _timestamp(record: logging.LogRecord) -> str:
    """Return when a record was made, by RFC 3339, in UTC."""
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return a record's members beyond the message, without those that are None."""
    fields = {**request_ids.get(), **getattr(record, "fields", {})}
    return {name: value for name, value in fields.items() if value is not None}


def _printable(text: str) -> str:
    """Return a text whose control characters cannot reach a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
