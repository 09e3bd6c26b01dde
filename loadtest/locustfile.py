"""Locust user for teams that want its UI; measures from when a request was due.

locust --locustfile loadtest/locustfile.py --host http://127.0.0.1:8080 --users 50
Environment: RATE, requests per second of all users together; IMAGE, a file to send.
Locust is not a dependency of dctnet: install it with `pip install locust`.
"""

import itertools
import os
import time
from pathlib import Path
from typing import ClassVar

from locust import HttpUser, task

RATE = float(os.environ.get("RATE", "1"))
IMAGE = Path(os.environ.get("IMAGE", "portrait.jpg"))


class Portraits(HttpUser):
    """Sends an image whenever the next one is due; a late request counts its delay as latency."""

    arrivals: ClassVar["itertools.count[int]"] = itertools.count()
    start_s: ClassVar[float] = 0.0
    image: ClassVar[bytes] = b""

    def on_start(self) -> None:
        """Read the image once, and start the schedule with the first user."""
        cls = type(self)
        cls.image = cls.image or IMAGE.read_bytes()
        cls.start_s = cls.start_s or time.monotonic()

    @task
    def cartoonize(self) -> None:
        """Wait for the next due time, which all users share, and send the image."""
        due_s = self.start_s + next(self.arrivals) / RATE
        time.sleep(max(0.0, due_s - time.monotonic()))
        with self.client.post("/v1/cartoons", data=self.image, catch_response=True) as response:
            # Locust's own time starts when the request is sent.
            response.request_meta["response_time"] = 1000 * (time.monotonic() - due_s)
            if response.status_code in {429, 503}:
                response.failure(f"rejected with {response.status_code}")
