"""The expected error of any rows of a cube where the grids do not tile each other: see `apart.py` and `error_rows.py`.

The HSI's ground is laid out anew under some rows at a time. What fills it up where these rows end, and what splines
make of their ends, reaches a few LR pixels far: so many more are looked at on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.border import continued
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.windows import WindowedDegradation, footprints, window_below
from paddle_umsft.data.grid import HsiGrid
from paddle_umsft.data.scene import Observation
from paddle_umsft.trust.apart import Ground
from paddle_umsft.trust.error_rows import HALO, ErrorRows, SceneRows
from paddle_umsft.trust.evidence import Evidence
from paddle_umsft.trust.expected import Levels

# Pixels of the HSI's ground that a spline through them carries anything: 0.27 to the power of that is rounding. Means
# over pixels of another length see as few as this.
SPLINE_REACH = 12
MEANS_REACH = 4


def _rows_of(
    mask: Optional[np.ndarray],
    first: int,
    end: int,
) -> Optional[np.ndarray]:
    """Some rows of a mask, if there is one."""
    if mask is None:
        return None
    return mask[first:end]


@dataclass(frozen=True)
class Apart:
    """A pair whose grids do not tile each other, in parts of some LR rows and the rows of the result under them.

    Attributes:
        pair: The pair as the result covers it: with a `grid`, nothing turned.
        operator: The PSF, as the pair is laid out.
        shape: (H, W) as it is laid out.
        corner: Row and column there that the result begins at.
    """

    pair: Observation
    operator: SpatialDegradation
    shape: tuple[int, int]
    corner: tuple[int, int]

    def rows_under(self, first: int, end: int) -> tuple[int, int]:
        """Half-open range of the result's rows under some LR rows; all of them together are all."""
        top = self._row_at(first)
        bottom = self._row_at(end)
        return top, bottom

    def _row_at(self, edge: int) -> int:
        """The result's row where an LR row begins."""
        height = self.pair.shape[0]
        if edge == 0:
            return 0
        if edge == len(self.pair.lr_hsi):
            return height
        grid = self.pair.grid
        assert grid is not None
        begin = grid.origin[0]
        step = grid.matrix[0, 0]
        place = begin + edge * step
        nearest = np.round(place)
        return int(np.clip(nearest, 0, height))

    def pair_on(
        self,
        first: int,
        end: int,
        lr_hsi: np.ndarray,
        hr_msi: np.ndarray,
    ) -> Observation:
        """The pair on some LR rows.

        Args:
            first: First LR row.
            end: The LR row after the last.
            lr_hsi: (end - first, w, C).
            hr_msi: (n, W, M) of the result's rows under them.
        """
        pair = self.pair
        grid = pair.grid
        assert grid is not None
        top, bottom = self.rows_under(first, end)
        mask_hsi = _rows_of(pair.mask_hsi, first, end)
        mask_msi = _rows_of(pair.mask_msi, top, bottom)
        # Where the first of these LR rows begins, from the first of the result's rows under them.
        down = grid.matrix[:, 0]
        begin = grid.origin + first * down
        corner = np.array([top, 0])
        own_grid = HsiGrid(grid.matrix, begin - corner)
        return replace(
            pair,
            lr_hsi=lr_hsi,
            hr_msi=hr_msi,
            grid=own_grid,
            mask_hsi=mask_hsi,
            mask_msi=mask_msi,
        )

    def degrade_on(
        self,
        first: int,
        end: int,
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return what LR rows see of the result's rows under them, continued where these end; arguments as above."""
        window = window_below(
            self.operator,
            self.shape,
            lr_rows=(first, end),
        )
        below = WindowedDegradation(self.operator, window)
        top, bottom = self.rows_under(first, end)
        height = bottom - top
        _, width = self.pair.shape
        _, laid_out_width = self.shape
        # Places as the pair is laid out, told from where the rows under these begin.
        begin_row, begin_column = self.corner
        down = window.hr_rows - begin_row - top
        across = np.arange(laid_out_width) - begin_column
        rows = continued(down, height, "reflect")
        columns = continued(across, width, "reflect")
        seen = np.ix_(rows, columns)

        def degrade(cube: np.ndarray) -> np.ndarray:
            return below.forward(cube[seen])

        return degrade

    def sees_beyond(self, first: int, end: int) -> np.ndarray:
        """(end - first,) whether an LR row sees rows of the result that are not under these LR rows."""
        top, bottom = self.rows_under(first, end)
        laid_out, _ = self.shape
        height, _ = self.pair.shape
        # Rows of the result that are not under these LR rows, as the pair is laid out.
        begin, _ = self.corner
        own_begin = begin + top
        own_end = begin + bottom
        end_of_all = begin + height
        outside: np.ndarray = np.zeros(laid_out, dtype=np.float32)
        outside[begin:own_begin] = 1.0
        outside[own_end:end_of_all] = 1.0
        weights = footprints(self.operator, self.shape)
        seen = weights[first:end] @ outside
        return np.asarray(seen > 0)


@dataclass(frozen=True)
class SceneApart(SceneRows):
    """`SceneRows` whose HR rows are those of the result.

    Attributes:
        apart: The pair; always there.
    """

    apart: Optional[Apart] = None


class ErrorRowsApart(ErrorRows):
    """`ErrorRows` of such a scene.

    Args:
        scene: Pair and cube.
        levels: See `ErrorRows`.
    """

    def __init__(self, scene: SceneApart, levels: Levels) -> None:
        super().__init__(scene, levels)
        assert scene.apart is not None
        self.apart = scene.apart
        # Here what of the HSI lies beside the MSI is lost as well.
        self.lost = ~self.used
        operator = scene.operator
        half = len(operator.psf) // 2
        reach = half + MEANS_REACH
        placement = getattr(operator, "placement", None)
        if placement is not None and not placement.is_bent:
            reach = half + SPLINE_REACH
        # In LR rows, rounded up.
        reach_rows = -(-reach // operator.scale)
        self.halo = HALO + reach_rows

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the result."""
        return self.apart.pair.shape

    def of(self, first: int, end: int) -> np.ndarray:
        """The expected error of the result's rows under some LR rows, see `ErrorRows.of`."""
        last = len(self.used)
        above = max(first - self.halo, 0)
        below = min(end + self.halo, last)
        lr_rows = np.arange(above, below)
        top, bottom = self.apart.rows_under(above, below)
        rows = np.arange(top, bottom)
        fused = self.scene.fused(rows)
        pair = self.apart.pair_on(
            above,
            below,
            lr_hsi=self.scene.lr_hsi(lr_rows),
            hr_msi=self.scene.hr_msi(rows),
        )
        ground = Ground(pair)
        evidence = self._evidence_on(
            ground,
            pair,
            fused,
            lr_rows=(above, below),
        )
        expected = self.levels.elsewhere(evidence)
        # What was looked at beside the rows that were asked for is left out.
        own_top, own_bottom = self.apart.rows_under(first, end)
        own = slice(own_top - top, own_bottom - top)
        told = ground.told(expected, fused, own)
        return told.cube()

    def _evidence_on(
        self,
        ground: Ground,
        pair: Observation,
        fused: np.ndarray,
        lr_rows: tuple[int, int],
    ) -> Evidence:
        """What a range of LR rows shows on the HSI's ground."""
        chosen = np.arange(*lr_rows)
        degrade = self.apart.degrade_on(*lr_rows)
        lr_msi = degrade(pair.hr_msi)
        used = self.used[chosen]
        linear = self.levels.linear.elsewhere(pair.lr_hsi, lr_msi, used)
        # How much noise there is was asked when levels were found.
        no_noise = np.zeros(0)
        return Evidence(
            lr_hsi=pair.lr_hsi,
            hr_msi=ground.under(pair.hr_msi),
            lr_msi=lr_msi,
            fused=ground.under(fused),
            again=degrade(fused),
            srf=self.levels.srf,
            white=1.0,
            linear=linear,
            used=used,
            hsi_noise=no_noise,
            msi_noise=no_noise,
            held_out=self._held_out(chosen),
            lost=self.lost[chosen],
        )


def errors_of(scene: SceneRows, levels: Levels) -> ErrorRows:
    """Return what makes rows of a scene's expected error."""
    if isinstance(scene, SceneApart):
        return ErrorRowsApart(scene, levels)
    return ErrorRows(scene, levels)
