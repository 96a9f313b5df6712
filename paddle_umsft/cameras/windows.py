"""The spatial degradation between some rows of a picture: what a strip of it needs, with the whole picture's border.

A window is a range of HR rows together with the LR rows that see nothing else. An operator cut to it gives these LR
rows exactly what the whole operator gives them: its matrices are the whole ones' rows and columns, nothing is made
anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from paddle_umsft.cameras.spatial import SpatialDegradation


@dataclass(frozen=True)
class Window:
    """Rows of a picture.

    Attributes:
        hr_rows: (n,) HR rows; beyond a border that repeats the picture, those of its other side.
        lr_rows: (m,) LR rows that see these HR rows and no others.
        shape: (H, W) of the whole picture.
    """

    hr_rows: np.ndarray
    lr_rows: np.ndarray
    shape: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether it is the picture itself."""
        return len(self.hr_rows) == self.shape[0]


def runs_of(rows: np.ndarray) -> list[np.ndarray]:
    """Rows of a picture, in parts whose rows follow each other."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    return np.split(rows, breaks)


def footprints(operator: SpatialDegradation, shape: tuple[int, int]) -> sparse.csr_matrix:
    """(h, H) sparse, not zero where an LR row sees an HR row.

    Args:
        operator: Not turned: rows stay rows.
        shape: (H, W).
    """
    pairs = operator.pairs_for(shape).pairs
    seen = abs(pairs[0].rows)
    for pair in pairs[1:]:
        seen = seen + abs(pair.rows)
    return seen


def window_around(
    operator: SpatialDegradation,
    shape: tuple[int, int],
    rows: tuple[int, int],
    halo: int,
) -> Window:
    """The window of a strip and so many HR rows on either side of it.

    Args:
        operator: The PSF of the whole picture.
        shape: (H, W).
        rows: Half-open range of HR rows, the strip.
        halo: HR rows on either side; cut off where the picture ends, unless it repeats itself there.
    """
    height = shape[0]
    top, bottom = rows
    if bottom - top + 2 * halo >= height:
        hr_rows = np.arange(height)
    elif operator.border == "wrap":
        hr_rows = np.arange(top - halo, bottom + halo) % height
    else:
        hr_rows = np.arange(max(top - halo, 0), min(bottom + halo, height))
    seen = footprints(operator, shape)
    within = np.zeros(height, dtype=bool)
    within[hr_rows] = True
    sees_others = (seen @ (~within).astype(np.float32)) > 0
    sees_any = (seen @ within.astype(np.float32)) > 0
    lr_rows = np.flatnonzero(sees_any & ~sees_others)
    return Window(
        hr_rows=hr_rows,
        lr_rows=lr_rows,
        shape=shape,
    )


def window_below(
    operator: SpatialDegradation,
    shape: tuple[int, int],
    lr_rows: tuple[int, int],
) -> Window:
    """The HR rows that a range of LR rows sees, with these LR rows alone.

    Args:
        operator: The PSF of the whole picture.
        shape: (H, W).
        lr_rows: Half-open range.
    """
    chosen = np.arange(*lr_rows)
    seen = footprints(operator, shape)[chosen]
    counts = np.asarray(abs(seen).sum(axis=0)).ravel()
    hr_rows = np.flatnonzero(counts)
    return Window(
        hr_rows=hr_rows,
        lr_rows=chosen,
        shape=shape,
    )


class WindowedDegradation(SpatialDegradation):
    """A `SpatialDegradation` cut to a window.

    Args:
        whole: The operator of the whole picture.
        window: See `Window`.
    """

    def __init__(self, whole: SpatialDegradation, window: Window) -> None:
        self.whole = whole
        self.window = window
        self.scale = whole.scale
        self.border = whole.border
        self.psf = whole.psf
        self._cut = whole.pairs_for(window.shape).cut(window.lr_rows, window.hr_rows)

    def simpler(self, least: float) -> SpatialDegradation:
        """See `SpatialDegradation`."""
        simple = self.whole.simpler(least)
        if simple is self.whole:
            return self
        return WindowedDegradation(simple, self.window)

    def forward(self, hr: np.ndarray) -> np.ndarray:
        """(n, W, C) float32 of the window's HR rows to (m, w, C) of its LR rows."""
        return self._cut.forward(hr)

    def adjoint(self, lr: np.ndarray) -> np.ndarray:
        """The transpose of `forward`."""
        return self._cut.adjoint(lr)

    def forward_by_rows(
        self,
        make_rows: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, int, int],
    ) -> np.ndarray:
        """See `SpatialDegradation`; rows are counted from the window's first one."""
        return self._cut.forward_by_rows(make_rows, shape[2])

    def enlarge(self, lr: np.ndarray) -> np.ndarray:
        """Not of a window: `enlarge_rows` of the whole operator takes the whole LR image."""
        raise NotImplementedError
