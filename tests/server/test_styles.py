"""Several styles in one replica: own cartoons, switches of weights, styles that are left out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests

from dctnet.arrays import Pixels
from dctnet.config import Settings
from dctnet.engine import Engine
from dctnet.model_loading import find_models, load_engines
from dctnet.models import manifest
from dctnet.models.folder import GOLDEN_CHECKSUMS, GOLDEN_OUTPUT, GOLDEN_PAIR, SHIPPED
from dctnet.models.styles import SHIPPED_STYLES
from tests.support.encoded_images import decoded, encoded
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving
from tests.support.shipped import copy_shipped

CLIENTS, REQUESTS = 8, 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two slots share the transformed weights of two styles, so that a third needs a switch."""
    log = tmp_path_factory.mktemp("styles") / "log"
    with serving(log, DCTNET_STYLE_CACHE=1, DCTNET_SLOTS=2) as server:
        yield server


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    """The shipped styles in this process."""
    settings = Settings.from_environment({})
    return dict(load_engines(settings, find_models(settings))[0])


def cartoonize(server: Server, image: Pixels, style: str) -> requests.Response:
    url = f"{server.url}/v1/cartoons?style={style}"
    return requests.post(url, data=encoded(image), timeout=BOUND_S)


def test_portrait_comes_back_in_each_shipped_style(server, engines, astronaut):
    listed = requests.get(f"{server.url}/v1/styles", timeout=BOUND_S).json()["styles"]
    assert [style["name"] for style in listed] == list(SHIPPED_STYLES)
    assert [style["default"] for style in listed] == [True, False, False]
    cartoons = []
    for style in listed:
        response = cartoonize(server, astronaut, style["name"])
        assert response.headers["X-Dctnet-Style"] == style["name"]
        cartoons.append(decoded(response.content))
        assert np.array_equal(cartoons[-1], engines[style["name"]].cartoonize(astronaut).image)
        sample = requests.get(f"{server.url}/v1/{style['sample']}", timeout=BOUND_S)
        assert sample.headers["Content-Type"] == "image/webp"
    assert not any(np.array_equal(cartoons[0], other) for other in cartoons[1:])


@pytest.mark.promise("Load: concurrent requests get their own responses")
def test_concurrent_requests_get_their_own_style(server, engines):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (96 + 16 * i, 128, 3), np.uint8) for i in range(4)]
    expected = {
        (style, i): engine.cartoonize(image).image
        for style, engine in engines.items()
        for i, image in enumerate(images)
    }
    asked = [(str(random.choice(SHIPPED_STYLES)), i % len(images)) for i in range(REQUESTS)]

    def cartoon(style: str, index: int) -> Pixels:
        response = cartoonize(server, images[index], style)
        assert (response.status_code, response.headers["X-Dctnet-Style"]) == (200, style)
        return decoded(response.content)

    with ThreadPoolExecutor(CLIENTS) as pool:
        cartoons = list(pool.map(lambda request: cartoon(*request), asked))
    for request, found in zip(asked, cartoons, strict=True):
        assert np.array_equal(found, expected[request])
    for style in SHIPPED_STYLES:
        assert server.metric("dctnet_inferences_total", style=style, result="ok") > 0
        assert server.metric("dctnet_inference_duration_seconds_count", style=style) > 0
    assert server.metric("dctnet_style_switches_total") > len(SHIPPED_STYLES)


def test_broken_style_fails_the_start_or_is_left_out(tmp_path):
    """Its golden pair is of another style, so that only the self-test finds it."""
    folder = broken_style(tmp_path / "broken")
    styles = {"DCTNET_STYLES": f"comic,{folder}", "DCTNET_SLOTS": 1}
    with Server(tmp_path / "failed", **styles) as server:
        assert server.process.wait(BOUND_S) == 3
        assert any("fails its golden pair" in line for line in server.messages())
    with serving(tmp_path / "log", **styles, DCTNET_STYLES_OPTIONAL="true") as server:
        listed = requests.get(f"{server.url}/v1/styles", timeout=BOUND_S).json()["styles"]
        assert [style["name"] for style in listed] == ["comic"]
        readiness = requests.get(f"{server.management}/readyz?verbose", timeout=BOUND_S).text
        assert "broken is left out: The model in" in readiness
        assert server.metric("dctnet_style_loaded", style="broken") == 0
        assert server.metric("dctnet_style_loaded", style="comic") == 1
        response = requests.post(f"{server.url}/v1/cartoons?style=broken", timeout=BOUND_S)
        assert response.status_code == 422
        assert "these are: comic." in response.json()["detail"]


def broken_style(folder: Path) -> Path:
    """Write a model that verifies and loads, but does not reproduce its golden pair."""
    copy_shipped(folder)
    (folder / GOLDEN_OUTPUT).write_bytes((SHIPPED / "poster" / GOLDEN_OUTPUT).read_bytes())
    records = {name: manifest.record_file(folder / name) for name in GOLDEN_PAIR}
    (folder / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(records))
    described = manifest.decode((folder / manifest.FILE_NAME).read_bytes(), folder)
    manifest.write(folder, replace(described, style="broken"))
    return folder
