"""Where the HSI's pixels lie on the MSI, where that is known beforehand: from a ratio, or from two geotransforms.

Coordinates are those of geotransforms, (row, column): pixel k of an axis reaches from k to k + 1, its middle lies at
k + 0.5. A point x of the HSI, in HSI pixels, is seen by the MSI at matrix x + origin, in MSI pixels. Counted in
indices, whose whole numbers are the pixels' middles, HSI pixel (i, j) therefore has its middle on the MSI at

    matrix (i + 0.5, j + 0.5) + origin - 0.5,

which for a plain ratio s is (i + 0.5) s - 0.5 + origin along either axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Union

import numpy as np

from paddle_umsft.errors import DataError

# Halves of a pixel: from its edge to its middle.
HALF = 0.5
# Numbers of a geotransform.
SIX = 6


def _no_origin() -> np.ndarray:
    return np.zeros(2)


@dataclass(frozen=True)
class HsiGrid:
    """The HSI's grid on the MSI, see the module.

    Attributes:
        matrix: (2, 2) what one HSI pixel down, and one to the right, is in MSI pixels (rows, columns): its columns.
        origin: (2,) where the outer corner of HSI pixel (0, 0) lies, MSI pixels; that of MSI pixel (0, 0) is (0, 0).
    """

    matrix: np.ndarray
    origin: np.ndarray = field(default_factory=_no_origin)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        origin = np.asarray(self.origin, dtype=np.float64)
        has_shape = matrix.shape == (2, 2) and origin.shape == (2,)
        is_finite = np.isfinite(matrix).all() and np.isfinite(origin).all()
        if not has_shape or not is_finite or np.linalg.det(matrix) == 0:
            raise DataError(
                "the HSI's grid",
                where="grid",
                expected="a (2, 2) matrix that can be inverted and a (2,) origin, all finite",
                got=f"{np.shape(self.matrix)} and {np.shape(self.origin)}",
            )
        # Frozen for everybody else.
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "origin", origin)

    @classmethod
    def of_ratio(
        cls,
        ratio: Union[float, Sequence[float]],
        origin: Sequence[float] = (0.0, 0.0),
    ) -> HsiGrid:
        """The grid of HSI pixels that are `ratio` MSI pixels long (rows and columns may differ)."""
        given = np.asarray(ratio, dtype=np.float64)
        sides = np.broadcast_to(given, (2,))
        return cls(
            matrix=np.diag(sides),
            origin=np.asarray(origin, dtype=np.float64),
        )

    @classmethod
    def of_geotransforms(
        cls,
        hsi: Sequence[float],
        msi: Sequence[float],
    ) -> HsiGrid:
        """The grid that two geotransforms in one coordinate system say.

        Args:
            hsi: Six numbers in GDAL's order (x of the corner, x per column, x per row, y of the corner, y per column,
                y per row).
            msi: Those of the MSI.

        Raises:
            DataError: Not six numbers, or pixels without an area.
        """
        hsi_matrix, hsi_corner = _ground_of(hsi)
        msi_matrix, msi_corner = _ground_of(msi)
        if np.linalg.det(msi_matrix) == 0:
            raise DataError(
                "geotransform",
                where="msi",
                expected="pixels with an area",
                got=list(msi),
            )
        to_msi = np.linalg.inv(msi_matrix)
        return cls(
            matrix=to_msi @ hsi_matrix,
            origin=to_msi @ (hsi_corner - msi_corner),
        )

    @property
    def ratios(self) -> np.ndarray:
        """(2,) length of an HSI pixel along its rows' and its columns' direction, MSI pixels."""
        lengths = np.linalg.norm(self.matrix, axis=0)
        return np.asarray(lengths)

    def corners(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(4, 2) where the outer corners of an HSI of (h, w) pixels lie on the MSI, in geotransforms' coordinates."""
        h, w = lr_shape
        own = np.array([[0, 0], [h, 0], [0, w], [h, w]])
        return np.asarray(own @ self.matrix.T + self.origin)

    def middles(self, lr_shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) middles of the HSI's pixels on the MSI, in indices: whole numbers are its pixels' middles."""
        h, w = lr_shape
        rows, columns = np.mgrid[:h, :w]
        own = np.stack([rows, columns], axis=2) + HALF
        middles = own @ self.matrix.T + self.origin - HALF
        return np.asarray(middles)


def _ground_of(transform: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """(2, 2) ground (y, x) of a step down and to the right, and (2,) that of the corner, of six numbers."""
    if len(transform) != SIX:
        raise DataError("geotransform", where="grid", expected="six numbers", got=len(transform))
    corner_x, x_per_column, x_per_row, corner_y, y_per_column, y_per_row = (float(number) for number in transform)
    matrix = np.array([[y_per_row, y_per_column], [x_per_row, x_per_column]])
    return matrix, np.array([corner_y, corner_x])
