"""From a request to its cartoon: what all drawing endpoints share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from flask import Request, Response

from dctnet.admission import Client, ClientDisconnected, DeadlineExceeded, Rejected, RejectionReason
from dctnet.api import access_log, deadline
from dctnet.api.client_identity import identify_client
from dctnet.api.connection import UploadAborted, connection
from dctnet.api.queue_tickets import QueueTickets, requested_ticket
from dctnet.api.upload_body import read_image, require_length
from dctnet.cost import job_cost
from dctnet.imaging import (
    DECODE_BYTES_PER_PIXEL,
    DECODE_FIXED_BYTES,
    MEDIA_TYPES,
    Format,
    decode,
    encode,
    inspect,
    is_out_of_memory,
    require_encodable,
)
from dctnet.lifecycle.state import State
from dctnet.replica import Replica

MODEL_HEADER = "X-Dctnet-Model"
FACES_HEADER = "X-Dctnet-Faces"
TIMING_HEADER = "Server-Timing"

RETRY_AFTER_STARTING_S = 5.0
"""What a client is asked to wait while the model loads, which takes a few seconds."""


@dataclass(frozen=True, slots=True)
class CartoonRequest:
    """What a request asks for, as far as its headers tell."""

    request: Request
    format: Format
    due: float
    """The monotonic time by which the answer is wanted."""
    client: Client
    ticket: str | None
    """The name under which the client may ask for the image's place."""


@dataclass(frozen=True, slots=True)
class CartoonResponse:
    """An encoded cartoon, and how it came to be."""

    data: bytes
    format: Format
    faces: int
    stages: dict[str, float]
    """The seconds that each stage took, in their order."""


class CartoonHandler:
    """Takes images from requests and has them drawn on the replica's slots."""

    def __init__(self, replica: Replica, tickets: QueueTickets) -> None:
        self._replica = replica
        self._admission = replica.admission
        self._metrics = replica.metrics
        self._settings = replica.settings
        self._tickets = tickets
        self._client_of = identify_client(replica.settings)
        self._cost_of = partial(
            job_cost,
            max_working_side=replica.settings.max_working_side,
            generator_threads=replica.settings.threads_per_slot,
        )

    def draw(self, request: Request, format: Format) -> Response:
        """Return the cartoon of the request's image as an answer.

        Raises Rejected, Problem, ImageError, ReadTimeout, UploadAborted, DeadlineExceeded and
        ClientDisconnected.
        """
        due = deadline.request_deadline(request, self._settings.request_timeout)
        order = CartoonRequest(
            request, format, due, self._client_of(request), requested_ticket(request)
        )
        self._check(order)
        drawing = self._compute(order, self._receive(order))
        access_log.add_fields(faces=drawing.faces, stages=drawing.stages)
        return self._answer(drawing)

    def _check(self, order: CartoonRequest) -> None:
        """Reject what the headers alone tell to reject."""
        if self._replica.lifecycle.state is State.STARTING:
            raise Rejected(RejectionReason.STARTING, RETRY_AFTER_STARTING_S)
        self._admission.check(order.due, order.client)
        require_length(order.request, self._settings.max_body_bytes)

    def _receive(self, order: CartoonRequest) -> bytes:
        """Return the image's bytes, of which only so many are received at once."""
        uploads = self._admission.uploads
        patience = min(self._settings.upload_idle_timeout * 2, order.due - monotonic())
        with self._counting_out_of_memory("upload"), self._admission.upload(patience, order.client):
            connection(order.request).begin(order.due, lambda: uploads.waiting > 0)
            try:
                data = read_image(order.request, self._settings.max_body_bytes)
            except UploadAborted:
                self._metrics.client_disconnects.labels("upload").inc()
                raise
        access_log.add_fields(bytes_in=len(data))
        return data

    def _compute(self, order: CartoonRequest, data: bytes) -> CartoonResponse:
        """Wait for a slot to draw the image."""
        with self._counting_out_of_memory("decode"):
            image = inspect(data, self._settings.max_pixels)
        width, height = image.width, image.height
        require_encodable(width, height, order.format)
        access_log.add_fields(pixels=width * height)
        self._metrics.pixels.observe(width * height)
        ticket = self._admission.submit(
            lambda: self._draw(data, order.format),
            cost=self._cost_of(image, order.format),
            deadline=order.due,
            is_wanted=connection(order.request).is_open,
            client=order.client,
        )
        access_log.mark_queued(ticket.queued_at)
        try:
            with self._tickets.keep(order.ticket, ticket):
                drawing = ticket.result()
        except ClientDisconnected:
            stage = "queue" if ticket.started_at is None else "inference"
            self._metrics.client_disconnects.labels(stage).inc()
            raise
        except DeadlineExceeded:
            access_log.add_fields(stages={"queue": ticket.waited})
            raise
        drawing.stages["queue"] = ticket.waited
        return drawing

    def _draw(self, data: bytes, format: Format) -> CartoonResponse:
        """Decode, draw and encode; runs on a slot."""
        # Decoded on the slot as well: pixels take far more memory than the bytes.
        stages = {"queue": 0.0}
        started = monotonic()
        with self._counting_out_of_memory("decode"):
            image = decode(data, self._settings.max_pixels)
        pixels = image.size // 3
        stages["decode"] = monotonic() - started
        try:
            with self._counting_out_of_memory("inference", pixels):
                cartoon = self._replica.engine.cartoonize(image)
        except Exception:
            self._metrics.inferences.labels("error").inc()
            raise
        # Encoding takes memory of its own: the slot's bound counts the larger of the two.
        del image
        self._metrics.inferences.labels("ok").inc()
        self._metrics.faces.observe(cartoon.faces)
        stages |= cartoon.stages
        started = monotonic()
        with self._counting_out_of_memory("encode", pixels):
            encoded = encode(cartoon.image, format)
        stages["encode"] = monotonic() - started
        return CartoonResponse(encoded, format, cartoon.faces, stages)

    @contextmanager
    def _counting_out_of_memory(self, stage: str, pixels: int | None = None) -> Iterator[None]:
        """Raise MemoryError for whatever a stage raises for lack of memory, and count it.

        Where ``pixels`` are given, any error counts while an image of as many cannot be decoded.
        """
        try:
            yield
        except MemoryError:
            self._metrics.out_of_memory.labels(stage).inc()
            raise
        except Exception as error:
            if pixels is not None and is_out_of_memory(error, _memory_of(pixels)):
                self._metrics.out_of_memory.labels(stage).inc()
                raise MemoryError(f"There is not enough memory for the {stage}.") from error
            raise

    def _answer(self, drawing: CartoonResponse) -> Response:
        response = Response(drawing.data, content_type=MEDIA_TYPES[drawing.format])
        response.headers["Cache-Control"] = "no-store"
        response.headers[MODEL_HEADER] = self._replica.model.label
        response.headers[FACES_HEADER] = str(drawing.faces)
        response.headers[TIMING_HEADER] = ", ".join(
            f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in drawing.stages.items()
        )
        return response


def _memory_of(pixels: int) -> int:
    return DECODE_FIXED_BYTES + max(DECODE_BYTES_PER_PIXEL.values()) * pixels
