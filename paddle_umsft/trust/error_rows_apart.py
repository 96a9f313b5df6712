"""The expected error of any rows of a cube where the grids do not tile each other: see `apart.py` and `error_rows.py`.

The HSI's ground is laid out anew under some rows at a time. What fills it up where these rows end, and what splines
make of their ends, reaches a few LR pixels far: so many more are looked at on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Optional

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
        return self._row_at(first), self._row_at(end)

    def _row_at(self, edge: int) -> int:
        """The result's row where an LR row begins."""
        height = self.pair.shape[0]
        if edge == 0:
            return 0
        if edge == len(self.pair.lr_hsi):
            return height
        grid = self.pair.grid
        assert grid is not None
        place = grid.origin[0] + edge * grid.matrix[0, 0]
        return int(np.clip(np.round(place), 0, height))

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
        masks: dict[str, Any] = {}
        if pair.mask_hsi is not None:
            masks["mask_hsi"] = pair.mask_hsi[first:end]
        if pair.mask_msi is not None:
            masks["mask_msi"] = pair.mask_msi[top:bottom]
        begin = grid.origin + first * grid.matrix[:, 0]
        return replace(
            pair,
            lr_hsi=lr_hsi,
            hr_msi=hr_msi,
            grid=HsiGrid(grid.matrix, begin - np.array([top, 0])),
            **masks,
        )

    def degrade_on(self, first: int, end: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return what LR rows see of the result's rows under them, continued where these end; arguments as above."""
        top, bottom = self.rows_under(first, end)
        window = window_below(self.operator, self.shape, (first, end))
        below = WindowedDegradation(self.operator, window)
        rows = continued(window.hr_rows - self.corner[0] - top, bottom - top, "reflect")
        columns = continued(np.arange(self.shape[1]) - self.corner[1], self.pair.shape[1], "reflect")

        def degrade(cube: np.ndarray) -> np.ndarray:
            return below.forward(cube[np.ix_(rows, columns)])

        return degrade

    def sees_beyond(self, first: int, end: int) -> np.ndarray:
        """(end - first,) whether an LR row sees rows of the result that are not under these LR rows."""
        top, bottom = self.rows_under(first, end)
        begin = self.corner[0]
        outside: np.ndarray = np.zeros(self.shape[0], dtype=np.float32)
        outside[begin : begin + top] = 1.0
        outside[begin + bottom : begin + self.pair.shape[0]] = 1.0
        seen = footprints(self.operator, self.shape)[first:end] @ outside
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
        reach = len(operator.psf) // 2 + MEANS_REACH
        placement = getattr(operator, "placement", None)
        if placement is not None and not placement.is_bent:
            reach = len(operator.psf) // 2 + SPLINE_REACH
        # In LR rows, rounded up.
        self.halo = HALO - (-reach // operator.scale)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the result."""
        return self.apart.pair.shape

    def of(self, first: int, end: int) -> np.ndarray:
        """The expected error of the result's rows under some LR rows, see `ErrorRows.of`."""
        above = max(first - self.halo, 0)
        below = min(end + self.halo, len(self.used))
        top, bottom = self.apart.rows_under(above, below)
        rows = np.arange(top, bottom)
        fused = self.scene.fused(rows)
        pair = self.apart.pair_on(
            above,
            below,
            lr_hsi=self.scene.lr_hsi(np.arange(above, below)),
            hr_msi=self.scene.hr_msi(rows),
        )
        ground = Ground(pair)
        expected = self.levels.elsewhere(self._evidence_on(ground, pair, fused, (above, below)))
        own = self.apart.rows_under(first, end)
        return ground.told(expected, fused, slice(own[0] - top, own[1] - top)).cube()

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
            linear=self.levels.linear.elsewhere(pair.lr_hsi, lr_msi, used),
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
