"""Scenes by strips whose grids do not lie on each other: they come out as the whole does, files, facts and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_up_pairs import made_pair
from train_calls import train

from paddle_umsft.runs import row_plan, strip_plan

# As if the program itself took nothing: what a small scene takes then decides.
SMALL = ["runtime.memory=16MB", "data.normalise=none", "output.figures=false", "output.visualdl=false"]
# The same, fused as a whole.
WHOLE = "runtime.memory=8GB"


@pytest.fixture(autouse=True)
def _small_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    for plan in (strip_plan, row_plan):
        monkeypatch.setattr(plan, "PROGRAM", 0)
    # Strips of four LR rows, and memory enough to judge all of them.
    monkeypatch.setattr(strip_plan, "MOST_PIXELS", 4 * 4 * 112)
    monkeypatch.setattr(strip_plan, "WHOLE_BESIDE", 600)


def run(folder: Path, *settings: str) -> Path:
    """Fuse the pair of a folder; the scene's folder."""
    assert train("-c", "fast.yml", "--output", str(folder), "-o", *SMALL, "output.name=run", *settings) == 0
    return folder / "run" / "lr"


def check_alike(parts: Path, whole: Path) -> None:
    """What strips leave is what the whole leaves: cube, figures, expected errors."""
    fused = np.load(parts / "fused.npy")
    expected = np.load(whole / "fused.npy")
    assert fused.shape == expected.shape
    assert np.abs(fused - expected).max() < 1e-5 * np.ptp(expected)
    metrics = json.loads((parts / "metrics.json").read_text())
    beside = json.loads((whole / "metrics.json").read_text())
    assert metrics["extras"]["strips"] > 1
    assert metrics["verdict"]["class"] == beside["verdict"]["class"]
    assert metrics["extras"]["found"] == beside["extras"]["found"]
    for name, value in beside["consistency"].items():
        assert metrics["consistency"][name] == pytest.approx(value, rel=0.02), name
    errors = np.load(parts / "expected_error.npy")
    by_whole = np.load(whole / "expected_error.npy")
    assert errors.shape == by_whole.shape
    assert np.abs(np.log(errors / by_whole)).max() < 1e-3


def test_a_shift_that_was_found_goes_by_strips(tmp_path: Path):
    made = made_pair(shift=(7.3, -4.6))
    np.save(tmp_path / "lr.npy", made.lr_hsi)
    np.save(tmp_path / "hr.npy", made.hr_msi)
    pair = [f"data.lr_hsi={tmp_path / 'lr.npy'}", f"data.hr_msi={tmp_path / 'hr.npy'}"]
    parts = run(tmp_path / "parts", *pair)
    whole = run(tmp_path / "whole", *pair, WHOLE)
    assert "shift" in json.loads((parts / "metrics.json").read_text())["extras"]["found"]
    check_alike(parts, whole)
