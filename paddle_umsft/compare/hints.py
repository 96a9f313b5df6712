"""What a file's figures may be so bad for: other units than the truth's, or rows and columns in each other's place."""

from __future__ import annotations

from typing import Optional

import numpy as np

from paddle_umsft.errors import DataError

# A result in the right units is never this many times nearer to the truth in others.
MUCH_BETTER = 10.0
# Swapping rows and columns of an upright result makes it worse, however poor it is; twice as good is no chance.
CLEARLY_BETTER = 2.0
# Numbers that programs multiply by: the largest of 8, 12 and 16 bits, and reflectance in hundredths of a per cent.
USUAL_DIVISORS = (255.0, 4095.0, 10000.0, 65535.0)
# A usual number is named instead of the best one where it fits nearly as well: noise shifts the best one a little.
NEARLY_AS_GOOD = 1.1
# Divisors as near to 1 as this are no units.
SAME_UNITS = 0.01


def check_upright(
    truth: np.ndarray,
    fused: np.ndarray,
    *,
    where: str,
) -> None:
    """Refuse a cube whose shape says that its rows and columns are in each other's place.

    Args:
        truth: (H, W, C).
        fused: A result.
        where: Its file.

    Raises:
        DataError: It is (W, H, C).
    """
    height, width, bands = truth.shape
    if height != width and fused.shape == (width, height, bands):
        raise DataError(
            "rows and columns are swapped, as in what the published code writes",
            where=where,
            expected=truth.shape,
            got=fused.shape,
            hint="add --transposed",
        )


def hints(truth: np.ndarray, fused: np.ndarray) -> list[str]:
    """Return a line for each way in which a result would fit far better.

    Args:
        truth: (H, W, C), finite.
        fused: (H, W, C), finite.

    Returns:
        Mostly none.
    """
    lines = []
    reference = truth.astype(np.float64)
    estimate = fused.astype(np.float64)
    if _is_transposed(reference, estimate):
        estimate = estimate.swapaxes(0, 1)
        lines.append(
            "it fits more than twice as well with rows and columns swapped, "
            "as the published code writes them: add --transposed"
        )
    divisor = _better_divisor(reference, estimate)
    if divisor is not None:
        lines.append(
            f"it fits more than {MUCH_BETTER:.0f} times better divided by {divisor:.5g}: "
            f"its values are in other units than the truth's; add --result-normalise {divisor:.5g}"
        )
    return lines


def _is_transposed(reference: np.ndarray, estimate: np.ndarray) -> bool:
    """Tell whether a cube fits better lying on its side, whatever its units."""
    height, width = reference.shape[:2]
    if height != width:
        return False
    as_it_is = _distance(reference, _scaled(reference, estimate))
    swapped = estimate.swapaxes(0, 1)
    on_its_side = _distance(reference, _scaled(reference, swapped))
    return on_its_side * CLEARLY_BETTER < as_it_is


def _better_divisor(reference: np.ndarray, estimate: np.ndarray) -> Optional[float]:
    """Return the number that an estimate should be divided by; None if it is good as it is."""
    factor = _best_factor(reference, estimate)
    # Nothing but zeros, or a negative: that is no matter of units.
    if factor <= 0:
        return None
    divisor = 1.0 / factor
    if abs(divisor - 1.0) < SAME_UNITS:
        return None
    as_it_is = _distance(reference, estimate)
    best = _distance(reference, estimate / divisor)
    if as_it_is < MUCH_BETTER * best:
        return None
    for usual in USUAL_DIVISORS:
        if _distance(reference, estimate / usual) <= NEARLY_AS_GOOD * best:
            return usual
    return divisor


def _best_factor(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Return the number to multiply an estimate by for the smallest squared error; 0 if it is zero everywhere."""
    power = float(np.vdot(estimate, estimate))
    if power == 0:
        return 0.0
    return float(np.vdot(estimate, reference)) / power


def _scaled(reference: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    return _best_factor(reference, estimate) * estimate


def _distance(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((reference - estimate) ** 2)))
