"""White detail: what differs from one HR pixel to the next in every band on its own, and no pixel of any image tells.

A scene that was recorded by a camera holds that camera's noise, and in every band another one. An MSI band that is a
mean of HSI bands shows little of it, an LR pixel less, but it is there in what one MSI band shows and the others do not
tell: its finest differences, less the noise that the MSI has of its own, over what the SRF leaves of noise that is
independent from band to band. LR pixels say how large it can be at most: what a PSF leaves of it is noise in them.
"""

from __future__ import annotations

import numpy as np

from paddle_umsft.trust.evidence import Evidence, fine_differences, noise_of_mixes
from paddle_umsft.trust.hidden import own_mixes

# Keeps what is divided by from being zero.
TINY = 1e-30


def white_detail(seen: Evidence) -> np.ndarray:
    """(C,) standard deviation of white detail in each band of the scene.

    Args:
        seen: See `Evidence`.
    """
    bands = seen.lr_hsi.shape[2]
    msi_bands = seen.hr_msi.shape[2]
    if msi_bands < 2:
        # Nothing tells the noise of a single band from what it shows of the scene.
        return np.zeros(bands)
    own = own_mixes(seen.lr_msi[seen.used])  # (M, M)
    mixes = seen.hr_msi @ own.astype(np.float32)
    shown = fine_differences(mixes) ** 2  # (M,)
    found = shown - noise_of_mixes(own, seen.msi_noise)
    found = np.maximum(found, 0.0)
    # A band of the MSI that weighs HSI bands by w, their sum 1, shows |w| of noise that is 1 in each of them.
    sums = np.abs(seen.srf).sum(axis=1)
    sizes = np.linalg.norm(seen.srf, axis=1)
    left = sizes / np.maximum(sums, TINY)  # (M,)
    left_in_mixes = noise_of_mixes(own, left)
    left_in_mixes = np.maximum(left_in_mixes, TINY)
    # Texture that the bands do not share is taken for noise: the band with the least of it tells.
    least = np.min(found / left_in_mixes)
    by_lr_pixels = seen.hsi_noise / seen.white  # (C,)
    return np.asarray(np.minimum(np.sqrt(least), by_lr_pixels))
