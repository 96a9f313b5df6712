"""Bicubic interpolation of the LR-HSI: what one has without the HR-MSI, and the yardstick of all other figures."""

from __future__ import annotations

import time
from typing import Optional

import numpy as np

from paddle_umsft.data.records import OnRecord
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.baselines.by_rows import ByRows, Learned, upsampled


def learn_bicubic(observation: Observation) -> Learned:
    """Nothing has to be known of a pair."""
    return Learned()


def bicubic_rows(
    learned: Learned,
    lr_hsi: np.ndarray,
    hr_msi: np.ndarray,
    scale: int,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """See `MakeRows`."""
    return upsampled(lr_hsi, scale, rows)


def fuse_bicubic(
    observation: Observation,
    settings: None = None,
    *,
    seed: int = 0,
    on_record: Optional[OnRecord] = None,
) -> FusionResult:
    """Interpolate the LR-HSI and take no notice of the HR-MSI.

    Args:
        observation: What the cameras saw.
        settings: None: there is nothing to set.
        seed: Not used: nothing is drawn.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) interpolation; no PSF, no SRF.

    References:
        See `cameras.resize.bicubic_upsample`.
    """
    start = time.perf_counter()
    learned = learn_bicubic(observation)
    fused = bicubic_rows(learned, observation.lr_hsi, observation.hr_msi, observation.scale)
    return FusionResult(
        fused=fused,
        method="bicubic",
        seconds=time.perf_counter() - start,
    )


BY_ROWS = ByRows("bicubic", learn_bicubic, bicubic_rows)
