"""``dctnet fetch`` with the real client of the ModelScope hub, against a stand-in on loopback."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.models import manifest
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.manifest import FileRecord, Manifest
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES
from tests.hub.stand_in import Hub, running
from tests.support.certificates import self_signed
from tests.support.polling import until

ANIME = "iic/cv_unet_person-image-cartoon_compound-models"
BIG, BIG_SIZE = "cartoon_bg.pb", 3_000_000
LIMIT_SECONDS = 60


@cache
def content(name: str, revision: str) -> bytes:
    size = BIG_SIZE if name == BIG else 1000
    return random.Random(f"{name}@{revision}").randbytes(size)


def a_revision(name: str) -> dict[str, bytes]:
    taken = {path: content(path, name) for path in (*REQUIRED_FILES, "README.md")}
    return taken | {"demo/input.png": b"left alone", "cartoon_bg.pb.bak": b"left alone"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    revisions = {"master": a_revision("master"), "v1.0": a_revision("v1.0")}
    with running(Hub(ANIME, revisions)) as hub:
        yield hub


@pytest.fixture(autouse=True)
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, in an environment with only the stand-in hub."""
    for name in os.environ:
        if name.startswith(("DCTNET_", "MODELSCOPE_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.address)
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path / "models"))
    return home


@pytest.fixture(autouse=True)
def impatient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client give up after seconds; it reads these from the environment on import."""
    monkeypatch.setattr("modelscope_hub._legacy_api.REPO_TREE_PAGE_MAX_ATTEMPTS", 1)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_TIMES", 1)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "models" / "anime"


@pytest.fixture
def rejection(capsys: pytest.CaptureFixture[str], to: Path):
    """Run a fetch that must fail; return its error line, and check that no model exists."""

    def run(*arguments: str) -> str:
        assert main(["fetch", *(arguments or ["anime"])]) == 1
        message = capsys.readouterr()
        assert message.out == ""
        lines = message.err.splitlines()
        assert len(lines) == 1
        assert lines[0].isprintable()
        assert not any(path.name == "manifest.json" for path in to.parent.glob("**/*"))
        return lines[0]

    return run


@pytest.fixture
def fetched(capsys: pytest.CaptureFixture[str]):
    """Run a fetch that must succeed without errors; return its lines."""

    def run(*arguments: str) -> list[str]:
        assert main(["fetch", *(arguments or ["anime"])]) == 0
        message = capsys.readouterr()
        assert message.err == ""
        return message.out.splitlines()

    return run


def manifest_of(folder: Path) -> Manifest:
    path = folder / manifest.FILE_NAME
    return manifest.decode(path.read_bytes(), path)


def test_fetch_downloads_model_readme_and_licence(hub, to, fetched):
    hub.revisions["master"]["LICENSE"] = b"to whom it may concern"
    fetched()
    expected = {name: content(name, "master") for name in (*REQUIRED_FILES, "README.md")}
    expected["LICENSE"] = b"to whom it may concern"
    visible = {path.name for path in to.iterdir() if not path.name.startswith(".")}
    assert visible == {*expected, "manifest.json"}
    for name, whole in expected.items():
        assert (to / name).read_bytes() == whole
    assert {request.path for request in hub.file_requests} == set(expected)


def test_manifest_has_checksums_and_hub_report(hub, to, fetched):
    fetched("anime", "--revision", "v1.0")
    written = manifest_of(to)
    assert (written.style, written.model, written.revision) == ("anime", ANIME, "v1.0")
    assert written.files == {
        name: FileRecord(hashlib.sha256(whole).hexdigest(), len(whole))
        for name in (*REQUIRED_FILES, "README.md")
        for whole in [content(name, "v1.0")]
    }
    assert written.hub == manifest.HubReport(
        endpoint=hub.address,
        revision={"Revision": "v1.0", "CreatedAt": 1_665_300_000},
        last_commit="2022-10-09T07:20:00+00:00",
    )


def source_pin() -> str:
    """The pin of the revision ``master``, as `sha256sum FILES | sha256sum` computes it."""
    names = "alpha.jpg", "cartoon_bg.pb", "cartoon_h.pb", "detector.pb", "keypoints.pb"
    sums = [f"{hashlib.sha256(content(name, 'master')).hexdigest()}  {name}\n" for name in names]
    return f"source:sha256:{hashlib.sha256(''.join(sums).encode()).hexdigest()}"


def test_last_line_is_the_source_pin_and_only_a_lock_file_remains(hub, to, home, fetched):
    lines = fetched()
    pin = "To pin it, converted or not, set anime=DIGEST in DCTNET_STYLE_DIGESTS; its is"
    digest = source_pin()
    assert lines == [f"anime at revision master is fetched: {to}", pin, digest]
    assert open_folder(to, Pin.parse(digest)).integrity == "pinned"
    assert sorted(path.name for path in to.parent.iterdir()) == [".anime.lock", "anime"]
    assert (to.parent / ".anime.lock").stat().st_size == 0
    assert list(home.iterdir()) == []

    # A second fetch downloads nothing and sends no request.
    hub.requests.clear()
    there = f"anime at revision master already exists and is verified: {to}"
    assert fetched() == [there, pin, digest]
    assert hub.requests == []

    # An empty folder elsewhere is filled, and has the same digest.
    chosen = to.parent / "volume" / "model"
    chosen.mkdir(parents=True)
    assert fetched("anime", "--to", str(chosen))[-1] == digest
    assert open_folder(chosen).style == "anime"


def test_several_styles_are_fetched_until_one_fails(hub, to, capsys, fetched, monkeypatch):
    styles = "anime", "3d", "handdrawn", "sketch"
    hub.others = frozenset(STYLES[style].model_id for style in styles)
    hub.unavailable = frozenset({STYLES["handdrawn"].model_id})
    assert main(["fetch", *styles]) == 1
    message = capsys.readouterr()
    assert message.err.startswith("dctnet: handdrawn: ")
    assert [line.split()[0] for line in message.out.splitlines()[::3]] == ["anime", "3d"]
    folders = {path.name for path in to.parent.iterdir() if not path.name.startswith(".")}
    assert folders == {"anime", "3d"}
    for style in folders:
        assert open_folder(to.parent / style).style == style

    hub.unavailable = frozenset()
    lines = fetched(*styles)
    assert [line.split()[0] for line in lines[::3]] == list(styles)
    assert lines[2::3] == [source_pin()] * 4

    # A pin of a style is expected of its download.
    shutil.rmtree(to.parent / "sketch")
    monkeypatch.setenv("DCTNET_STYLE_DIGESTS", f"sketch=source:sha256:{'0' * 64}")
    assert main(["fetch", *styles]) == 1
    assert capsys.readouterr().err.startswith("dctnet: sketch: ")
    assert not (to.parent / "sketch").exists()


def test_options_of_one_style_are_refused_for_several(rejection, tmp_path):
    for option in ("--to", str(tmp_path)), ("--from", str(tmp_path)), ("--digest", "0" * 64):
        message = rejection("anime", "3d", *option)
        assert message == "dctnet: --to, --from and --digest are for one style."


def test_download_with_another_digest_than_expected_is_deleted(hub, to, rejection, fetched):
    other = f"source:sha256:{'0' * 64}"
    message = rejection("anime", "--digest", other)
    assert "have the digest" in message
    assert f"but {'0' * 64} is expected" in message
    assert [path.name for path in to.parent.iterdir()] == [".anime.lock"]
    assert fetched("anime", "--digest", source_pin())[-1] == source_pin()
    assert main(["fetch", "anime", "--digest", other]) == 1
    assert to.is_dir()


def test_login_on_the_machine_is_not_used(hub, home, fetched):
    from modelscope_hub import HubConfig

    HubConfig(config_dir=home / ".modelscope").save_token("secret")
    fetched()
    assert hub.requests
    assert not [request for request in hub.requests if "secret" in str(request.headers)]


def test_token_in_the_environment_is_used(hub, fetched, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "mine")
    fetched()
    assert "Bearer mine" in [request.headers["Authorization"] for request in hub.requests]


def test_damaged_model_is_rejected(to, fetched, capsys):
    fetched()
    (to / "detector.pb").write_bytes(b"")
    assert main(["fetch", "anime"]) == 1
    message = capsys.readouterr().err
    assert message == (
        f"dctnet: The model file {to / 'detector.pb'} is truncated: it has 0 of 1000 bytes."
        f" Remove {to} and run the command again.\n"
    )


@pytest.mark.parametrize("other", [["3d", "--to", "{to}"], ["anime", "--revision", "v1.0"]])
def test_folder_with_another_model_is_kept(to, fetched, capsys, other):
    fetched()
    digest = open_folder(to).digest
    assert main(["fetch", *(word.format(to=to) for word in other)]) == 1
    assert f"{to} already holds anime at revision master" in capsys.readouterr().err
    assert open_folder(to).digest == digest


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_folder_that_was_not_fetched_is_never_replaced(to, rejection, kind):
    to.parent.mkdir()
    if kind == "folder":
        to.mkdir()
        (to / "diary.txt").write_text("mine")
    else:
        to.write_text("mine")
    assert f"{to} already exists and was not fetched" in rejection()
    assert (to / "diary.txt" if kind == "folder" else to).read_text() == "mine"


def test_lost_connection_is_resumed_within_a_run(hub, to, fetched):
    hub.cut_after[BIG] = [1_000_000]
    fetched()
    assert (to / BIG).read_bytes() == content(BIG, "master")
    first, second = hub.requests_for(BIG)
    assert (first.range, first.sent) == (None, 1_000_000)
    assert (second.range, second.sent) == ("bytes=1000000-", 2_000_000)


def test_part_of_a_small_file_has_the_status_200(hub, to, fetched):
    hub.cut_after["keypoints.pb"] = [400]
    fetched()
    assert (to / "keypoints.pb").read_bytes() == content("keypoints.pb", "master")
    assert [sent.range for sent in hub.requests_for("keypoints.pb")] == [None, "bytes=400-"]


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
def test_interrupted_download_is_resumed(hub, to, rejection, fetched):
    hub.cut_after[BIG] = [1_000_000, 500_000]
    message = rejection()
    assert "the connection was lost" in message
    assert f"{BIG} of {ANIME} at revision master" in message
    assert not to.exists()
    hub.file_requests.clear()
    fetched()
    assert [(a.path, a.range, a.sent) for a in hub.file_requests] == [
        (BIG, "bytes=1500000-", 1_500_000)
    ]
    assert (to / BIG).read_bytes() == content(BIG, "master")


def test_download_of_another_revision_is_not_resumed(hub, to, rejection, fetched):
    hub.listed_sums[BIG] = None
    hub.cut_after[BIG] = [1_000_000, 500_000]
    rejection()
    fetched("anime", "--revision", "v1.0")
    assert (to / BIG).read_bytes() == content(BIG, "v1.0")


def start(to: Path, options: str = "", then: str = "") -> subprocess.Popen[str]:
    """Fetch in a process of its own, which prints whether it downloaded, or what `then` gives."""
    script = (
        "import sys; from pathlib import Path; from dctnet.models.fetch import fetch;"
        f"downloaded = fetch('anime', Path(sys.argv[1]), {options}).downloaded;"
        f"print({then or 'downloaded'})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(to)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
def test_killed_fetch_leaves_no_model_and_is_resumed(hub, to, fetched):
    hub.held_after[BIG] = 2_000_000
    partial = to.parent / ".anime.partial" / "anime%40master" / f"{BIG}.incomplete"
    with start(to) as process:
        until(lambda: partial.exists() and partial.stat().st_size > 1_900_000, "2 MB")
        process.kill()
    assert not to.exists()
    there = partial.stat().st_size
    hub.held_after.clear()
    hub.file_requests.clear()
    fetched()
    (again,) = hub.requests_for(BIG)
    assert (again.range, again.sent) == (f"bytes={there}-", BIG_SIZE - there)
    assert (to / BIG).read_bytes() == content(BIG, "master")


def test_interrupted_fetch_exits_silently(hub, to):
    hub.held_after[BIG] = 0
    command = [sys.executable, "-m", "dctnet", "fetch", "anime"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: hub.requests_for(BIG), "the process to ask")
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, message) == (130, "")
    assert not to.exists()


def has_open(process: subprocess.Popen[str], path: Path) -> bool:
    return any(link.resolve() == path for link in Path(f"/proc/{process.pid}/fd").iterdir())


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
def test_concurrent_fetches_download_once(hub, to):
    hub.held_after[BIG] = 0
    with start(to) as first:
        until(lambda: hub.requests_for(BIG), "the first process to ask")
        with start(to) as second:
            until(lambda: has_open(second, to.parent / ".anime.lock"), "the second at the lock")
            hub.held_after.clear()
            hub.released.set()
            responses = [process.communicate(timeout=LIMIT_SECONDS) for process in (first, second)]
    assert responses == [("True\n", ""), ("False\n", "")]


def test_file_with_wrong_checksum_is_deleted(hub, to, rejection):
    hub.listed_sums["alpha.jpg"] = "0" * 64
    message = rejection()
    assert f"The download of alpha.jpg of {ANIME}" in message
    assert "was deleted" in message
    assert not to.exists()
    assert not list(to.parent.glob("**/alpha.jpg*"))


def test_checksum_is_computed_if_the_hub_lists_none(hub, to, fetched):
    hub.listed_sums["alpha.jpg"] = None
    fetched()
    whole = content("alpha.jpg", "master")
    assert manifest_of(to).files["alpha.jpg"].sha256 == hashlib.sha256(whole).hexdigest()


def test_unknown_style_is_rejected_without_a_request(hub, rejection):
    message = rejection("../anima")
    assert "There is no public style '../anima': the styles are anime, 3d," in message
    assert hub.requests == []


def test_unknown_revision_is_named(hub, rejection):
    assert rejection("anime", "--revision", "v9") == (
        f"dctnet: There is no {ANIME} at revision v9 on the hub {hub.address}: check the revision"
        " and MODELSCOPE_ENDPOINT."
    )


def test_revision_without_a_model_is_named(hub, rejection):
    hub.revisions["empty"] = {"README.md": b"soon"}
    message = rejection("anime", "--revision", "empty")
    assert f"at revision empty on the hub {hub.address} lacks alpha.jpg, cartoon_bg.pb," in message
    assert hub.file_requests == []


def test_listed_but_missing_file_is_named(hub, rejection):
    """The hub's response for it is a JSON document with the status 200."""
    hub.withheld["keypoints.pb"] = HTTPStatus.NOT_FOUND
    message = rejection()
    assert f"The download of keypoints.pb of {ANIME} at revision master" in message
    assert "does not match the size or checksum" in message


def test_missing_file_is_detected_if_the_hub_lists_no_checksum(hub, rejection):
    hub.withheld["keypoints.pb"] = HTTPStatus.NOT_FOUND
    hub.listed_sums["keypoints.pb"], hub.listed_sizes["keypoints.pb"] = None, 0
    assert f"There is no keypoints.pb of {ANIME} at revision master" in rejection()


def test_file_with_another_size_than_listed_is_deleted(hub, to, rejection):
    hub.listed_sizes["alpha.jpg"] = 999
    message = rejection()
    assert f"The download of alpha.jpg of {ANIME}" in message
    assert "was deleted" in message
    assert not list(to.parent.glob("**/alpha.jpg*"))


def test_rate_limit_is_waited_for_then_reported_with_its_duration(
    hub, rejection, fetched, monkeypatch
):
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_MAX_DELAY_SECONDS", 0)
    hub.rate_limited["detector.pb"] = [7, 7]
    assert "with HTTP 429. Run the command again in 7 s: it resumes." in rejection()
    hub.rate_limited["detector.pb"] = [7]
    fetched()


def test_large_files_come_from_the_second_host_without_the_token(hub, to, fetched, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "mine")
    fetched()
    assert (to / BIG).read_bytes() == content(BIG, "master")
    (asked,) = [request for request in hub.requests if f"FilePath={BIG}" in request.path]
    assert asked.headers["Authorization"] == "Bearer mine"
    (sent,) = hub.cdn_requests
    assert sent.headers["Authorization"] is None


def test_untrusted_certificate_error_names_the_remedy(
    hub, rejection, fetched, monkeypatch, tmp_path
):
    certificate, tls = self_signed(tmp_path, "127.0.0.1")
    with running(Hub(ANIME, hub.revisions), tls=tls) as secure:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", secure.address)
        message = rejection()
        assert f"The hub's certificate is not trusted, for {ANIME} at revision master" in message
        assert "set REQUESTS_CA_BUNDLE to the file" in message
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        fetched()


@pytest.mark.parametrize("status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.FORBIDDEN])
@pytest.mark.parametrize("where", ["everywhere", "for a file"])
def test_hub_error_is_reported_with_its_status(hub, rejection, status, where):
    if where == "everywhere":
        hub.status = status
    else:
        hub.withheld["detector.pb"] = status
    message = rejection()
    assert f"with HTTP {status.value}." in message
    assert ("detector.pb of" in message) == (where == "for a file")


@pytest.mark.parametrize("lacking", ["all", "this one"])
def test_unlisted_revision_is_recorded_without_hub_entry(hub, to, fetched, monkeypatch, lacking):
    hub.without_revisions = lacking == "all"
    monkeypatch.setattr(Hub, "list_revisions", lambda _: {"Data": {"RevisionMap": {"Tags": []}}})
    fetched()
    report = manifest_of(to).hub
    assert report is not None
    assert report.revision is None


@pytest.mark.parametrize("garbage", [b"<html>Sign in to the Wi-Fi</html>", b"[1, 2]", b"null"])
def test_invalid_response_names_the_endpoint(hub, rejection, garbage):
    hub.garbage = garbage
    assert "check that MODELSCOPE_ENDPOINT is the address of a hub" in rejection()


def test_unreachable_hub_is_named(rejection, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # Bound but not listening: connecting fails.
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
        message = rejection()
    assert f"The hub could not be reached, or the connection was lost, for {ANIME}" in message
    assert address in message


def test_password_in_the_hub_address_is_not_printed(hub, to, rejection, fetched, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.address.replace("//", "//me:secret@"))
    assert "secret" not in rejection("anime", "--revision", "v9")
    fetched()
    assert "secret" not in (to / "manifest.json").read_text()


def test_unwritable_folder_is_named(tmp_path, rejection):
    (tmp_path / "file").touch()
    message = rejection("anime", "--to", str(tmp_path / "file" / "anime"))
    assert message.startswith(f"dctnet: Cannot write {tmp_path / 'file'}")


def test_full_disk_is_distinguished_from_network_errors(to, rejection):
    staged = to.parent / ".anime.partial" / "anime%40master"
    staged.mkdir(parents=True)
    (staged / f"{BIG}.incomplete").symlink_to("/dev/full")
    message = rejection()
    assert f"Cannot store {BIG} of {ANIME}" in message
    assert "No space left on device" in message


def test_missing_hub_client_error_names_the_package(rejection, monkeypatch):
    monkeypatch.setitem(sys.modules, "modelscope_hub", None)
    assert "pip install 'dctnet[reference]'" in rejection()


def test_terminal_shows_progress_and_no_ml_packages_are_imported(to):
    packages = "{'torch', 'tensorflow', 'numpy'} & set(sys.modules)"
    with start(to, "show_progress=True", packages) as process:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out) == (0, "set()\n")
    assert "100%" in err
    assert "7/7" in err
    assert "modelscope_hub" not in err
