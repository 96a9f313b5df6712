"""The spectral degradation as a known linear operator: each MSI band is a weighted sum of HSI bands."""

from __future__ import annotations

import numpy as np

from paddle_umsft.data.checks import check_srf
from paddle_umsft.errors import DataError


class SpectralDegradation:
    """msi = hsi @ srf.T, every pixel alike.

    Args:
        srf: (M, C), used as it is.

    Raises:
        DataError: SRF not two-dimensional or not finite.
    """

    def __init__(self, srf: np.ndarray) -> None:
        # A learned response is a linear map like any other.
        self.srf = check_srf(srf, where="srf", learned=True)

    def forward(self, hsi: np.ndarray) -> np.ndarray:
        """Mix HSI bands to MSI bands: (..., C) -> (..., M); float32 stays float32.

        Raises:
            DataError: The last axis is not C long.
        """
        return _mix(hsi, self.srf, "hsi")

    def adjoint(self, msi: np.ndarray) -> np.ndarray:
        """Apply the transpose of `forward`: (..., M) -> (..., C).

        Raises:
            DataError: The last axis is not M long.
        """
        return _mix(msi, self.srf.T, "msi")


def _mix(
    cube: np.ndarray,
    matrix: np.ndarray,
    where: str,
) -> np.ndarray:
    """Apply a (rows, columns) matrix to the last axis: (..., columns) -> (..., rows)."""
    cube = np.asarray(cube)
    if cube.dtype != np.float32:
        cube = cube.astype(np.float64)
    columns = matrix.shape[1]
    if cube.ndim < 1 or cube.shape[-1] != columns:
        raise DataError(
            "bands (last axis)",
            where=where,
            expected=columns,
            got=cube.shape,
        )
    # The matrix takes the image's type, or float32 would silently become float64.
    weights = matrix.T.astype(cube.dtype)
    return np.asarray(cube @ weights)
