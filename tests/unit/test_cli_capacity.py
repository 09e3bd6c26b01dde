"""Arguments of ``dctnet capacity``; tests/cli runs it as a process."""

import pytest

from dctnet.cli import main


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--within", "5"), 2, "the following arguments are required: --rate"),
        (("--rate", "0", "--within", "5"), 2, "'0' is not a number of images per second from"),
        (("--rate", "1001", "--within", "5"), 2, "images per second from 0.001 to 1000"),
        (("--rate", "nan", "--within", "5"), 2, "'nan' is not a number"),
        (("--rate", "3", "--within", "0.09"), 2, "seconds from 0.1 to 900"),
        (("--rate", "3", "--within", "901"), 2, "seconds from 0.1 to 900"),
        (("--rate", "3", "--within", "5", "--replica-cpu", "0.9"), 2, "CPUs from 1 to 256"),
        (("--rate", "3", "--within", "5", "--replica-cpu", "256"), 1, "--replica-cpu is 256, but"),
        (("--rate", "3", "--within", "5", "--sizes", "15"), 2, "whole number of pixels from 16"),
        (("--rate", "3", "--within", "5", "--sizes", ",".join(["64"] * 9)), 2, "more than 8 sizes"),
    ],
)
def test_wrong_arguments_are_explained(arguments, status, message, capsys):
    try:
        found = main(["capacity", *arguments])
    except SystemExit as ended:
        found = ended.code
    out, err = capsys.readouterr()
    assert (found, out) == (status, "")
    assert message in err
