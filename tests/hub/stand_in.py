"""Stand-in for the ModelScope hub on loopback, for the real client.

It serves the requests of ``modelscope_hub`` 0.5: the list of a model's files, its revisions, and
the files, whole or by ``Range``. The responses have the fields that this client reads
(modelscope_hub/_legacy_api.py and _download.py). Attributes switch on faults.
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
class FileRequest:
    """A request for a file, and the number of bytes sent in response."""

    path: str
    range: str | None
    sent: int


@dataclass
class Hub:
    """One model in several revisions, and the faults of the hub."""

    model: str
    revisions: dict[str, dict[str, bytes]]
    """The files of each revision."""
    address: str = ""

    status: HTTPStatus = HTTPStatus.OK
    """Any other status than 200 is the response to every request."""
    garbage: bytes | None = None
    """Body of all responses, instead of a hub's."""
    without_revisions: bool = False
    """Whether the hub hides its revisions."""
    withheld: dict[str, HTTPStatus] = field(default_factory=dict)
    """Files that are listed, but fail with an error."""
    listed_sums: dict[str, str | None] = field(default_factory=dict)
    """Checksums in the list instead of the true ones."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """By file, bytes after which the next responses are cut; one entry for each response."""
    held_after: dict[str, int] = field(default_factory=dict)
    """By file, bytes after which a response waits for ``released``."""
    released: threading.Event = field(default_factory=threading.Event)

    file_requests: list[FileRequest] = field(default_factory=list)
    """The requests for files, in the order in which they came."""
    requests: list[Request] = field(default_factory=list)
    """All requests."""

    def requests_for(self, path: str) -> list[FileRequest]:
        """The requests for one file."""
        return [request for request in self.file_requests if request.path == path]

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
            self._respond_json(self.hub.list_revisions())
        elif revision not in self.hub.revisions:
            self._reject(HTTPStatus.NOT_FOUND)
        elif url.path == f"{model}/repo/files":
            self._respond_json(self.hub.list_files(revision))
        elif url.path == f"{model}/repo" and path in self.hub.withheld:
            self._reject(self.hub.withheld[path])
        elif url.path == f"{model}/repo":
            self._send_file(revision, path)
        else:
            self._reject(HTTPStatus.NOT_FOUND)

    def _send_file(self, revision: str, path: str) -> None:
        content = self.hub.revisions[revision][path]
        requested_range = self.headers.get("Range")
        start = (
            int(requested_range.removeprefix("bytes=").removesuffix("-")) if requested_range else 0
        )
        rest = content[start:]
        cuts = self.hub.cut_after.get(path)
        sent = rest[: cuts.pop(0)] if cuts else rest
        self.hub.file_requests.append(FileRequest(path, requested_range, len(sent)))
        self.send_response(HTTPStatus.PARTIAL_CONTENT if requested_range else HTTPStatus.OK)
        self.send_header("Content-Length", str(len(rest)))
        if requested_range:
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

    def _respond_json(self, response: object) -> None:
        self.send(HTTPStatus.OK, json.dumps(response).encode())

    def _reject(self, status: HTTPStatus) -> None:
        self.send(status, json.dumps({"Code": status, "Message": "no"}).encode())
