"""A large scene made small enough for pictures: every n-th pixel of both images, and of the cube as it is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddle_umsft.data.scene import FusionResult, Observation

# Values of the cube that are kept at most: 32 MB of float32.
MOST_VALUES = 2**23


class Overview:
    """Every n-th pixel of a scene.

    Args:
        observation: The pair.
    """

    def __init__(self, observation: Observation) -> None:
        height, width = observation.shape
        lr_height, lr_width = observation.lr_hsi.shape[:2]
        # The same step in both images: their pixels keep their ratio.
        values = height * width * observation.bands
        step = np.ceil(np.sqrt(values / MOST_VALUES))
        self.step = max(1, min(int(step), lr_height, lr_width))
        first = self.step // 2
        lr_rows = np.arange(first, lr_height, self.step)
        lr_columns = np.arange(first, lr_width, self.step)
        self.rows = self._fine(len(lr_rows) * observation.scale, height)
        self.columns = self._fine(len(lr_columns) * observation.scale, width)
        lr_pixels = np.ix_(lr_rows, lr_columns)
        if observation.grid is not None:
            # No whole number of them lies on an LR pixel.
            self.rows = np.arange(first, height, self.step)
            self.columns = np.arange(first, width, self.step)
        hr_pixels = np.ix_(self.rows, self.columns)
        self.pair = replace(
            observation,
            lr_hsi=observation.lr_hsi[lr_pixels],
            hr_msi=observation.hr_msi[hr_pixels],
            mask_hsi=None,
            mask_msi=None,
        )
        shape = (len(self.rows), len(self.columns), observation.bands)
        self.fused: np.ndarray = np.zeros(shape, dtype=np.float32)

    def _fine(self, count: int, length: int) -> np.ndarray:
        """So many HR lines, every n-th; the last ones may lie beyond the picture, whose edge stands for them."""
        first = self.step // 2
        lines = first + self.step * np.arange(count)
        return np.asarray(np.minimum(lines, length - 1))

    def add(self, top: int, block: np.ndarray) -> None:
        """Take what is needed of some rows of the cube.

        Args:
            top: The first one.
            block: (n, W, C).
        """
        bottom = top + len(block)
        is_here = (self.rows >= top) & (self.rows < bottom)
        rows = self.rows[is_here] - top
        pixels = np.ix_(rows, self.columns)
        self.fused[is_here] = block[pixels]

    def shown(self, result: FusionResult) -> FusionResult:
        """The result as pictures of the whole scene need it.

        Args:
            result: What is known of a sample of the scene.
        """
        line = ""
        if result.verdict is not None:
            line = result.verdict.line
        # The verdict stands above them already.
        notes = [note for note in result.notes if note != line]
        if self.step > 1:
            notes.append(f"pictures show every pixel in {self.step} along rows and columns")
        return FusionResult(
            fused=self.fused,
            psf=result.psf,
            srf=result.srf,
            history=result.history,
            method=result.method,
            seconds=result.seconds,
            extras=result.extras,
            notes=tuple(notes),
        )
