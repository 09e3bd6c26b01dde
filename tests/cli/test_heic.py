"""`DCTNET_HEIC=on` without the package that decodes HEIC, and `dctnet cartoonize` with it."""

import pytest

from dctnet.cli import main
from tests.support.heic_samples import heic_file, needs_decoder
from tests.support.missing_modules import run_without
from tests.support.repo import environment


@pytest.mark.parametrize("command", ["doctor", "serve"])
def test_missing_decoder_of_heic_is_one_line(command):
    program = "import sys; from dctnet.cli import main; sys.exit(main(sys.argv[1:]))"
    environ = environment() | {"DCTNET_HEIC": "on"}
    run = run_without({"pi_heif"}, program, command, environ=environ)
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert "DCTNET_HEIC is on, but pi-heif is not installed" in line
    assert "pip install 'dctnet[heic]'" in line


@needs_decoder
@pytest.mark.parametrize("setting", ["on", "off"])
def test_heic_file_is_cartoonized_if_it_is_on(setting, tmp_path, monkeypatch):
    monkeypatch.setenv("DCTNET_HEIC", setting)
    image, out = tmp_path / "photo.heic", tmp_path / "cartoons"
    image.write_bytes(heic_file("gradient"))
    status = main(["cartoonize", "--style", "comic", "--out", str(out), str(image)])
    assert status == (setting == "off")
    assert [path.name for path in out.iterdir()] == ["photo.png"] * (setting == "on")
