"""Stand-in for the ModelScope hub on loopback, for the real client.

It serves the requests of ``modelscope_hub`` 0.5: the list of a model's files, its revisions, and
the files, whole or by ``Range``. The responses have the fields that this client reads
(modelscope_hub/_legacy_api.py and _download.py), and the hub's oddities: a part of a small file has
the status 200 and ``Content-Range``, a missing file the status 200 and a JSON document, and large
files are redirected to a second host, the LFS CDN. Attributes switch on faults.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ssl import SSLContext
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.support.http_stub import Handler, Request, serving

COMMITTED = 1_665_300_000  # Seconds since 1970: 2022-10-09T07:20:00Z.

LFS_BYTES = 1_000_000
"""Size from which a file lies on the CDN."""


@dataclass(frozen=True)
class FileRequest:
    """A request for a file, and the number of bytes sent in response."""

    path: str
    range: str | None
    sent: int


@dataclass
class Hub:
    """One model in several revisions, others with the same files, and the faults of the hub."""

    model: str
    revisions: dict[str, dict[str, bytes]]
    """The files of each revision."""
    address: str = ""
    cdn_address: str = ""

    others: frozenset[str] = frozenset()
    """Further models, with the same files."""
    unavailable: frozenset[str] = frozenset()
    """Models whose requests fail with the status 500."""
    status: HTTPStatus = HTTPStatus.OK
    """Any other status than 200 is the response to every request."""
    garbage: bytes | None = None
    """Body of all responses, instead of a hub's."""
    without_revisions: bool = False
    """Whether the hub hides its revisions."""
    withheld: dict[str, HTTPStatus] = field(default_factory=dict)
    """Files that are listed, but fail with an error."""
    rate_limited: dict[str, list[int]] = field(default_factory=dict)
    """By file, ``Retry-After`` of the next responses, which have the status 429."""
    listed_sums: dict[str, str | None] = field(default_factory=dict)
    """Checksums in the list instead of the true ones."""
    listed_sizes: dict[str, int] = field(default_factory=dict)
    """Sizes in the list instead of the true ones."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """By file, bytes after which the next responses are cut; one entry for each response."""
    held_after: dict[str, int] = field(default_factory=dict)
    """By file, bytes after which a response waits for ``released``."""
    released: threading.Event = field(default_factory=threading.Event)

    file_requests: list[FileRequest] = field(default_factory=list)
    """The requests for files, in the order in which they came."""
    requests: list[Request] = field(default_factory=list)
    """All requests to the hub."""
    cdn_requests: list[Request] = field(default_factory=list)
    """All requests to the CDN."""

    def requests_for(self, path: str) -> list[FileRequest]:
        """The requests for one file."""
        return [request for request in self.file_requests if request.path == path]

    def list_files(self, revision: str) -> object:
        entries = [
            {
                "Name": path.rsplit("/", 1)[-1],
                "Path": path,
                "Type": "blob",
                "Size": self.listed_sizes.get(path, len(content)),
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
def running(hub: Hub, host: str = "127.0.0.1", tls: SSLContext | None = None) -> Iterator[Hub]:
    """Serve the hub on free ports of an address of this machine until the end of the block."""
    with (
        serving(_CdnHandler, host, hub=hub) as cdn,
        serving(_HubHandler, host, tls=tls, hub=hub) as stub,
    ):
        hub.address, hub.cdn_address = stub.url, cdn.url
        hub.released = stub.released
        hub.requests, hub.cdn_requests = stub.requests, cdn.requests
        try:
            yield hub
        finally:
            hub.released.set()


class _FileHandler(Handler):
    hub: Hub

    def send_file(self, path: str, content: bytes, partial_status: HTTPStatus) -> None:
        requested_range = self.headers.get("Range")
        start = (
            int(requested_range.removeprefix("bytes=").removesuffix("-")) if requested_range else 0
        )
        rest = content[start:]
        cuts = self.hub.cut_after.get(path)
        sent = rest[: cuts.pop(0)] if cuts else rest
        self.hub.file_requests.append(FileRequest(path, requested_range, len(sent)))
        self.send_response(partial_status if requested_range else HTTPStatus.OK)
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


class _HubHandler(_FileHandler):
    def respond(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        revision, path = query.get("Revision", ""), query.get("FilePath", "")
        named = "/".join(url.path.split("/")[4:6])
        model = f"/api/v1/models/{named if named in self.hub.others else self.hub.model}"
        if self.hub.garbage is not None:
            self.send(HTTPStatus.OK, self.hub.garbage)
        elif self.hub.status is not HTTPStatus.OK:
            self._reject(self.hub.status)
        elif named in self.hub.unavailable:
            self._reject(HTTPStatus.INTERNAL_SERVER_ERROR)
        elif url.path == f"{model}/revisions" and not self.hub.without_revisions:
            self._respond_json(self.hub.list_revisions())
        elif revision not in self.hub.revisions:
            self._reject(HTTPStatus.NOT_FOUND)
        elif url.path == f"{model}/repo/files":
            self._respond_json(self.hub.list_files(revision))
        elif url.path == f"{model}/repo":
            self._respond_with_file(revision, path)
        else:
            self._reject(HTTPStatus.NOT_FOUND)

    def _respond_with_file(self, revision: str, path: str) -> None:
        content = self.hub.revisions[revision][path]
        fault = self.hub.withheld.get(path)
        if waits := self.hub.rate_limited.get(path):
            self.send(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": str(waits.pop(0))})
        elif fault is HTTPStatus.NOT_FOUND:
            self._respond_json({"Code": 10010205001, "Message": "not found", "Success": False})
        elif fault is not None:
            self._reject(fault)
        elif len(content) >= LFS_BYTES:
            location = f"{self.hub.cdn_address}/{quote(revision)}/{quote(path)}?signature=secret"
            self.send(HTTPStatus.FOUND, headers={"Location": location})
        else:
            self.send_file(path, content, HTTPStatus.OK)

    def _respond_json(self, response: object) -> None:
        self.send(HTTPStatus.OK, json.dumps(response).encode())

    def _reject(self, status: HTTPStatus) -> None:
        self.send(status, json.dumps({"Code": status, "Message": "no"}).encode())


class _CdnHandler(_FileHandler):
    def respond(self) -> None:
        revision, path = unquote(urlsplit(self.path).path).removeprefix("/").split("/", 1)
        self.send_file(path, self.hub.revisions[revision][path], HTTPStatus.PARTIAL_CONTENT)
