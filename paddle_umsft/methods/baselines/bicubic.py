"""Bicubic interpolation of the LR-HSI: what one has without the HR-MSI, and the yardstick of all other figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from paddle_umsft.cameras.resize import bicubic_upsample
from paddle_umsft.data.scene import FusionResult, Observation


def fuse_bicubic(
    observation: Observation, config: Any = None, on_record: Callable[[dict[str, Any]], None] | None = None
) -> FusionResult:
    """Interpolates the LR-HSI and takes no notice of the HR-MSI.

    Args:
        observation: What the cameras saw.
        config: Not used; here because every method is called alike.
        on_record: Not used: there are no iterations.

    Returns:
        (H, W, C) interpolation; no PSF, no SRF.

    References:
        See `bicubic_upsample`.
    """
    start = time.perf_counter()
    fused = bicubic_upsample(observation.lr_hsi, observation.scale)
    return FusionResult(fused=fused, method="bicubic", seconds=time.perf_counter() - start)
