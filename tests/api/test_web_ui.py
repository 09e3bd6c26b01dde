"""``GET /``: HTML and static files of the web UI; tests/web_ui uses a browser."""

import re
import shutil
from dataclasses import replace

import pytest

from dctnet.api import static_files
from tests.api.conftest import MAX_BYTES, MAX_PIXELS, MODEL, client_of


def links(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(static/[^"]+)"', page)


def test_page_has_the_models_and_the_limits(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert 'data-models="tiny@v1"' in response.text
    assert 'data-text="shippedNotice"' not in response.text
    limits = {"bytes": MAX_BYTES, "pixels": MAX_PIXELS}
    for name, limit in limits.items():
        assert f'data-max-{name}="{limit}"' in response.text
    for side, pixels in ("short", 720), ("long", 1280):
        assert f'data-{side}-side="{pixels}"' in response.text


def test_shipped_styles_page_has_a_notice(settings):
    comic, poster = (replace(MODEL, style=style, revision="") for style in ("comic", "poster"))
    page = client_of(settings, comic, poster).get("/").text
    assert 'data-models="comic, poster"' in page
    assert 'data-text="shippedNotice"' in page
    assert 'data-text="shippedNotice"' not in client_of(settings, comic, MODEL).get("/").text


def test_model_label_is_escaped(settings):
    page = client_of(settings, replace(MODEL, revision='"><b>bold')).get("/").text
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_static_files_are_served_and_cached_as_immutable(client):
    urls = links(client.get("/").text)
    paths = {name: path for name, path in static_files.static_paths().items() if name != "docs.css"}
    assert sorted(urls) == sorted(f"static/{path}" for path in paths.values())
    responses = [client.get(f"/{link}") for link in urls]
    types = {response.mimetype for response in responses}
    assert types == {"image/svg+xml", "text/css", "text/javascript"}
    for response in responses:
        assert response.cache_control.public
        assert response.cache_control.immutable
        assert response.cache_control.max_age == 365 * 24 * 60 * 60


@pytest.mark.parametrize("change", ["content", "name", "one more"])
def test_static_paths_change_with_the_content(change, tmp_path, monkeypatch):
    before = static_files.static_paths()
    folder = tmp_path / "static"
    shutil.copytree(static_files.FOLDER, folder)
    monkeypatch.setattr(static_files, "FOLDER", folder)
    assert static_files.static_paths() == before
    if change == "content":
        (folder / "locales" / "zh.js").write_text("export default {};")
    elif change == "name":
        (folder / "main.css").rename(folder / "other.css")
    else:
        (folder / "empty.js").touch()
    assert not set(static_files.static_paths().values()) & set(before.values())


@pytest.mark.parametrize(
    "name",
    ["main.css", "main.0123456789abcdef.css", "0123456789abcdef/main.css", "..", "../app.py"],
)
def test_other_static_paths_are_not_found(client, name):
    response = client.get(f"/static/{name}")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert not response.cache_control.public


def test_page_references_no_other_host(client):
    page = client.get("/").text
    for link in links(page):
        page += client.get(f"/{link}").text
    urls = re.findall(r"(?:https?:)?//[a-z][^\s\"')]*", page)
    assert [a for a in urls if "www.w3.org" not in a] == []


def test_page_has_every_element_that_the_scripts_use(client):
    page = client.get("/").text
    modules = "".join(path.read_text() for path in static_files.FOLDER.glob("*.js"))
    used_ids = set(re.findall(r'(?:byId|getElementById|showBlob)\("([\w-]+)"', modules))
    assert {"file", "api-key", "problem", "countdown"} <= used_ids
    assert used_ids <= set(re.findall(r'id="([\w-]+)"', page))


def test_locales_have_the_same_keys():
    names = [
        re.findall(r'^  "?([A-Za-z-]+)"?[:,]', path.read_text(), re.MULTILINE)
        for path in sorted((static_files.FOLDER / "locales").iterdir())
    ]
    # The Chinese file has extra keys: its own titles of the styles.
    english, chinese = (set(keys) for keys in names)
    assert english
    assert english <= chinese
