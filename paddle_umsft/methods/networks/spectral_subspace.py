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
    unfolded = lr_hsi.reshape(lr_hsi.shape[0], -1)
    u, s, vt = np.linalg.svd(unfolded, full_matrices=False)
    rank = min(rank, len(s))
    return u[:, :rank] * s[:rank], vt[:rank]
