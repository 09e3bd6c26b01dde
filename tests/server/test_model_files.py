"""A server and a model folder that changes while it runs."""

import os
import shutil
import signal

import pytest
import requests

from dctnet.models.folder import DEMO, KNOWN_ANSWER
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S


@pytest.mark.promise("Models: the files served are the files that were verified")
def test_a_server_and_its_next_worker_use_the_files_that_were_verified(start, tmp_path):
    folder, secret = tmp_path / "model", tmp_path / "secret"
    shutil.copytree(DEMO, folder)
    secret.write_text("a secret")
    server = start(folder, DCTNET_SLOTS=1)
    server.wait_for(200)
    for path in list(folder.iterdir()):
        path.unlink()
        path.symlink_to(secret)
    expected = (DEMO / KNOWN_ANSWER).read_bytes()

    def sample() -> bytes:
        return requests.get(f"{server.url}/v1/styles/demo/sample", timeout=BOUND_S).content

    assert sample() == expected
    shutil.rmtree(folder)
    os.kill(server.worker(), signal.SIGKILL)
    server.until(lambda: sum("ready;" in line for line in server.messages()) == 2)
    server.wait_for(200)
    assert sample() == expected
    response = requests.post(
        f"{server.url}/v1/cartoons", data=encoded(gradient(40, 40)), timeout=BOUND_S
    )
    assert response.status_code == 200
