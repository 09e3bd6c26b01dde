"""A stand-in for the ModelScope hub on loopback, for the real client to talk to.

It answers what ``modelscope_hub`` 0.5 asks for: the list of a model's files, its revisions, and
the files, whole or by ``Range``. The shapes of the answers follow what that client reads
(modelscope_hub/_legacy_api.py and _download.py). Faults are switched on by attributes.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from tests.support.http_stub import Handler, Request, serving

COMMITTED = 1_665_300_000  # Seconds since 1970: 2022-10-09T07:20:00Z.


@dataclass(frozen=True)
class Asked:
    """A request for a file, and how many bytes of the file went out for it."""

    path: str
    range: str | None
    sent: int


@dataclass
class Hub:
    """One model in several revisions, and what is wrong with the hub today."""

    model: str
    revisions: dict[str, dict[str, bytes]]
    """The files of each revision."""
    address: str = ""

    status: HTTPStatus = HTTPStatus.OK
    """Anything else is the answer to every request."""
    garbage: bytes | None = None
    """The body of every answer, in place of a hub's."""
    without_revisions: bool = False
    """The hub does not tell its revisions."""
    withheld: dict[str, HTTPStatus] = field(default_factory=dict)
    """Files that are listed, but answered with an error."""
    listed_sums: dict[str, str | None] = field(default_factory=dict)
    """Sums that the list claims in place of the true ones."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """For each file, after how many bytes its next answers break off, an answer an entry."""
    held_after: dict[str, int] = field(default_factory=dict)
    """For each file, after how many bytes an answer waits for ``released``."""
    released: threading.Event = field(default_factory=threading.Event)

    asked: list[Asked] = field(default_factory=list)
    """The requests for files, in the order in which they came."""
    requests: list[Request] = field(default_factory=list)
    """All requests."""

    def asked_for(self, path: str) -> list[Asked]:
        """The requests for one file."""
        return [asked for asked in self.asked if asked.path == path]

    def list_files(self, revision: str) -> object:
        entries = [
            {
                "Name": path.rsplit("/", 1)[-1],
                "Path": path,
                "Type": "blob",
                "Size": len(content),
                "Sha256": self.listed_sums.get(path, hashlib.sha256(content).hexdigest()),
                "CommittedDate": COMMITTED,
            }
            for path, content in self.revisions[revision].items()
        ]
        return {"Code": 200, "Data": {"Files": entries}, "Success": True}

    def list_revisions(self) -> object:
        tags = [{"Revision": name, "CreatedAt": COMMITTED, "Tree": {}} for name in self.revisions]
        return {"Code": 200, "Data": {"RevisionMap": {"Branches": [], "Tags": tags}}}


@contextmanager
def running(hub: Hub, host: str = "127.0.0.1") -> Iterator[Hub]:
    """Serve the hub on a free port of an address of this machine until the end of the block."""
    with serving(_Handler, host, hub=hub) as stub:
        hub.address, hub.released, hub.requests = stub.url, stub.released, stub.requests
        yield hub


class _Handler(Handler):
    hub: Hub

    def respond(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        revision, path = query.get("Revision", ""), query.get("FilePath", "")
        model = f"/api/v1/models/{self.hub.model}"
        if self.hub.garbage is not None:
            self.send(HTTPStatus.OK, self.hub.garbage)
        elif self.hub.status is not HTTPStatus.OK:
            self._reject(self.hub.status)
        elif url.path == f"{model}/revisions" and not self.hub.without_revisions:
            self._answer_json(self.hub.list_revisions())
        elif revision not in self.hub.revisions:
            self._reject(HTTPStatus.NOT_FOUND)
        elif url.path == f"{model}/repo/files":
            self._answer_json(self.hub.list_files(revision))
        elif url.path == f"{model}/repo" and path in self.hub.withheld:
            self._reject(self.hub.withheld[path])
        elif url.path == f"{model}/repo":
            self._send_file(revision, path)
        else:
            self._reject(HTTPStatus.NOT_FOUND)

    def _send_file(self, revision: str, path: str) -> None:
        content = self.hub.revisions[revision][path]
        asked_range = self.headers.get("Range")
        start = int(asked_range.removeprefix("bytes=").removesuffix("-")) if asked_range else 0
        rest = content[start:]
        cuts = self.hub.cut_after.get(path)
        sent = rest[: cuts.pop(0)] if cuts else rest
        self.hub.asked.append(Asked(path, asked_range, len(sent)))
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked_range else HTTPStatus.OK)
        self.send_header("Content-Length", str(len(rest)))
        if asked_range:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        held = self.hub.held_after.get(path)
        if held is None:
            self.wfile.write(sent)
        else:
            self.wfile.write(sent[:held])
            self.hub.released.wait()
        self.close_connection = len(sent) < len(rest) or held is not None

    def _answer_json(self, answer: object) -> None:
        self.send(HTTPStatus.OK, json.dumps(answer).encode())

    def _reject(self, status: HTTPStatus) -> None:
        self.send(status, json.dumps({"Code": status, "Message": "no"}).encode())
