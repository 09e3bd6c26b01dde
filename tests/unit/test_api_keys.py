"""API keys: parsing of the file, constant-time comparison, rotation."""

import hmac
import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from dctnet import api_keys
from dctnet.api_keys import MAX_FILE_BYTES, MAX_LENGTH, MIN_LENGTH, POLL_INTERVAL_S, ApiKeys
from dctnet.config import SettingsError
from tests.support.admission import BOUND_S, in_background
from tests.support.mounted_secret import MountedSecret

OLD, NEW, OTHER = ("0123456789abcdef", "fedcba9876543210", "a-key-of-no-one!")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def keys_of(file: Path, content: bytes) -> ApiKeys:
    file.write_bytes(content)
    return ApiKeys(file)


def rejection(file: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        ApiKeys(file)
    return str(caught.value)


def replace(file: Path, text: str) -> None:
    """Replace the file atomically."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def test_one_key_per_line_with_comments_and_blank_lines(file):
    keys = keys_of(file, f"# For müller\r\n\n  {OLD}\t\r\n \n   # {OTHER}\n{NEW}".encode())
    assert len(keys) == 2
    assert keys.accept(OLD)
    assert keys.accept(NEW)
    for other in (
        OTHER,
        f"# {OTHER}",
        "",
        "# For müller",
        OLD.upper(),
        f" {OLD}",
        OLD[:-1],
        OLD + "0",
    ):
        assert not keys.accept(other)


def test_key_may_have_any_printable_ascii_character_except_space(file):
    every = "".join(map(chr, range(0x21, 0x7F)))
    assert keys_of(file, every.encode()).accept(every)


@pytest.mark.parametrize("length", [MIN_LENGTH, MAX_LENGTH])
def test_key_length_limits(file, length):
    assert keys_of(file, b"k" * length).accept("k" * length)


@pytest.mark.parametrize(
    "key",
    [
        "k" * (MIN_LENGTH - 1),
        "k" * (MAX_LENGTH + 1),
        "a key with a space in it",
        "ein-schlüssel-mit-umlaut",
        "a-key-with-a-\x7f-in-it",
        "a-key-with-a-\0-in-it",
        "\ufeff" + OLD,
    ],
)
def test_invalid_line_is_reported_by_number_without_its_content(file, key):
    file.write_text(f"{OLD}\n# more\n{key}\n")
    sentence = rejection(file)
    assert sentence == (
        f"DCTNET_API_KEYS_FILE is {str(file)!r}, but line 3 is not a key of 16 to 256 printable"
        " ASCII characters without spaces."
    )


@pytest.mark.parametrize("content", ["", "\n \n", f"# {OLD}\n"])
def test_file_without_a_key_is_rejected(file, content):
    file.write_text(content)
    assert rejection(file) == f"DCTNET_API_KEYS_FILE is {str(file)!r}, but it contains no key."


def test_max_file_bytes_is_exact(file):
    line = f"{OLD}\n".encode()
    full = line + b"#" * (MAX_FILE_BYTES - len(line))
    assert keys_of(file, full).accept(OLD)
    file.write_bytes(full + b"#")
    assert "it has more than 65536 bytes." in rejection(file)


def test_non_regular_file_is_rejected_without_blocking(file):
    assert "it cannot be read: No such file or directory." in rejection(file)
    os.mkfifo(file)
    assert "it is not a regular file." in in_background(lambda: rejection(file)).result(BOUND_S)
    assert "it is not a regular file." in rejection(file.parent)


@pytest.mark.promise("Privacy: API keys are in no log, metric or response, and can be rotated")
def test_comparison_takes_constant_time(file, monkeypatch):
    compared: list[bytes] = []

    def compare(offered: bytes, known: bytes) -> bool:
        compared.append(known)
        assert len(offered) == len(known) == 32  # Digests have equal length.
        return hmac.compare_digest(offered, known)

    monkeypatch.setattr(api_keys, "compare_digest", compare)
    keys = keys_of(file, f"{OLD}\n{NEW}\n{OTHER}\n".encode())
    for offered, fits in ((OLD, True), (NEW, True), (OTHER, True), ("k", False), ("", False)):
        compared.clear()
        assert keys.accept(offered) is fits
        assert len(set(compared)) == 3


@pytest.mark.promise("Privacy: API keys are in no log, metric or response, and can be rotated")
def test_only_digests_are_kept(file):
    assert OLD not in repr(vars(keys_of(file, OLD.encode())))


# Rotation.

Change = Callable[[str], object]


@pytest.fixture(params=["mounted", "replaced", "edited"])
def changing(request: pytest.FixtureRequest, file: Path) -> tuple[Path, Change]:
    """A file with the old key, and a function that changes it, for each usual way."""
    if request.param == "mounted":
        secret = MountedSecret(file.with_name("secret"), "keys", OLD)
        return secret.path, secret.change
    file.write_text(OLD)
    if request.param == "replaced":
        return file, lambda text: replace(file, text)
    return file, file.write_text


def test_change_takes_effect_at_the_next_poll(changing, clock, caplog):
    caplog.set_level(logging.INFO)
    path, change = changing
    keys = ApiKeys(path, clock)
    change(f"{OLD}\n{NEW}")
    assert not keys.accept(NEW)  # The file is not read for each request.
    clock.turn(POLL_INTERVAL_S)
    assert keys.accept(NEW)
    assert keys.accept(OLD)
    change(NEW)
    assert keys.accept(OLD)
    clock.turn(POLL_INTERVAL_S)
    assert not keys.accept(OLD)
    assert keys.accept(NEW)
    clock.turn(POLL_INTERVAL_S)
    assert keys.accept(NEW)  # Nothing has changed, and nothing is logged.
    assert caplog.messages == [
        "the API keys were reloaded; there are 2",
        "the API keys were reloaded; there are 1",
    ]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda file: file.unlink(), "it cannot be read: No such file or directory"),
        (lambda file: replace(file, ""), "it contains no key"),
        (lambda file: replace(file, "short"), "line 1 is not a key"),
        (lambda file: replace(file, "#" * (MAX_FILE_BYTES + 1)), "more than 65536 bytes"),
        (lambda file: (file.unlink(), file.mkdir()), "it is not a regular file"),
    ],
)
def test_invalid_new_file_keeps_the_old_keys_and_is_logged_once(file, clock, caplog, broken, why):
    file.write_text(OLD)
    keys = ApiKeys(file, clock)
    broken(file)
    for _ in range(3):
        clock.turn(POLL_INTERVAL_S)
        assert keys.accept(OLD)
    (line,) = caplog.messages
    assert line.startswith(f"the API keys are not reloaded: DCTNET_API_KEYS_FILE is {str(file)!r}")
    assert why in line
    if file.is_dir():
        file.rmdir()
    replace(file, NEW)
    clock.turn(POLL_INTERVAL_S)
    assert keys.accept(NEW)
    assert not keys.accept(OLD)


def test_each_new_error_is_logged(file, clock, caplog):
    file.write_text(OLD)
    aside = file.with_name("aside")
    keys = ApiKeys(file, clock)
    for _ in range(2):  # The same file disappears, returns, and disappears again.
        file.rename(aside)
        clock.turn(POLL_INTERVAL_S)
        assert keys.accept(OLD)
        aside.rename(file)
        clock.turn(POLL_INTERVAL_S)
        assert keys.accept(OLD)
    for text in "short", "brief":
        replace(file, text)
        clock.turn(POLL_INTERVAL_S)
        assert keys.accept(OLD)
    lines = caplog.messages
    assert [line.partition("but ")[2][:4] for line in lines] == ["it c", "it c", "line", "line"]


def test_temporary_read_error_is_retried(file, clock, monkeypatch):
    file.write_text(OLD)
    keys = ApiKeys(file, clock)
    replace(file, NEW)

    def out_of_files(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", out_of_files)
        clock.turn(POLL_INTERVAL_S)
        assert keys.accept(OLD)
    clock.turn(POLL_INTERVAL_S)
    assert keys.accept(NEW)


def test_slow_disk_blocks_no_other_request(file, clock, monkeypatch):
    file.write_text(OLD)
    keys = ApiKeys(file, clock)
    replace(file, NEW)
    reads, may_read = Event(), Event()
    read = api_keys._read

    def slowly(path: Path) -> object:
        reads.set()
        assert may_read.wait(BOUND_S)
        return read(path)

    monkeypatch.setattr(api_keys, "_read", slowly)
    clock.turn(POLL_INTERVAL_S)
    first = in_background(lambda: keys.accept(NEW))
    assert reads.wait(BOUND_S)
    clock.turn(POLL_INTERVAL_S)
    assert in_background(lambda: keys.accept(OLD)).result(BOUND_S)
    may_read.set()
    assert first.result(BOUND_S)
