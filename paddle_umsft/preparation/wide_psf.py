"""The PSF with its tails and the border together: which family, and does the picture wrap around or go on outside?

The equations and their criterion stand in `border_equations.py`; here is what competes.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.psf_families import OTHERS, ROUND
from paddle_umsft.preparation.border_equations import BorderEquations
from paddle_umsft.preparation.wide_fit import Known, WideFit, criterion_of

# Standard deviations of the round Gaussian to begin from, as parts of the LR pixel.
FIRST_WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
# Steps of each descent: enough to tell families apart, and then to the end. In between the doubt follows the kernel.
FIRST_STEPS = 6
LAST_STEPS = 15
# So many of the other families are followed to the end, those beside the best only if they leave no more than half
# again as much as it does (criterion per equation).
FOLLOWED = 2
NOT_FAR = 2.0 * np.log(1.5)
# Relative residual below which no richer family is tried.
EXACT = 1e-4


def _first_round(equations: BorderEquations) -> np.ndarray:
    """Parameters of the round Gaussian to begin with: the best of a few widths."""
    size = equations.window(ROUND)
    least = np.inf
    best = np.zeros(3)
    for width in FIRST_WIDTHS:
        start = np.array([0.0, 0.0, np.log(width * equations.scale)])
        verdict = equations.judge(ROUND.kernel(start, size)[None], len(start))
        if verdict.criterion < least:
            least = verdict.criterion
            best = start
    return best


class WideSearch:
    """Candidates for the PSF of one pair under the borders that are possible.

    Args:
        lr_hsi: (h, w, C).
        hr_msi: (H, W, M).
        scale: H / h.
        supports: Per MSI band the half-open range of HSI bands it can see.
        srf: (M, C); None: unknown, projected out.
        borders: Which to try.
        trusted: (h, w) LR pixels that count; None: all.
        constant: Whether the MSI's bands may hold a constant that the HSI does not have.
    """

    def __init__(
        self,
        lr_hsi: np.ndarray,
        hr_msi: np.ndarray,
        scale: int,
        supports: Sequence[tuple[int, int]],
        *,
        srf: Optional[np.ndarray],
        borders: Sequence[Border],
        trusted: Optional[np.ndarray] = None,
        constant: bool = False,
    ) -> None:
        self.every = []
        for border in borders:
            equations = BorderEquations(
                lr_hsi,
                hr_msi,
                scale,
                supports,
                srf,
                border,
                trusted=trusted,
                constant=constant,
            )
            self.every.append(equations)
        # The equations under the better border and the round Gaussian's parameters, once `rounds` has found them.
        self.better = self.every[0]
        self.start = np.zeros(3)

    def rounds(self) -> WideFit:
        """The uncut round Gaussian under the border that suits it better; to be called first."""
        first = [equations.fit(ROUND, _first_round(equations), FIRST_STEPS) for equations in self.every]
        least = min(criterion_of(fit) for fit in first)
        best: Optional[WideFit] = None
        for equations, near in zip(self.every, first):
            if criterion_of(near) > least + NOT_FAR * equations.count:
                continue
            assert near.parameters is not None
            fit = equations.fit(ROUND, near.parameters, LAST_STEPS)
            if best is None or criterion_of(fit) < criterion_of(best):
                best = fit
                self.better = equations
        assert best is not None
        assert best.parameters is not None
        self.start = best.parameters
        return best

    def is_exact(self, fit: WideFit) -> bool:
        """Whether there is nothing left for a richer family to explain."""
        return fit.verdict.residual <= EXACT * self.better.level

    def others(self, known: float = np.inf) -> list[WideFit]:
        """The best of the other families under the border that the round Gaussian chose.

        Args:
            known: Criterion that has been reached otherwise: what is far from it is not followed either.
        """
        first = []
        for family in OTHERS:
            fit = self.better.fit(family, family.start(self.start), FIRST_STEPS)
            first.append((criterion_of(fit), family, fit.parameters))
        first.sort(key=itemgetter(0))
        last = []
        least = min(first[0][0], known)
        for criterion, family, parameters in first[:FOLLOWED]:
            if criterion > least + NOT_FAR * self.better.count:
                break
            assert parameters is not None
            last.append(self.better.fit(family, parameters, LAST_STEPS))
        return last

    def stand(self, known: Known) -> WideFit:
        """A known kernel under the border that suits it better."""
        fits = [equations.stand(known) for equations in self.every]
        return min(fits, key=criterion_of)
