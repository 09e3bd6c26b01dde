"""Options, scenarios, and which of both wins."""

import argparse

import pytest

from loadtest import options
from loadtest.client import LoadError
from loadtest.gates import Gate, default_gates
from tests.support.repo import ROOT

NAMES = [
    *("disconnects", "hostile-mix", "ramp", "rollout", "slow-clients", "smoke", "soak", "spike"),
    "steady-50",
]


def resolved(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add_arguments(parser)
    return options.resolve(parser.parse_args(["http://h", *arguments]))


def test_defaults():
    args = resolved()
    assert (args.clients, args.duration, args.requests, args.rate) == (10, 10, None, None)
    assert args.fail_if == default_gates()
    assert resolved("--requests", "5").duration is None


def test_options_override_the_scenario():
    args = resolved("--scenario", "steady-50")
    assert (args.clients, args.duration, args.timeout) == (50, 30, 300)
    assert Gate("rejected", ">", 0) in args.fail_if
    args = resolved("--scenario", "steady-50", "--clients", "3", "--fail-if", "sent < 1")
    assert (args.clients, args.fail_if) == (3, [Gate("sent", "<", 1)])


def test_a_rate_replaces_clients_and_the_reverse():
    args = resolved("--scenario", "steady-50", "--rate", "2")
    assert args.rate == 2
    args = resolved("--scenario", "ramp", "--clients", "2")
    assert (args.clients, args.rate, args.poisson, list(args.steps)) == (2, None, None, [])


def test_scenarios_are_documented_and_bounded():
    assert options.scenario_names() == NAMES
    page = (ROOT / "docs/load-testing.md").read_text()
    for name in NAMES:
        assert f"| `{name}` |" in page
        args = resolved("--scenario", name)
        assert args.duration <= 7200
        assert args.rate is None or args.rate <= 1
        assert args.fail_if


def test_scenario_of_a_file(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(
        'description = "Ours."\nrate = 2.5\npoisson = true\nheader = ["A: b", "C: d"]\n'
    )
    args = resolved("--scenario", str(file))
    assert (args.rate, args.poisson, args.header) == (2.5, True, [("A", "b"), ("C", "d")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clients = 0.5", "argument --clients: invalid int value: '0.5'"),
        ("client-count = 5", "unrecognized arguments: --client-count=5"),
        ("clients = 5\nrate = 1", "not allowed with argument --clients"),
        ("clients = ", "Invalid value"),
        ('fail-if = ["failed > many"]', "'failed > many' is not a gate such as"),
    ],
)
def test_invalid_scenario_is_an_error(tmp_path, text, message):
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(LoadError) as raised:
        resolved("--scenario", str(file))
    assert str(raised.value).startswith(f"{file}: ")
    assert message in str(raised.value)


def test_unknown_scenario_is_an_error_with_all_names():
    with pytest.raises(LoadError, match=r"There is no scenario x: name disconnects, .*, or a TOML"):
        resolved("--scenario", "x")


@pytest.mark.parametrize("text", ["1:1", "2:1 1:3", "1.5:0.5  1:0"])
def test_steps(text):
    assert len(resolved("--rate", "1", "--steps", text).steps) == len(text.split())


@pytest.mark.parametrize("text", ["1", "1:a", "0:1", "1:1,2:2", "-1:1", "1:0"])
def test_invalid_steps_are_rejected(text, capsys):
    with pytest.raises(SystemExit):
        resolved("--rate", "1", f"--steps={text}")
    error = capsys.readouterr().err
    assert "is not a list of LENGTH:FACTOR" in error or "needs a positive factor" in error


def test_hostile_clients_are_limited():
    assert resolved("--hostile", "idle=1000", "--hostile", "disconnect=1").hostile == [
        ("idle", 1000),
        ("disconnect", 1),
    ]


@pytest.mark.parametrize("text", ["idle=1001", "idle=0", "idle", "angry=1", "idle=-1"])
def test_invalid_hostile_clients_are_rejected(text, capsys):
    with pytest.raises(SystemExit):
        resolved("--hostile", text)
    assert "argument --hostile: " in capsys.readouterr().err
