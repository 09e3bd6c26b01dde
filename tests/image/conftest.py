"""Image tests; those that run it need `make image-test`, which builds it."""

import os

collect_ignore = [] if "CONTAINER_ENGINE" in os.environ else ["test_running.py"]
