"""What the tests of tools/eval.py share: a small scene, a run folder of it, the rows of a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from paddle_umsft.config.load import load_config
from paddle_umsft.data.readers import read_scene

DEMO = ["data.path=demo://dead_leaves", "data.demo.height=32", "data.demo.width=48", "observe.scale=4"]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def demo_run(folder: Path, seeds: list[int]) -> list[np.ndarray]:
    """A finished run on demo scenes as train.py leaves it, (32, 48, 31) each."""
    truths = []
    for seed in seeds:
        config = load_config(None, [*DEMO, f"data.demo.seed={seed}"])
        scene = folder / f"leaves{seed}"
        scene.mkdir(parents=True)
        (scene / "config.yml").write_text(config.to_yaml(), encoding="utf-8")
        truths.append(read_scene(config.data).hr_hsi)
        np.save(scene / "fused.npy", truths[-1] + 0.01 * seed)
    return truths
