"""What LR pixels at the border see beyond the picture, as far as the MSI tells, taken off.

The picture is continued by mirroring it. What truly lies outside differs from that, and the MSI bands say by how much:
SRF(LR-HSI) is what the sensor saw, PSF(MSI) what it would have seen in the mirrored picture. The spectrum of the
difference follows from its MSI bands as every spectrum does, by the linear estimate, and is subtracted. What cannot be
told that way is left as a doubt, which grows with the share that lies outside.
"""

from __future__ import annotations

import numpy as np

# LR pixels with less than this share outside see nothing of it.
WHOLE = 1e-4


def without_outside(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    srf: np.ndarray,
    lift: np.ndarray,
    inside: np.ndarray,
    *,
    in_place: bool = False,
) -> np.ndarray:
    """LR-HSI as if the mirrored picture were what lies outside.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M), PSF(MSI) with the picture mirrored.
        srf: (M, C).
        lift: (C, M) linear estimate of a spectrum from its MSI pixel.
        inside: (h, w) share of the PSF on the picture.
        in_place: The LR-HSI itself is changed, and not there twice.

    Returns:
        (h, w, C), of the type given; changed only where a pixel sees beyond the picture.
    """
    seen_beyond = inside <= 1.0 - WHOLE  # (h, w)
    pixels = lr_hsi[seen_beyond]  # (n, C)
    seen_more = pixels @ srf.T - lr_msi[seen_beyond]  # (n, M)
    changed = lr_hsi
    if not in_place:
        changed = lr_hsi.copy()
    changed[seen_beyond] = pixels - seen_more @ lift.T
    return np.asarray(changed)
