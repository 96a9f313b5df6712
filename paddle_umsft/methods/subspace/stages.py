"""What follows the map, once found for all strips: rounds of agreement with both images, all but the first refined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_umsft.cameras.windows import Window, runs_of
from paddle_umsft.methods.subspace.refine import guided_refine
from paddle_umsft.methods.subspace.steps import Step


@dataclass(frozen=True)
class Round:
    """One agreement with both images.

    Attributes:
        image_weights: Of the LR-HSI and of the MSI in the solver.
        steps: Of the solver.
    """

    image_weights: tuple[float, float]
    steps: list[Step]


@dataclass(frozen=True)
class Refinement:
    """What coefficients go through before each round but the first, see `refine.py`.

    Attributes:
        radius: Of its windows, HR pixels.
        ridge: Of its fits.
        centre: (1, 1, M) float32 mean of the whole MSI.
    """

    radius: int
    ridge: float
    centre: np.ndarray

    @property
    def reach(self) -> int:
        """Rows further away change nothing: a window of fits, and the window that each was fitted on."""
        return 2 * self.radius

    def of(
        self,
        window: Window,
        hr_msi: np.ndarray,
        coeffs: np.ndarray,
    ) -> np.ndarray:
        """Refine what is in a window.

        Args:
            window: Which rows; where it ends and the picture does not, it is right from `reach` on.
            hr_msi: (n, W, M) its MSI.
            coeffs: (n, W, K) its coefficients.

        Returns:
            (n, W, K) float32.
        """
        parts = []
        top = 0
        # The refinement mirrors the picture where it ends, even if the PSF sees the other side of it there.
        for run in runs_of(window.hr_rows):
            here = slice(top, top + len(run))
            parts.append(guided_refine(hr_msi[here], coeffs[here], self.radius, self.ridge, self.centre))
            top += len(run)
        return np.concatenate(parts)
