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
        self.srf = check_srf(srf, where="srf", learned=True)

    def forward(self, hsi: np.ndarray) -> np.ndarray:
        """(..., C) -> (..., M); float32 stays float32.

        Raises:
            DataError: The last axis is not C long.
        """
        return self._apply(hsi, self.srf, "hsi")

    def adjoint(self, msi: np.ndarray) -> np.ndarray:
        """The transpose of `forward`: (..., M) -> (..., C).

        Raises:
            DataError: The last axis is not M long.
        """
        return self._apply(msi, self.srf.T, "msi")

    @staticmethod
    def _apply(cube: np.ndarray, matrix: np.ndarray, name: str) -> np.ndarray:
        cube = np.asarray(cube)
        if cube.dtype != np.float32:
            cube = cube.astype(np.float64)
        if cube.ndim < 1 or cube.shape[-1] != matrix.shape[1]:
            raise DataError("bands (last axis)", where=name, expected=matrix.shape[1], got=cube.shape)
        return np.asarray(cube @ matrix.T.astype(cube.dtype))
