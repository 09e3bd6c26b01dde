"""Benchmark of coordinated omission, in a short form and without other clients."""

import re

from benchmarks import coordinated_omission


def test_only_an_open_loop_sees_a_stall(monkeypatch, capsys):
    for name, value in {"DURATION_S": 1.2, "STALL_AFTER_S": 0.4, "STALL_S": 0.6}.items():
        monkeypatch.setattr(coordinated_omission, name, value)
    for name in ("HEY", "VEGETA", "LOCUST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    assert coordinated_omission.main() == 0
    output = capsys.readouterr()
    rows = re.findall(
        r"^\| `dctnet load (.*)` \| \d+ \| ([\d.]+) s \| ([\d.]+) s", output.out, re.M
    )
    (rate, _, open_p95), (clients, closed_p50, _) = rows
    assert (rate, clients) == ("--rate", "--clients 4")
    assert float(open_p95) > 0.3
    assert float(closed_p50) < 0.3
    assert output.err.count("is not installed") == len(coordinated_omission.PEERS)
