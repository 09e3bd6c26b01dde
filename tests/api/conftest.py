"""Fixtures: the application with the real engine on networks made of NumPy."""

import atexit
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Semaphore
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dctnet.app import create_app
from dctnet.arrays import Floats, GeneratorOutput, Pixels
from dctnet.codecs.pool import CodecPool
from dctnet.config import MIB, Settings
from dctnet.engine import Cartoon, Engine
from dctnet.lifecycle.warm_up import CartoonEngine
from dctnet.model_loading import StyleModels
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from dctnet.runtimes import Networks
from tests.support.encoded_images import encoded, gradient
from tests.support.landmarks import FRONTAL_FACE
from tests.support.openapi_validation import openapi_document, require_documented, with_pages
from tests.support.polling import BOUND_S

MAX_BYTES = 100_000
MAX_PIXELS = 90_000
KEYS = "a-key==of-the=test/", "k" * 256
IMAGE = encoded(gradient(40, 24))
MODEL = ModelFolder(Path("tiny"), "tiny", "example/tiny", "v1", "ab" * 32, "unpinned")

_DOCUMENTS: WeakKeyDictionary[Flask, dict[str, Any]] = WeakKeyDictionary()


class _Negative:
    is_hot = True

    def __call__(self, image: Pixels, /) -> GeneratorOutput:
        return 255 - image

    def require_memory(self, calls: int, height: int, width: int) -> None:
        pass


class _Red(_Negative):
    def __call__(self, image: Pixels, /) -> GeneratorOutput:
        return np.full_like(image, (0, 0, 255))  # BGR.


def _one_face_if_bright(image: Pixels) -> tuple[Floats, Floats]:
    box = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32)
    return box, np.array([image.mean() / 255], np.float32)


class FailingEngine:
    """Engine that fails after the warm-up of two slots, with an image each."""

    is_hot = True

    def __init__(self, fail: Callable[[], object]) -> None:
        self._fail, self._warm_ups = fail, 2

    def require_memory(self, calls: int, /) -> None:
        pass

    def time_background(self, image: Pixels, /) -> float:
        return 0.1

    def cartoonize(self, image: Pixels, /, *options: object) -> Cartoon:
        if not self._warm_ups:
            self._fail()
        self._warm_ups -= 1
        return Cartoon(image, 0, {"background": 0.1})


class BlockingEngine:
    """Engine that blocks each image until it is released, after a slot's warm-up."""

    is_hot = True

    def __init__(self) -> None:
        self._permits = Semaphore(1)

    def require_memory(self, calls: int, /) -> None:
        pass

    def time_background(self, image: Pixels, /) -> float:
        return 0.01

    def release(self, number: int) -> None:
        """Allow this number of cartoons."""
        self._permits.release(number)

    def cartoonize(self, image: Pixels, /, *options: object) -> Cartoon:
        assert self._permits.acquire(timeout=BOUND_S)
        return Cartoon(image, 0, {"background": 0.01})


@pytest.fixture
def blocking_engine() -> Iterator[BlockingEngine]:
    """An engine for one slot, which the end of the test unblocks."""
    engine = BlockingEngine()
    yield engine
    engine.release(100)


def tiny_engine() -> Engine:
    """Engine that returns the negative, with a red head on a white square."""
    networks = Networks(_Negative(), _Red(), _one_face_if_bright, lambda _: FRONTAL_FACE)
    return Engine(networks, np.ones((288, 288), np.float32))


def models_of(*models: ModelFolder) -> StyleModels:
    """The models of a replica."""
    return StyleModels({model.style: model for model in models})


@cache
def codecs() -> CodecPool:
    """Codec processes that all replicas share, for two slots."""
    pool = CodecPool(2, max_body_bytes=10 * MIB, max_pixels=10**6)
    atexit.register(pool.stop)
    return pool


def replica_of(
    settings: Settings, *models: ModelFolder, engine: CartoonEngine | None = None
) -> Replica:
    """A ready replica with its own engine for each model, by default for `MODEL`."""
    found = models_of(*(models or (MODEL,)))
    engines = {style: engine or tiny_engine() for style in found.models}
    replica = Replica(settings, found, lambda _: (engines, {}), codecs=codecs())
    replica.load()
    return replica


@pytest.fixture(scope="session")
def settings() -> Settings:
    limits = {"DCTNET_MAX_BODY_BYTES": str(MAX_BYTES), "DCTNET_MAX_PIXELS": str(MAX_PIXELS)}
    return Settings.from_environment({"DCTNET_SLOTS": "2", **limits})


def client_of(
    settings: Settings, *models: ModelFolder, engine: CartoonEngine | None = None
) -> FlaskClient:
    """Client of a ready server."""
    return create_app(replica_of(settings, *models, engine=engine)).test_client()


def starting_client_of(settings: Settings, model: ModelFolder = MODEL) -> FlaskClient:
    """Client of a server that is loading its model."""
    return create_app(Replica(settings, models_of(model))).test_client()


@pytest.fixture(scope="session")
def client(settings: Settings) -> FlaskClient:
    return client_of(settings)


@pytest.fixture
def starting_client(settings: Settings) -> FlaskClient:
    return starting_client_of(settings)


@pytest.fixture(scope="session")
def settings_with_keys(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a server that requires an API key."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("\n".join(KEYS))
    return replace(settings, api_keys_file=file)


@pytest.fixture(scope="session")
def client_with_keys(settings_with_keys: Settings) -> FlaskClient:
    return client_of(settings_with_keys)


def require_problem(response: TestResponse, status: int, slug: str) -> str:
    """Check a problem document and return its detail."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    problem = response.get_json()
    members = {"type", "title", "status", "detail", "request_id"}
    if status in {429, 503}:
        members |= {"reason", "retry_after"}
        assert str(problem["retry_after"]) == response.headers["Retry-After"]
    assert problem.keys() == members
    assert problem["type"] == f"urn:dctnet:problem:{slug}"
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert "\n" not in problem["title"] + problem["detail"]
    return str(problem["detail"])


@pytest.fixture(autouse=True)
def validate_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate every response of the tests against the server's OpenAPI document."""
    ask = FlaskClient.open

    def open(client: FlaskClient, *args: Any, **kwargs: Any) -> TestResponse:
        app = client.application
        if app not in _DOCUMENTS:
            _DOCUMENTS[app] = {}  # While it is fetched.
            _DOCUMENTS[app] = with_pages(openapi_document(app))
        response = ask(client, *args, **kwargs)
        if _DOCUMENTS[app]:
            require_documented(app, _DOCUMENTS[app], response)
        return response

    monkeypatch.setattr(FlaskClient, "open", open)
