"""Shadows and haze over a part of the MSI: where strangers differ by one gain in all bands, the gain is undone."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, uniform_filter

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
# Below this share of a band's largest value a ratio says nothing.
DARK = 0.02
# LR pixels around a shadow that lie in its half-light.
HALF_LIGHT = 2
# What was undone is off by this part of what the gain varies by within an LR pixel.
PART_OF_SPREAD = 0.5
PASSES = 8


def gain_of(view: View, strangers: Strangers) -> np.ndarray:
    """(n, M) logarithm of PSF(MSI) over SRF(HSI), the SRF from all other pixels."""
    others = view.trusted & ~strangers.mask
    found = fit(view.but(trusted=others))
    seen = found.seen.values
    return logarithm_of(seen, seen - found.rest)


def logarithm_of(seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(..., M) logarithm of what is seen over what should be, where it is dark that of 1.

    Args:
        seen: (..., M) PSF(MSI).
        wanted: (..., M) SRF(HSI).
    """
    others = tuple(range(seen.ndim - 1))
    largest = np.abs(seen).max(axis=others)
    dark = DARK * largest
    ratio = np.maximum(seen, dark) / np.maximum(wanted, dark)
    return np.asarray(np.log(ratio))


def lit_otherwise(view: View, strangers: Strangers) -> np.ndarray:
    """(h, w) strangers of those groups that differ by the light alone."""
    logarithms = gain_of(view, strangers).reshape(*view.lr_shape, -1)  # (h, w, M)
    means = view.seen().values.mean(axis=1)
    brightness = means.reshape(view.lr_shape)
    return lit_groups(strangers, logarithms, brightness)


def lit_groups(
    strangers: Strangers,
    logarithms: np.ndarray,
    brightness: np.ndarray,
) -> np.ndarray:
    """The same, by what is known at LR pixels.

    Args:
        strangers: All of them.
        logarithms: (h, w, M) of the gains.
        brightness: (h, w).
    """
    chosen = np.zeros(strangers.mask.shape, dtype=bool)
    for top, left, bottom, right in strangers.groups:
        own = np.s_[top:bottom, left:right]
        part = strangers.mask[own]
        if _is_light_alone(part, logarithms[own], brightness[own]):
            chosen[own] |= part
    return chosen


def _is_light_alone(
    part: np.ndarray,
    logarithms: np.ndarray,
    brightness: np.ndarray,
) -> bool:
    """Whether the pixels of a group share one gain that is the same in all bands."""
    # The rim is lit by halves, the dark says little: the brighter half of the core tells.
    core = binary_erosion(part)
    if core.sum() < LEAST_CORE:
        core = part
    of_core = brightness[core]
    is_bright = of_core >= np.median(of_core)
    values = logarithms[core][is_bright]  # (k, M)
    means = values.mean(axis=1)
    off_means = np.abs(values - means[:, None])
    gain = np.median(means)
    off_gain = np.abs(means - gain)
    is_of_no_colour = np.median(off_means) < ALIKE
    is_even = np.median(off_gain) < EVEN
    return bool(is_of_no_colour and is_even and abs(gain) > LEAST_GAIN)


def relit(
    view: View,
    strangers: Strangers,
    lit: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The MSI with the light of the HSI where they differ by it.

    Args:
        view: The pair.
        strangers: All of them; the SRF is fitted on the others.
        lit: (h, w) LR pixels to be corrected.

    Returns:
        (H, W, M), and (H, W) the logarithm of the gain that was taken off.
    """
    around = binary_dilation(lit, iterations=HALF_LIGHT)
    current = view
    height, width, _ = view.hr_msi.shape
    gain = np.zeros((height, width))
    for _ in range(PASSES):
        means = gain_of(current, strangers).mean(axis=1)
        logarithms = means.reshape(view.lr_shape)
        wrong = np.where(around, logarithms, 0.0)
        change = view.placement.enlarged(wrong[..., None])  # (H, W, 1)
        light = np.exp(-change)
        current = current.but(hr_msi=current.hr_msi * light)
        gain += change[:, :, 0]
    return current.hr_msi, gain


def unsure_part(gain: np.ndarray, scale: int) -> np.ndarray:
    """(H, W) float32 part of a pixel's values by which its light may differ from what was undone.

    A gain that was found LR pixel by LR pixel is known no finer than that: where it changes, at the rim of a shadow,
    the light at a pixel may be that of any place within.

    Args:
        gain: (H, W) logarithm.
        scale: H / h.
    """
    mean = uniform_filter(gain, scale, mode="nearest")
    mean_square = uniform_filter(gain**2, scale, mode="nearest")
    variance = np.maximum(mean_square - mean**2, 0.0)
    unsure = PART_OF_SPREAD * np.sqrt(variance)
    return np.asarray(unsure, dtype=np.float32)
