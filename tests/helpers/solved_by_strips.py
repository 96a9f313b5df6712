"""A solver's strips put together, and settings under which they are held against the whole picture."""

from __future__ import annotations

from functools import partial
from typing import Optional

import numpy as np

from paddle_umsft.config.ensemble import EnsembleInput, EnsembleSettings
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceInput, SubspaceSettings
from paddle_umsft.methods.subspace.strips import Read, StripSolver

# Part of the range that the halo of the solver may cut off.
ALIKE = 1e-5

SETTINGS = SubspaceInput(subspace=SubspaceSettings(), preparation=PreparationSettings())
# Few members and features: what is asked is whether strips fit together, not how good they are.
FEW = EnsembleInput(
    ensemble=EnsembleSettings(members=2, features=160, surround_pixels=100),
    subspace=SubspaceSettings(),
)


def by_strips(solver: StripSolver, rows: int) -> np.ndarray:
    height = solver.shape[0]
    lr_height = height // solver.scale
    read: Optional[Read] = None
    for stage in range(len(solver.stages) + 1):
        parts = []
        for top in range(0, lr_height, rows):
            parts.append(solver.coeffs(top, min(top + rows, lr_height), stage=stage, before=read))
        coeffs = np.concatenate(parts)
        read = partial(np.take, coeffs, axis=0)
    assert read is not None
    solver.know_leftover(read, rows)
    return np.concatenate(
        [solver.cube(coeffs[top : top + 7], top, min(top + 7, height)) for top in range(0, height, 7)]
    )
