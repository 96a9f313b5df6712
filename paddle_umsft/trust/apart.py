"""Trust where the grids do not tile each other: judged on the HSI's ground, told on the MSI's pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import map_coordinates

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import ExpectedError
from paddle_umsft.preparation.layout import Layout, lay_out

# Values of an image that are brought to the ground at a time.
AT_ONCE = 2**22
ALL = slice(None)


class Ground:
    """The HSI's ground, whose pixels tile those of the HSI, under the MSI's.

    Args:
        pair: The pair that was fused; it has a `grid`.
    """

    def __init__(self, pair: Observation) -> None:
        self.layout: Layout = lay_out(pair)
        self.placement = self.layout.placement
        if self.placement is None:
            self.placement = Placement(self.layout.observation.scale)

    def under(self, image: np.ndarray) -> np.ndarray:
        """(H, W, C) on the MSI's pixels, as it is on those of the ground."""
        assert self.placement is not None
        bands = image.shape[2]
        laid_out = self.layout.observation.shape
        under = np.empty((*laid_out, bands), dtype=np.float32)
        # Some bands at a time: on the way they are float64, and more than once.
        step = max(1, AT_ONCE // (laid_out[0] * laid_out[1]))
        for first in range(0, bands, step):
            some = slice(first, first + step)
            filled = self.layout.filled_up(image[:, :, some])
            under[:, :, some] = self.placement.on_the_hsi(filled, "reflect")
        return under

    def brought(self, pair: Observation, result: FusionResult) -> tuple[Observation, FusionResult]:
        """Pair and result on the ground."""
        on_ground = replace(self.layout.observation, hr_msi=self.under(pair.hr_msi), mask_msi=None)
        return on_ground, replace(result, fused=self.under(result.fused), degrade=None)

    def told(
        self,
        expected: ExpectedError,
        fused: np.ndarray,
        rows: slice = ALL,
    ) -> ExpectedError:
        """An expected error on the ground, for the pixels of the MSI.

        Args:
            expected: On the ground.
            fused: (H, W, C) on the MSI's pixels.
            rows: For which of them.
        """
        assert self.placement is not None
        shape = self.layout.observation.shape
        origins = self.layout.cut(self.placement.origins(shape))[rows]
        places = np.moveaxis(origins, 2, 0)  # (2, H, W)
        unmet = []
        for band in range(expected.unmet.shape[2]):
            unmet.append(map_coordinates(expected.unmet[..., band], places, order=1, mode="nearest"))
        # Every pixel belongs to the LR pixel that its middle lies in.
        last = np.array(expected.coarse.shape[:2]) - 1
        owner = np.clip(np.floor((origins + 0.5) / expected.scale).astype(int), 0, last)
        return replace(
            expected,
            fused=fused[rows],
            shown=map_coordinates(expected.shown, places, order=1, mode="nearest"),
            unmet=np.stack(unmet, axis=2),
            coarse=expected.coarse[owner[..., 0], owner[..., 1]],
            hard=expected.hard[owner[..., 0], owner[..., 1]],
            scale=1,
        )
