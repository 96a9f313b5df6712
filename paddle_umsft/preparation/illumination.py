"""Shadows and haze over a part of the MSI: where strangers differ by one gain in all bands, the gain is undone."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from paddle_umsft.preparation.strangers import Strangers
from paddle_umsft.preparation.view import View, fit

# Bands may differ in the gain by this much (natural logarithm) and are still lit alike ...
ALIKE = 0.015
# ... and LR pixels of one group by this much.
EVEN = 0.08
# A gain nearer to 1 than this is no shadow.
LEAST_GAIN = 0.1
# A core of fewer LR pixels than this is none.
LEAST_CORE = 3
PASSES = 8


def gain_of(view: View, strangers: Strangers) -> np.ndarray:
    """(n, M) logarithm of PSF(MSI) over SRF(HSI), the SRF from all other pixels."""
    found = fit(view.but(trusted=view.trusted & ~strangers.mask))
    wanted = found.seen.values - found.rest
    dark = 0.02 * np.abs(found.seen.values).max(axis=0)
    return np.asarray(np.log(np.maximum(found.seen.values, dark) / np.maximum(wanted, dark)))


def lit_otherwise(view: View, strangers: Strangers) -> np.ndarray:
    """(h, w) strangers of those groups that differ by the light alone."""
    logarithms = gain_of(view, strangers).reshape(*view.lr_shape, -1)
    brightness = view.seen().values.mean(axis=1).reshape(view.lr_shape)
    chosen = np.zeros(view.lr_shape, dtype=bool)
    for top, left, bottom, right in strangers.groups:
        part = np.zeros(view.lr_shape, dtype=bool)
        part[top:bottom, left:right] = strangers.mask[top:bottom, left:right]
        # The rim is lit by halves, the dark says little: the brighter half of the core tells.
        core = binary_erosion(part)
        core = core if core.sum() >= LEAST_CORE else part
        bright = brightness[core] >= np.median(brightness[core])
        values = logarithms[core][bright]
        mean = values.mean(axis=1)
        alike = np.median(np.abs(values - mean[:, None])) < ALIKE
        even = np.median(np.abs(mean - np.median(mean))) < EVEN
        if alike and even and abs(np.median(mean)) > LEAST_GAIN:
            chosen |= part
    return chosen


def relit(view: View, strangers: Strangers, lit: np.ndarray) -> np.ndarray:
    """The MSI with the light of the HSI where they differ by it.

    Args:
        view: The pair.
        strangers: All of them; the SRF is fitted on the others.
        lit: (h, w) LR pixels to be corrected.

    Returns:
        (H, W, M).
    """
    around = binary_dilation(lit, iterations=2)
    current = view
    for _ in range(PASSES):
        logarithms = gain_of(current, strangers).mean(axis=1).reshape(view.lr_shape)
        change = view.placement.enlarged(np.where(around, logarithms, 0.0)[..., None])
        current = current.but(hr_msi=current.hr_msi * np.exp(-change))
    return current.hr_msi
