"""How much of the MSI's noise a cube holds: what it has of its own finest differences says.

A linear mix of the MSI's bands passes their noise on whole, a method that subdues noise passes a part of it, and that
part can be seen in its cube. What it errs by is more than that: it has smoothed detail away as well. The best linear
filter (Wiener) that multiplies amplitudes by a is one at which the smoothed detail and the noise that is left come to a
times the variance of the noise, so the mean of what was there and what is left (the geometric one) stands for both.

References:
    N. Wiener: Extrapolation, interpolation, and smoothing of stationary time series. Wiley, 1949.
"""

from __future__ import annotations

import numpy as np

from paddle_umsft.trust.evidence import fine_differences

# A cube has many bands, and their noise need not be known to a hundredth.
DIFFERENCES_LOOKED_AT = 16_384


def noise_passed_on(fused: np.ndarray, mixed_noise: np.ndarray) -> np.ndarray:
    """(C,) variance by which a cube errs because of the MSI's noise.

    Args:
        fused: (H, W, C).
        mixed_noise: (C,) variance of the noise in a linear mix of the MSI's bands.
    """
    has_noise = mixed_noise > 0
    deviation = np.sqrt(np.where(has_noise, mixed_noise, 1.0))
    held = fine_differences(fused, DIFFERENCES_LOOKED_AT)
    passed = np.minimum(held / deviation, 1.0)
    return np.asarray(mixed_noise * passed)
