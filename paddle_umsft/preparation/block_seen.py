"""What LR pixels of a very large pair see of its MSI, behind the PSF that a block of it has told: there it is small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.estimate import Degradations, operator_of
from paddle_umsft.preparation.footprint import Seen
from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.profiles import FoundPsf
from paddle_umsft.preparation.view import View


@dataclass
class AtLrPixels(View):
    """A view of some LR pixels, of which it is known what they see.

    Attributes:
        known: That.
    """

    known: Optional[Seen] = None

    def seen(self, *, change: bool = False) -> Seen:
        """What is known."""
        assert self.known is not None
        return self.known


def seen_by_all(whole: Prepared, degradations: Degradations) -> tuple[np.ndarray, np.ndarray]:
    """What all LR pixels see.

    Args:
        whole: The pair.
        degradations: Those of a block of it.

    Returns:
        (h, w, M) float32 of the MSI, and (h, w) the share of their footprints that lies on it.
    """
    hr_msi = whole.observation.hr_msi.astype(np.float32, copy=False)
    operator = operator_of(degradations.psf, whole, degradations.border)
    lr_msi = operator.forward(hr_msi)
    height, width = lr_msi.shape[:2]
    return lr_msi, operator.inside((height, width))


def at_lr_pixels(
    whole: Prepared,
    degradations: Degradations,
    places: tuple[np.ndarray, ...],
    lr_msi: np.ndarray,
    inside: np.ndarray,
) -> AtLrPixels:
    """Some LR pixels in two axes, whatever they are in the picture, as a view of their own.

    Args:
        whole: The pair.
        degradations: Those of a block of it.
        places: Rows and columns of the pixels, which together make (m, n) of them.
        lr_msi: (h, w, M) what all see.
        inside: (h, w) see `seen_by_all`.
    """
    observation = whole.observation
    scale = observation.scale
    values = lr_msi[places].astype(np.float64)  # (m, n, M)
    trusted = whole.fit_trust[places]
    return AtLrPixels(
        lr_hsi=observation.lr_hsi[places].astype(np.float64),
        hr_msi=observation.hr_msi,
        scale=scale,
        # Of no use here: it is known what they see.
        placement=Placement(scale),
        profile=FoundPsf.of(
            degradations.psf,
            scale,
            degradations.border,
            degradations.doubt,
        ),
        trusted=trusted,
        has_data=trusted,
        known=Seen(
            values=values.reshape(-1, values.shape[2]),
            inside=inside[places].ravel(),
        ),
    )
