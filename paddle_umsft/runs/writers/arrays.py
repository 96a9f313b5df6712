"""NumPy's and MATLAB's files: the cube alone, or with its wavelengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_umsft.runs.writers.product import Product


def write_npy(path: Path, product: Product) -> None:
    """Write a .npy, (H, W, C).

    Raises:
        OSError: It cannot be written.
    """
    np.save(path, product.values)


def write_mat(path: Path, product: Product) -> None:
    """Write a .mat of version 5, compressed: `fused` (H, W, C) and `wavelengths_nm`, if known.

    Raises:
        OSError: It cannot be written.
    """
    from scipy.io import savemat

    content = {"fused": product.values}
    if product.bands.wavelengths_nm is not None:
        content["wavelengths_nm"] = product.bands.wavelengths_nm
    savemat(path, content, do_compression=True)
