"""The settings are read once, within their limits, and the documentation lists each one."""

import re
from pathlib import Path

import pytest

from dctnet.config import SETTINGS, Address, Settings, SettingsError, unknown_variables
from dctnet.cpus import available_cpus
from dctnet.http.bodies import MULTIPART_OVERHEAD_BYTES
from dctnet.server.application import GRACEFUL_TIMEOUT_S, KEEP_ALIVE_S, REQUEST_THREADS

ROOT = Path(__file__).parents[2]
DIGEST = "0123456789abcdef" * 4


def refusal(variable: str, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: text})
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    processors = max(1, int(available_cpus()))
    assert Settings.from_environment({"HOME": "/home/someone"}) == Settings(
        bind=Address("127.0.0.1", 8080),
        model=None,
        model_digest=None,
        models_dir=Path("/home/someone/.cache/dctnet/models"),
        slots=processors,
        threads=None,
        max_bytes=10 * 1024 * 1024,
        max_pixels=40_000_000,
        max_working_side=1280,
    )


def test_every_setting_can_be_set() -> None:
    assert Settings.from_environment(
        {
            "DCTNET_BIND": "0.0.0.0:9000",
            "DCTNET_MODEL": "sketch",
            "DCTNET_MODEL_DIGEST": f"sha256:{DIGEST.upper()}",
            "DCTNET_MODELS_DIR": "/models",
            "DCTNET_SLOTS": "3",
            "DCTNET_THREADS": "5",
            "DCTNET_MAX_BYTES": "2048",
            "DCTNET_MAX_PIXELS": "1000",
            "DCTNET_MAX_WORKING_SIDE": "640",
        }
    ) == Settings(
        Address("0.0.0.0", 9000), "sketch", DIGEST, Path("/models"), 3, 5, 2048, 1000, 640
    )


def test_an_empty_variable_counts_as_unset() -> None:
    empty = {setting.variable: "" for setting in SETTINGS}
    assert Settings.from_environment(empty) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("variable", "least", "most", "unit"),
    [
        ("DCTNET_SLOTS", 1, 256, "pictures"),
        ("DCTNET_THREADS", 1, 256, "threads"),
        ("DCTNET_MAX_BYTES", 1024, 1024**3, "bytes"),
        ("DCTNET_MAX_PIXELS", 1, 500_000_000, "pixels"),
        ("DCTNET_MAX_WORKING_SIDE", 256, 4096, "pixels"),
    ],
)
def test_a_number_is_taken_at_its_limits_and_refused_one_past_them(
    variable: str, least: int, most: int, unit: str
) -> None:
    field = variable.removeprefix("DCTNET_").lower()
    for value in least, most:
        assert getattr(Settings.from_environment({variable: str(value)}), field) == value
    for text in str(least - 1), str(most + 1), "many", "1.5":
        sentence = refusal(variable, text)
        assert sentence.startswith(f"{variable} is {text!r}, but it must be ")
        assert f"a whole number of {unit} from {least} to {most}." in sentence


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:1", "127.0.0.1", 1), ("[::]:65535", "::", 65535), ("box:80", "box", 80)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    address = Settings.from_environment({"DCTNET_BIND": text}).bind
    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["8080", ":8080", "box:", "box:http", "box:0", "box:65536", "::1:80", "[]:80"]
)
def test_another_address_is_refused_with_an_example(text: str) -> None:
    assert "HOST:PORT, such as 0.0.0.0:8080" in refusal("DCTNET_BIND", text)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "g" * 64, "md5:" + "0" * 64])
def test_a_digest_has_64_hexadecimal_digits(text: str) -> None:
    if text:
        assert "a sha256 of 64 hexadecimal digits" in refusal("DCTNET_MODEL_DIGEST", text)
    else:
        assert Settings.from_environment({"DCTNET_MODEL_DIGEST": text}).model_digest is None


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/someone"}, "/cache/dctnet/models"),
        ({"HOME": "/home/someone"}, "/home/someone/.cache/dctnet/models"),
        ({}, "/var/cache/dctnet/models"),
        ({"HOME": "/h", "DCTNET_MODELS_DIR": "/models"}, "/models"),
    ],
)
def test_models_are_kept_in_the_cache_of_whoever_runs_it(
    environ: dict[str, str], folder: str
) -> None:
    assert Settings.from_environment(environ).models_dir == Path(folder)


def test_the_home_of_an_unknown_user_is_refused() -> None:
    assert "a folder's path" in refusal("DCTNET_MODELS_DIR", "~nobody-of-this-name/models")


def test_threads_may_be_left_to_the_program() -> None:
    assert Settings.from_environment({"DCTNET_THREADS": "auto"}).threads is None


def test_variables_that_are_no_settings_are_named() -> None:
    environ = {"DCTNET_PORT": "tcp://10.0.0.1:80", "DCTNET_BIND": "box:80", "DCTNET_A": "", "B": ""}
    assert unknown_variables(environ) == ["DCTNET_A", "DCTNET_PORT"]


def documented() -> list[tuple[str, ...]]:
    """The rows of the documentation's table: setting, allowed values, default, meaning."""
    rows = re.findall(r"^\| `DCTNET_.*\|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]


def test_the_documentation_lists_each_setting_with_its_limits_and_its_default() -> None:
    assert [row[:3] for row in documented()] == [
        (f"`{setting.variable}`", setting.allowed, setting.default_in_words) for setting in SETTINGS
    ]
    assert all(len(row) == 4 and row[3].endswith(".") for row in documented())


def test_a_default_that_is_a_value_is_the_documented_one() -> None:
    checked = []
    for setting in SETTINGS:
        if literal := re.match(r"`([^` ]+)`(?: \(|$|:)", setting.default_in_words):
            assert setting.parse(literal[1]) == setting.default({})
            checked.append(setting.field)
    assert checked == ["bind", "threads", "max_bytes", "max_pixels", "max_working_side"]


def test_the_documentation_lists_the_limits_that_cannot_be_set() -> None:
    _, fixed = (ROOT / "docs/settings.md").read_text().split("## What cannot be set")
    values = [row.split("|")[2].strip() for row in fixed.splitlines() if row.startswith("| ")]
    assert values[1:5] == [
        str(REQUEST_THREADS),
        f"{KEEP_ALIVE_S} s",
        f"{GRACEFUL_TIMEOUT_S} s",
        f"{MULTIPART_OVERHEAD_BYTES // 1024} KiB",
    ]
