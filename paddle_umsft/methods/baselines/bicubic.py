"""Bicubic interpolation of the LR-HSI: what one has without the HR-MSI, and the yardstick of all other figures."""

from __future__ import annotations

import time
from typing import Optional

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.scene import FusionResult, Observation, OnRecord


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
        See `bicubic_upsample`.
    """
    start = time.perf_counter()
    fused = bicubic_upsample(observation.lr_hsi, observation.scale)
    return FusionResult(
        fused=fused,
        method="bicubic",
        seconds=time.perf_counter() - start,
    )
