"""The image's tests: those that run it are for `make image-test`, which has built it."""

import os

collect_ignore = [] if "CONTAINER_ENGINE" in os.environ else ["test_running.py"]
