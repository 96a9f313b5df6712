"""Two images in other units, counts beside reflectance: fused all the same, and said."""

from __future__ import annotations

import numpy as np

from paddle_umsft.data.scene import Observation

# Cameras of one scene differ by exposure and gain; from this factor on it is no exposure.
OTHER_UNITS = 20.0
# What most of an image lies below; single hot values say nothing of its units.
BRIGHT_PERCENTILE = 99.0
# Pixels that it is taken from, at most.
MOST_PIXELS = 2**20


def bright_value(image: np.ndarray, divisor: float = 1.0) -> float:
    """Return the value that most of an image lies below, in the units of its file.

    Args:
        image: (H, W, B).
        divisor: What the file's numbers were divided by.
    """
    height, width = image.shape[:2]
    # Of a large image every n-th pixel: a percentile needs no more.
    step = -(-height * width // MOST_PIXELS)
    some = image.reshape(height * width, -1)[::step]
    finite = some[np.isfinite(some)]
    if finite.size == 0:
        return 0.0
    return float(np.percentile(finite, BRIGHT_PERCENTILE)) * divisor


def note_other_units(observation: Observation) -> tuple[str, ...]:
    """Return a note where the two images are in units a factor apart that no exposure explains; else none.

    Args:
        observation: The pair; `meta` says what files were divided by.
    """
    meta = observation.meta
    # A simulation has made both out of one scene.
    if meta.get("simulated"):
        return ()
    divisor = float(meta.get("divisor", 1.0))
    low = bright_value(observation.lr_hsi, divisor)
    high = bright_value(observation.hr_msi, float(meta.get("divisor_msi", divisor)))
    if low <= 0 or high <= 0 or max(low / high, high / low) < OTHER_UNITS:
        return ()
    return (
        f"other units: the HSI reaches {low:.3g}, the MSI {high:.3g} (counts beside reflectance?); the learned SRF "
        "takes up the factor, and the result is in the HSI's",
    )
