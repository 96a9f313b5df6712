"""The spectral subspace of the LR-HSI, which step 3 of the method compares in."""

from __future__ import annotations

import numpy as np


def spectral_subspace(lr_hsi: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Split a cube into spectral basis vectors and their coefficients.

    Args:
        lr_hsi: (C, h, w).
        rank: K; cut to what the cube has.

    Returns:
        basis (C, K), the singular vectors times their singular values, and coeffs (K, h*w).
    """
    bands = lr_hsi.shape[0]
    unfolded = lr_hsi.reshape(bands, -1)  # (C, h·w)
    vectors, values, rows = np.linalg.svd(
        unfolded,
        full_matrices=False,
    )
    # A cube of few bands or pixels has fewer directions than were asked for.
    most = len(values)
    kept = slice(min(rank, most))
    basis = vectors[:, kept] * values[kept]  # (C, K)
    coeffs = rows[kept]  # (K, h·w)
    return basis, coeffs
