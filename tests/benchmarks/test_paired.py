"""Two presets run by run: pairs are what they have in common, and the spread is that of the differences."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from programs import program

paired = program("benchmarks/paired.py")

SCENES = {"a": (30.0, 31.0), "b": (40.0, 42.0), "c": (20.0, 20.0)}


def row(preset: str, scene: str, psnr: float, **others: str) -> dict[str, str]:
    values = dict.fromkeys((*paired.KEYS, *paired.FIGURES), "1")
    return {**values, "preset": preset, "scene": scene, "PSNR": str(psnr), "error": "", **others}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    made = [
        row(preset, scene, psnrs[i]) for scene, psnrs in SCENES.items() for i, preset in enumerate(("one:x=1", "two"))
    ]
    # Neither a run without its counterpart nor one that failed is in a pair.
    made += [row("one:x=1", "d", 99), row("two", "e", 99), row("two", "d", 99, seed="2"), row("other", "a", 99)]
    made += [row("one:x=1", "f", 99), row("two", "f", 99, error="too small")]
    path = tmp_path / "quality.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, made[0])
        writer.writeheader()
        writer.writerows(made)
    return path


def test_differences_of_pairs(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paired.main([str(rows), "one:x=1", "two"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| PSNR"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    # Differences 1, 2 and 0: deviation 1, that of their mean 1/√3.
    assert cells == ["PSNR", "3", "30.000 ± 10.000", "31.000 ± 11.000", "1.000 ± 1.000", "0.577", "0.000", "2.000"]


def test_fewer_than_two_pairs_are_refused(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paired.main([str(rows), "one:x=1", "nobody"]) == 3
    assert "0 pairs" in capsys.readouterr().err
