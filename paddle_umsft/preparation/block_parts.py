"""A very large pair a few LR rows at a time, for what is local: light and saturation, which images of its size need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.prepared import Prepared
from paddle_umsft.preparation.profiles import FoundPsf
from paddle_umsft.preparation.view import View

# HR pixels of a part, without those around it.
AT_ONCE = 2**20
# LR rows around it: further than that neither PSFs nor what is corrected step by step reach.
AROUND = 8


@dataclass(frozen=True)
class Part:
    """Some LR rows of a pair with others around them.

    Attributes:
        view: The pair there.
        lr_rows: All of its LR rows in the whole.
        own: Its LR rows without those around, in the whole.
        scale: H / h.
    """

    view: View
    lr_rows: slice
    own: slice
    scale: int

    @property
    def hr_rows(self) -> slice:
        """All of its HR rows in the whole."""
        return _times(self.lr_rows, self.scale)

    @property
    def own_hr(self) -> slice:
        """Its HR rows without those around, in the whole."""
        return _times(self.own, self.scale)

    def own_of(self, image: np.ndarray) -> np.ndarray:
        """Its own rows of an (H, W, ...) image of all of them."""
        first = self.own_hr.start - self.hr_rows.start
        count = self.own_hr.stop - self.own_hr.start
        return np.asarray(image[first : first + count])


def _times(rows: slice, scale: int) -> slice:
    return slice(rows.start * scale, rows.stop * scale)


def can_be_parted(whole: Prepared) -> bool:
    """Whether some LR rows of a pair lie on as many HR rows of it, shifted at most."""
    if whole.layout is not None:
        return False
    return whole.placement is None or not whole.placement.is_bent


def parts_with(
    whole: Prepared,
    degradations: Degradations,
    wanted: np.ndarray,
) -> Iterator[Part]:
    """Those parts that hold some of the wanted LR pixels, or have some around them.

    Args:
        whole: The pair; it can be parted.
        degradations: Those of a block of it.
        wanted: (h, w).
    """
    observation = whole.observation
    scale = observation.scale
    placement = Placement(scale)
    if whole.placement is not None:
        placement = Placement(scale, whole.placement.shift)
    height, width = wanted.shape
    around = AROUND + int(np.ceil(np.abs(placement.shift[0]) / scale))
    step = max(1, AT_ONCE // (width * scale**2))
    for top in range(0, height, step):
        own = slice(top, min(top + step, height))
        lr_rows = slice(max(top - around, 0), min(own.stop + around, height))
        if not wanted[lr_rows].any():
            continue
        hr_rows = _times(lr_rows, scale)
        view = View(
            lr_hsi=observation.lr_hsi[lr_rows].astype(np.float64),
            hr_msi=observation.hr_msi[hr_rows].astype(np.float64),
            scale=scale,
            placement=placement,
            # Beyond its rows the picture goes on.
            profile=FoundPsf.of(degradations.psf, scale, "reflect", degradations.doubt),
            trusted=whole.fit_trust[lr_rows],
            has_data=whole.fit_trust[lr_rows],
        )
        yield Part(
            view=view,
            lr_rows=lr_rows,
            own=own,
            scale=scale,
        )
