"""The expected error of any rows of a cube that is never whole, once is known what all of its pixels share.

What tells of a pixel's error lies within a few pixels of it, and in the LR pixels over it: rows are told with one LR
row more on either side, and what the PSF of these reaches. They come out as they do of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placed import PlacedDegradation
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.cameras.windows import WindowedDegradation, runs_of, window_below
from paddle_umsft.trust.evidence import Evidence
from paddle_umsft.trust.expected import Levels
from paddle_umsft.trust.judge import WHOLE

# LR rows on either side that tell of one: means of three, differences of neighbours, and of the MSI twice three pixels.
HALO = 1

# Numbers of rows -> these rows.
Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SceneRows:
    """A pair and the cube that was fused of it, of which any rows can be asked for.

    Attributes:
        operator: The PSF of the whole picture.
        shape: (H, W).
        fused: HR rows -> (n, W, C) of the cube.
        hr_msi: HR rows -> (n, W, M).
        lr_hsi: LR rows -> (m, w, C), as it was recorded.
        held_out: LR rows -> (m, w, C) the method's residuals at LR pixels left out, NaN where it has none; None: it has
            none at all.
        trusted: (h, w) LR pixels that show the scene.
        doubted: (H, W) how little the MSI's pixels are trusted; None: all are.
        unsure_light: (H, W) part of a pixel's values by which its light is unsure; None: no light was undone.
    """

    operator: SpatialDegradation
    shape: tuple[int, int]
    fused: Read
    hr_msi: Read
    lr_hsi: Read
    held_out: Optional[Read]
    trusted: np.ndarray
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None


def cube_of_runs(make: Read, rows: np.ndarray, *, clip: bool) -> np.ndarray:
    """Return (n, W, C) of rows with gaps between them.

    Args:
        make: Of rows without a gap.
        rows: In ascending order.
        clip: Whether values below zero are cut off.
    """
    cube = np.concatenate([make(run) for run in runs_of(rows)])
    if clip:
        np.maximum(cube, 0, out=cube)
    return cube


class ErrorRows:
    """The expected error of a scene, rows at a time.

    Args:
        scene: Pair and cube.
        levels: What all pixels share, learned on all of them or on a sample.
    """

    def __init__(self, scene: SceneRows, levels: Levels) -> None:
        self.scene = scene
        self.levels = levels
        inside = scene.operator.inside((scene.trusted.shape[0], scene.trusted.shape[1]))
        is_whole = inside > WHOLE
        self.used = is_whole & scene.trusted
        # Where the images lie askew, what of the HSI lies beside the MSI is lost as well.
        is_askew = isinstance(scene.operator, PlacedDegradation)
        self.lost = (is_whole | is_askew) & ~self.used

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of all rows."""
        return self.scene.shape

    def of(self, first: int, end: int) -> np.ndarray:
        """The expected error of some LR rows' HR rows.

        Args:
            first: First LR row.
            end: The LR row after the last.

        Returns:
            ((end - first) * s, W, C) float32 in the units of the cube.
        """
        scale = self.scene.operator.scale
        above = max(first - HALO, 0)
        expected = self.levels.elsewhere(self._evidence(above, min(end + HALO, len(self.used))))
        top = (first - above) * scale
        return expected.cube()[top : top + (end - first) * scale]

    def _evidence(self, first: int, end: int) -> Evidence:
        """What a range of LR rows shows."""
        scene = self.scene
        scale = scene.operator.scale
        lr_rows = np.arange(first, end)
        own = np.arange(first * scale, end * scale)
        window = window_below(scene.operator, scene.shape, (first, end))
        rows = np.union1d(window.hr_rows, own)
        below = WindowedDegradation(scene.operator, window)
        seen_rows = np.searchsorted(rows, window.hr_rows)
        own_rows = np.searchsorted(rows, own)
        fused = scene.fused(rows)
        hr_msi = scene.hr_msi(rows)
        lr_msi = below.forward(hr_msi[seen_rows])
        lr_hsi = scene.lr_hsi(lr_rows)
        used = self.used[lr_rows]
        doubted = scene.doubted
        if doubted is not None:
            doubted = doubted[own]
        unsure_light = scene.unsure_light
        if unsure_light is not None:
            unsure_light = unsure_light[own]
        # How much noise there is was asked when levels were found.
        no_noise = np.zeros(0)
        return Evidence(
            lr_hsi=lr_hsi,
            hr_msi=hr_msi[own_rows],
            lr_msi=lr_msi,
            fused=fused[own_rows],
            again=below.forward(fused[seen_rows]),
            srf=self.levels.srf,
            white=1.0,
            linear=self.levels.linear.elsewhere(lr_hsi, lr_msi, used),
            used=used,
            hsi_noise=no_noise,
            msi_noise=no_noise,
            held_out=self._held_out(lr_rows),
            lost=self.lost[lr_rows],
            doubted=doubted,
            unsure_light=unsure_light,
        )

    def _held_out(self, lr_rows: np.ndarray) -> Optional[np.ndarray]:
        """(m, w, C) residuals of the method; LR pixels that it was not fitted on are as the usual one."""
        if self.scene.held_out is None:
            return None
        used = self.used[lr_rows]
        found = self.scene.held_out(lr_rows)
        is_known = np.isfinite(found).all(axis=2)
        found[used & ~is_known] = np.sqrt(self.levels.usual.around)
        found[~used] = np.nan
        return found
