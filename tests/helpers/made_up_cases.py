"""Observations of made-up scenes, for tests of the trained methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_umsft.cameras.observe import simulate
from paddle_umsft.config.data import ObserveConfig
from paddle_umsft.data.scene import Case, Scene
from paddle_umsft.data.synthetic import dead_leaves_scene


def make_case(height: int, width: int, bands: int, **observe: Any) -> Case:
    scene = dead_leaves_scene(height, width, 31)
    picked = np.linspace(0, 30, bands).round().astype(int)
    cube = Scene(np.ascontiguousarray(scene.hr_hsi[:, :, picked]), "leaves")
    settings = {"srf": "uniform", "msi_bands": min(3, bands), "scale": 8, **observe}
    return simulate(cube, ObserveConfig(**settings))
