"""Cartoonization of an uploaded image: shared by `/v1/cartoons` and `/upload`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from flask import Request, Response

from dctnet.admission import (
    Client,
    ClientDisconnected,
    DeadlineExceeded,
    Job,
    Rejected,
    RejectionReason,
    Reservation,
)
from dctnet.api import access_log
from dctnet.api.client_identity import identify_client
from dctnet.api.connection import UploadAborted, connection
from dctnet.api.deadline import request_timeout
from dctnet.api.options import CartoonOptions, Fields
from dctnet.api.problems import DEADLINE_TOO_SHORT, Problem
from dctnet.api.queue_tickets import QueueTickets, requested_ticket
from dctnet.api.upload_body import Upload, max_length, read_upload, require_plain_body
from dctnet.codecs.pool import Codec
from dctnet.cost import MIN_COST, job_cost
from dctnet.engine.geometry import output_size, reduction
from dctnet.imaging import (
    DECODE_BYTES_PER_PIXEL,
    DECODE_FIXED_BYTES,
    MEDIA_TYPES,
    Format,
    ImageHeader,
    TooManyPixels,
    inspect,
    is_out_of_memory,
    require_encodable,
)
from dctnet.lifecycle.state import State
from dctnet.memory import KEPT_ALPHA_FACTOR
from dctnet.replica import Replica

MODEL_HEADER = "X-Dctnet-Model"
STYLE_HEADER = "X-Dctnet-Style"
FACES_HEADER = "X-Dctnet-Faces"
TIMING_HEADER = "Server-Timing"

RETRY_AFTER_STARTING_S = 5.0
"""`Retry-After` while the model loads, in seconds."""


@dataclass(frozen=True, slots=True)
class CartoonRequest:
    """A request for a cartoon, parsed from its headers."""

    http_request: Request
    timeout: float
    """Seconds that the request may take."""
    deadline: float
    """The monotonic time by which the response must be complete."""
    client: Client
    queue_ticket: str | None
    """The token with which the client may poll the queue position."""


@dataclass(frozen=True, slots=True)
class CartoonResponse:
    """An encoded cartoon and its metadata."""

    data: bytes
    style: str
    format: Format
    faces: int
    stages: dict[str, float]
    """Duration of each stage in seconds, in the order of the stages."""


class CartoonHandler:
    """Receives images and cartoonizes them on the slots of the replica."""

    def __init__(self, replica: Replica, tickets: QueueTickets) -> None:
        self._replica = replica
        self._admission = replica.admission
        self._metrics = replica.metrics
        self._settings = replica.settings
        self._tickets = tickets
        self._identify_client = identify_client(replica.settings)
        self._job_cost = partial(
            job_cost,
            max_working_side=replica.settings.max_working_side,
            generator_threads=replica.settings.threads_per_slot,
        )

    def respond(
        self, request: Request, parse_options: Callable[[Fields], CartoonOptions]
    ) -> Response:
        """Return the response with the cartoon of the request's image.

        ``parse_options`` gets the fields of the form: none before the body is read.

        Raises Rejected, Problem, ImageError, ReadTimeout, UploadAborted, DeadlineExceeded and
        ClientDisconnected.
        """
        timeout = request_timeout(request, self._settings.request_timeout)
        deadline = monotonic() + timeout
        client, ticket = self._identify_client(request), requested_ticket(request)
        cartoon_request = CartoonRequest(request, timeout, deadline, client, ticket)
        parse_options({})
        with self._admit(cartoon_request) as body:
            job = self._receive_and_queue(cartoon_request, parse_options, body)
        cartoon = self._wait_for_cartoon(cartoon_request, job)
        access_log.add_fields(style=cartoon.style, faces=cartoon.faces, stages=cartoon.stages)
        return self._response(cartoon)

    def _admit(self, request: CartoonRequest) -> Reservation:
        """Reserve bytes for the body, or reject the request by its headers alone."""
        if self._replica.lifecycle.state is State.STARTING:
            raise Rejected(RejectionReason.STARTING, RETRY_AFTER_STARTING_S)
        self._require_feasible(request, MIN_COST)
        self._admission.check(request.deadline, request.client)
        require_plain_body(request.http_request)
        length = max_length(request.http_request, self._settings.max_body_bytes)
        return self._admission.reserve(length, request.client)

    def _receive_and_queue(
        self,
        request: CartoonRequest,
        parse_options: Callable[[Fields], CartoonOptions],
        body: Reservation,
    ) -> Job[CartoonResponse]:
        """Receive the image and queue it; from then on only the job holds it."""
        upload = self._receive(request)
        options = parse_options(upload.fields)
        body.shrink(len(upload.image))
        return self._queue(request, upload.image, options, body)

    def _receive(self, request: CartoonRequest) -> Upload:
        """Return the image and the form's fields; the number of concurrent uploads is limited."""
        uploads, waiting_bytes = self._admission.uploads, self._admission.waiting_bytes

        def is_crowded() -> bool:
            """Return whether others wait or are rejected because of the uploads in progress."""
            return uploads.waiting > 0 or waiting_bytes.free < self._settings.max_form_bytes

        max_wait = min(self._settings.upload_idle_timeout * 2, request.deadline - monotonic())
        with (
            self._count_out_of_memory("upload"),
            self._admission.upload(max_wait, request.client),
        ):
            connection(request.http_request).begin(request.deadline, is_crowded)
            try:
                upload = read_upload(request.http_request, self._settings.max_body_bytes)
            except UploadAborted:
                self._metrics.client_disconnects.labels("upload").inc()
                raise
        access_log.add_fields(bytes_in=len(upload.image))
        return upload

    def _queue(
        self, request: CartoonRequest, data: bytes, options: CartoonOptions, body: Reservation
    ) -> Job[CartoonResponse]:
        """Queue the image as a job, which takes over its reserved bytes."""
        with self._count_out_of_memory("decode"):
            image = self._inspect(data, options)
        height, width = output_size(image.height, image.width, options.max_side)
        require_encodable(width, height, options.format)
        pixels = image.width * image.height
        access_log.add_fields(pixels=pixels)
        self._metrics.pixels.observe(pixels)
        cost = self._job_cost(
            image,
            options.format,
            max_side=options.max_side,
            is_hot=self._replica.engine(options.style).is_hot,
        )
        self._require_feasible(request, cost)
        encoded = [data]
        return self._admission.submit(
            lambda: self._cartoonize(encoded, image, options),
            cost=cost,
            deadline=request.deadline,
            is_connected=connection(request.http_request).is_open,
            client=request.client,
            body=body,
        )

    def _wait_for_cartoon(
        self, request: CartoonRequest, job: Job[CartoonResponse]
    ) -> CartoonResponse:
        """Wait until a slot has cartoonized the image."""
        access_log.mark_queued(job.queued_at)
        try:
            with self._tickets.register(request.queue_ticket, job):
                cartoon = job.result()
        except ClientDisconnected:
            stage = "queue" if job.started_at is None else "inference"
            self._metrics.client_disconnects.labels(stage).inc()
            raise
        except DeadlineExceeded:
            access_log.add_fields(stages={"queue": job.wait_seconds})
            raise
        cartoon.stages["queue"] = job.wait_seconds
        return cartoon

    def _inspect(self, data: bytes, options: CartoonOptions) -> ImageHeader:
        """Return the header of an image; raise ImageError if it cannot be cartoonized."""
        max_pixels, heic = self._settings.max_pixels, self._settings.heic
        if options.background is not None:
            return inspect(data, max_pixels, heic=heic)
        try:
            return inspect(data, max_pixels // KEPT_ALPHA_FACTOR, heic=heic)
        except TooManyPixels as error:
            detail = f"{error} An image whose transparency is kept counts {KEPT_ALPHA_FACTOR}-fold."
            raise TooManyPixels(detail) from error

    def _require_feasible(self, request: CartoonRequest, cost: float) -> None:
        """Raise Problem if even an idle replica would miss the deadline, however often tried."""
        seconds = self._admission.service_time.idle_seconds(cost)
        if seconds >= request.timeout:
            raise Problem(
                DEADLINE_TOO_SHORT,
                f"The image takes {seconds:.2g} s on an idle server, and the request's timeout is"
                f" {request.timeout:g} s.",
            )

    def _cartoonize(
        self, encoded: list[bytes], header: ImageHeader, options: CartoonOptions
    ) -> CartoonResponse:
        """Decode, cartoonize and encode; runs on a slot, with its codec process.

        ``encoded`` has the file, and nothing once it is decoded: encoding takes most memory.
        """
        with self._replica.codecs.borrow() as codec:
            return self._cartoonize_with(codec, encoded, header, options)

    def _cartoonize_with(
        self, codec: Codec, encoded: list[bytes], header: ImageHeader, options: CartoonOptions
    ) -> CartoonResponse:
        # Decoding runs on the slot too, because pixels take far more memory than the bytes.
        stages = {"queue": 0.0}
        started = monotonic()
        factor = 1
        if header.format == "JPEG":
            factor = reduction(
                header.height,
                header.width,
                self._settings.max_working_side,
                options.max_side,
                options.strength,
            )
        with self._count_out_of_memory("decode"):
            image = codec.decode(
                encoded.pop(), header, self._settings.codec_timeout, factor, options.background
            )
        pixels = header.width * header.height
        stages["decode"] = monotonic() - started
        try:
            with self._count_out_of_memory("inference", pixels):
                engine = self._replica.engine(options.style)
                size = header.height, header.width
                cartoon = engine.cartoonize(
                    image, options.strength, options.max_side, size, codec.allocate
                )
        except Exception:
            self._metrics.inferences.labels(options.style, "error").inc()
            raise
        self._metrics.inferences.labels(options.style, "ok").inc()
        self._metrics.inference_seconds.labels(options.style).observe(sum(cartoon.stages.values()))
        self._metrics.faces.observe(cartoon.faces)
        stages |= cartoon.stages
        started = monotonic()
        with self._count_out_of_memory("encode", pixels):
            data = codec.encode(cartoon.image, options.format, self._settings.codec_timeout)
        stages["encode"] = monotonic() - started
        return CartoonResponse(data, options.style, options.format, cartoon.faces, stages)

    @contextmanager
    def _count_out_of_memory(self, stage: str, pixels: int | None = None) -> Iterator[None]:
        """Count a stage that runs out of memory, and raise MemoryError for it.

        With ``pixels``, any error counts if there is no memory to decode that number of pixels.
        """
        try:
            yield
        except MemoryError:
            self._metrics.out_of_memory.labels(stage).inc()
            raise
        except Exception as error:
            if pixels is not None and is_out_of_memory(error, _decode_bytes(pixels)):
                self._metrics.out_of_memory.labels(stage).inc()
                raise MemoryError(f"Not enough memory for the {stage} stage.") from error
            raise

    def _response(self, cartoon: CartoonResponse) -> Response:
        response = Response(cartoon.data, content_type=MEDIA_TYPES[cartoon.format])
        response.headers["Cache-Control"] = "no-store"
        response.headers[STYLE_HEADER] = cartoon.style
        response.headers[MODEL_HEADER] = self._replica.models[cartoon.style].label
        response.headers[FACES_HEADER] = str(cartoon.faces)
        response.headers[TIMING_HEADER] = ", ".join(
            f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in cartoon.stages.items()
        )
        return response


def _decode_bytes(pixels: int) -> int:
    return DECODE_FIXED_BYTES + max(DECODE_BYTES_PER_PIXEL.values()) * pixels
