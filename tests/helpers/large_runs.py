"""Runs of a small scene that is taken for one too large for the memory: by strips on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_pairs import made_pair
from train_calls import train

from paddle_umsft.runs import row_plan, strip_plan

# As if the program itself took nothing: what a small scene takes then decides.
SMALL = ["runtime.memory=9MB", "data.normalise=none", "output.figures=false", "output.visualdl=false"]
# Strips of four LR rows of 4 x 112 pixels.
STRIP_PIXELS = 4 * 4 * 112
BYTES_BESIDE = 200


def plan_small_strips(patch: pytest.MonkeyPatch) -> None:
    """Settings of the plan under which 80 x 112 pixels do not fit as a whole."""
    for plan in (strip_plan, row_plan):
        patch.setattr(plan, "PROGRAM", 0)
    patch.setattr(strip_plan, "MOST_PIXELS", STRIP_PIXELS)
    patch.setattr(strip_plan, "WHOLE_BESIDE", BYTES_BESIDE)


def small_pair(folder: Path) -> list[str]:
    """Two files of 80 x 112 pixels, `lr.npy` and `hr.npy`, and the settings of a run with them."""
    made = made_pair()
    np.save(folder / "lr.npy", made.lr_hsi)
    np.save(folder / "hr.npy", made.hr_msi)
    return [f"data.lr_hsi={folder / 'lr.npy'}", f"data.hr_msi={folder / 'hr.npy'}", *SMALL]


def run(folder: Path, pair: list[str], *more: str) -> int:
    return train("-c", "fast.yml", "--output", str(folder), "-o", *pair, "output.name=run", *more)


def whole(pair: list[str], tmp_path: Path) -> np.ndarray:
    """The same scene as a whole."""
    assert run(tmp_path / "whole", [*pair, "runtime.memory=8GB"]) == 0
    return np.load(tmp_path / "whole" / "run" / "lr" / "fused.npy")
