"""benchmarks/quality.py: figures, resuming, bad usage."""

from __future__ import annotations

import csv

import pytest
from programs import program


@pytest.fixture(scope="module")
def quality():
    return program("benchmarks/quality.py")


def test_measures_what_is_missing_and_nothing_twice(quality, tmp_path, capsys):
    common = ["--scenes", "demo://dead_leaves", "--crop", "48", "--scales", "4", "-o", "observe.srf=nikon_d700"]
    arguments = [*common, "--out", str(tmp_path), "--presets", "bicubic"]
    assert quality.main(arguments) == 0
    assert quality.main([*arguments, "fast:subspace.map_features=64"]) == 0
    with (tmp_path / "quality.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["preset"] for row in rows] == ["bicubic", "fast:subspace.map_features=64"]
    assert float(rows[1]["PSNR"]) > float(rows[0]["PSNR"]) + 5
    assert {row["convention"] for row in rows} == {"author"}
    assert (tmp_path / "quality.md").read_text().count("\n") == 4
    # Another convention is another measurement.
    assert quality.main([*arguments, "--convention", "dian"]) == 0
    assert quality.main([*arguments, "--convention", "dian"]) == 0
    with (tmp_path / "quality.csv").open(newline="") as handle:
        more = list(csv.DictReader(handle))
    assert [row["convention"] for row in more] == ["author", "author", "dian"]
    assert "seconds" in capsys.readouterr().out


@pytest.mark.parametrize(
    "extra",
    [
        ["--scales", "1"],
        ["-o", "subspace.nonsense=1"],
        ["--presets", "no_such_preset"],
        ["--convention", "dain"],
    ],
)
def test_bad_usage_ends_with_2_before_any_run(quality, tmp_path, extra, capsys):
    assert quality.main(["--scenes", "demo://dead_leaves", "--out", str(tmp_path / "out"), *extra]) == 2
    assert capsys.readouterr().err.count("\n") == 1
