"""What the MSI says of the HSI by least squares, and how far that holds on LR pixels left out of the fit.

No method is needed for it, so it is the yardstick for all of them: what a plain linear mix of the MSI's bands misses of
each HSI band, where the LR pixels are, and how rough that is from one LR pixel to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Fewer LR pixels for each unknown tell nothing: then the mean of each band has to do.
PIXELS_PER_WEIGHT = 4
# Singular values below this share of the largest are left out: bands that copy each other get no huge weights.
RANK_TOLERANCE = 1e-6
# A pixel that determines its own fit (leverage 1) has no leave-one-out residual: the division stops here.
LEAST_FREEDOM = 1e-6
# Principal components of an HSI that stand for it: natural spectra have no more that an MSI sees.
MOST_COMPONENTS = 12
# A value less the mean of its four neighbours: the variance of white noise grows by this.
NEIGHBOURS = 4
ROUGHNESS_OF_NOISE = 1.25
# The median of |x| is this many standard deviations of a Gaussian x.
MEDIAN_DEVIATION = 0.6745
# With fewer rows or columns no pixel has neighbours on all sides.
LEAST_LINES = 3


@dataclass(frozen=True)
class LinearFit:
    """Least squares of pixels, which other pixels of the same scene can be held against.

    Attributes:
        weights: (D, C) of the columns of the design, that of the constant last.
        whitening: (D, r) makes the columns orthonormal: a pixel's leverage is its sum of squares behind it.
        constant: What stands in the last column.
    """

    weights: np.ndarray
    whitening: np.ndarray
    constant: float

    def left_out(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
    ) -> np.ndarray:
        """(n, C) what the fit misses of pixels, had they been left out of it.

        Args:
            inputs: (n, M) the MSI's.
            targets: (n, C) the HSI's.
        """
        design = np.full((len(targets), 1), self.constant)
        if len(self.weights) > 1:
            pixels = inputs.astype(np.float64)
            design = np.concatenate([pixels, design], axis=1)
        residuals = targets - design @ self.weights
        return _without_own_pull(residuals, design @ self.whitening)


@dataclass(frozen=True)
class LinearView:
    """The HSI as a linear mix of the MSI.

    Attributes:
        weights: (M, C).
        left_out: (h, w, C) residual of every LR pixel under the fit to all others; NaN where a pixel is not in use.
        fit: The same for pixels that it was not fitted on.
    """

    weights: np.ndarray
    left_out: np.ndarray
    fit: LinearFit

    def elsewhere(
        self,
        lr_hsi: np.ndarray,
        lr_msi: np.ndarray,
        used: np.ndarray,
    ) -> LinearView:
        """The same mix of other LR pixels of the scene; arguments as of `linear_view`."""
        targets = lr_hsi[used].astype(np.float64)
        left_out = np.full(lr_hsi.shape, np.nan)
        left_out[used] = self.fit.left_out(lr_msi[used], targets)
        return LinearView(
            weights=self.weights,
            left_out=left_out,
            fit=self.fit,
        )


def left_out_residuals(
    design: np.ndarray,
    targets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares, and what it misses of each row if the row is left out of the fit.

    Args:
        design: (n, D).
        targets: (n, C).

    Returns:
        (D, C) weights and (n, C) leave-one-out residuals.

    References:
        D. Allen: The relationship between variable selection and data augmentation and a method for prediction.
        Technometrics 16(1), 1974 (the residual over one minus the leverage).
    """
    weights, _, residuals = _least_squares(design, targets)
    return weights, residuals


def _least_squares(
    design: np.ndarray,
    targets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(D, C) weights, (D, r) what makes the design's columns orthonormal, (n, C) leave-one-out residuals."""
    left, values, right = np.linalg.svd(design, full_matrices=False)
    largest = values[0]
    used = values > RANK_TOLERANCE * largest
    left = left[:, used]  # (n, r)
    inside = left.T @ targets  # (r, C)
    whitening = right[used].T / values[used]
    weights = whitening @ inside  # (D, C)
    residuals = targets - left @ inside
    return weights, whitening, _without_own_pull(residuals, left)


def _without_own_pull(
    residuals: np.ndarray,
    orthonormal: np.ndarray,
) -> np.ndarray:
    """Residuals of every row, had it been left out of the fit.

    Args:
        residuals: (n, C) as they are.
        orthonormal: (n, r) columns that span the design.
    """
    leverage = np.sum(orthonormal**2, axis=1)  # (n,)
    freedom = np.maximum(1.0 - leverage, LEAST_FREEDOM)
    return np.asarray(residuals / freedom[:, None])


def with_constant(pixels: np.ndarray) -> np.ndarray:
    """(n, D + 1) a constant column added, as large as the pixels are, so that no unit makes it look like rounding."""
    mean_square = np.mean(np.square(pixels))
    level = np.sqrt(mean_square)
    if not level > 0:
        level = 1.0
    constant = np.full((len(pixels), 1), level)
    return np.concatenate([pixels, constant], axis=1)


def explained_share(
    targets: np.ndarray,
    left_out: np.ndarray,
) -> float:
    """Part of the contrast that residuals leave explained, bands counted alike; 1 where there is no contrast.

    Args:
        targets: (n, C).
        left_out: (n, C) residuals.
    """
    contrast = targets.var(axis=0)
    has_contrast = contrast > 0
    if not has_contrast.any():
        return 1.0
    missed = np.mean(left_out**2, axis=0)
    shares = missed[has_contrast] / contrast[has_contrast]
    return float(1.0 - np.mean(shares))


def linear_view(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    used: np.ndarray,
) -> LinearView:
    """Fit every HSI band by the MSI's bands and a constant.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M) the MSI as the HSI's PSF sees it.
        used: (h, w) LR pixels in use.
    """
    targets = lr_hsi[used].astype(np.float64)  # (n, C)
    inputs = lr_msi[used].astype(np.float64)  # (n, M)
    count, msi_bands = inputs.shape
    bands = targets.shape[1]
    weights = np.zeros((msi_bands, bands))
    if count < PIXELS_PER_WEIGHT * (msi_bands + 1):
        # A constant alone: the weights stay zero.
        design = np.ones((count, 1))
    else:
        design = with_constant(inputs)
    fitted, whitening, residuals = _least_squares(design, targets)
    weights[: len(fitted) - 1] = fitted[:-1]
    left_out = np.full(lr_hsi.shape, np.nan)
    left_out[used] = residuals
    fit = LinearFit(
        weights=fitted,
        whitening=whitening,
        constant=float(design[0, -1]),
    )
    return LinearView(
        weights=weights,
        left_out=left_out,
        fit=fit,
    )


def common_share(
    lr_hsi: np.ndarray,
    lr_msi: np.ndarray,
    used: np.ndarray,
) -> tuple[float, np.ndarray]:
    """How much of the MSI the HSI explains where it was not fitted: all of it, if they see one scene.

    The HSI's leading principal components stand for its bands, and a quarter of the picture at a time is left out, so
    that chance explains nothing: neighbours are alike in images of anything, most of all under a wide PSF.

    Args:
        lr_hsi: (h, w, C).
        lr_msi: (h, w, M).
        used: (h, w) LR pixels in use.

    Returns:
        The share, NaN with too few pixels to tell; and (h, w, M) residuals at single pixels left out, NaN where a pixel
        is not in use.
    """
    targets = lr_msi[used].astype(np.float64)  # (n, M)
    pixels = lr_hsi[used].astype(np.float64)  # (n, C)
    residuals = np.full(lr_msi.shape, np.nan)
    most = len(pixels) // PIXELS_PER_WEIGHT - 1
    if most < 1:
        return float("nan"), residuals
    centred = pixels - pixels.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(most, MOST_COMPONENTS, len(values))
    components = left[:, :kept] * values[:kept]
    design = with_constant(components)
    _, missed = left_out_residuals(design, targets)
    residuals[used] = missed
    part = quarters(used.shape)[used]  # (n,)
    in_quarters = left_out_by_parts(design, targets, part)
    return explained_share(targets, in_quarters), residuals


def quarters(shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) number of the quarter that a pixel lies in."""
    height, width = shape
    is_below = np.arange(height) >= height / 2
    is_right = np.arange(width) >= width / 2
    return np.asarray(2 * is_below[:, None] + is_right[None, :])


def left_out_by_parts(
    design: np.ndarray,
    targets: np.ndarray,
    part: np.ndarray,
) -> np.ndarray:
    """(n, M) residuals of every row under the fit to all other parts.

    Args:
        design: (n, D).
        targets: (n, M).
        part: (n,) which part a row belongs to.
    """
    residuals = np.empty(targets.shape)
    for number in np.unique(part):
        is_here = part == number
        is_elsewhere = ~is_here
        fitted, *_ = np.linalg.lstsq(
            design[is_elsewhere],
            targets[is_elsewhere],
            rcond=RANK_TOLERANCE,
        )
        predicted = design[is_here] @ fitted
        residuals[is_here] = targets[is_here] - predicted
    return residuals


def without_neighbours(image: np.ndarray) -> np.ndarray:
    """(h, w, C) less the mean of each pixel's four neighbours; inner pixels only, (h - 2, w - 2, C)."""
    pixel = image[1:-1, 1:-1]
    above = image[:-2, 1:-1]
    below = image[2:, 1:-1]
    before = image[1:-1, :-2]
    after = image[1:-1, 2:]
    around = above + below + before + after
    return np.asarray(pixel - around / NEIGHBOURS)


def differences(image: np.ndarray) -> np.ndarray:
    """(n, C) what differs from the neighbouring LR pixels, where all are in use; all values where there are none.

    Args:
        image: (h, w, C); NaN where a pixel is not in use.
    """
    height, width, bands = image.shape
    inner = image
    if min(height, width) >= LEAST_LINES:
        inner = without_neighbours(image)
    if not np.isfinite(inner).any():
        inner = image
    pixels = inner.reshape(-1, bands)
    is_whole = np.isfinite(pixels).all(axis=1)
    return np.asarray(pixels[is_whole])


def roughness(image: np.ndarray) -> np.ndarray:
    """(C,) root mean square of `differences`; zeros where no pixel is in use."""
    found = differences(image)
    if not len(found):
        return np.zeros(image.shape[2])
    squares = found**2
    return np.asarray(np.sqrt(squares.mean(axis=0)))


def noise_behind(image: np.ndarray) -> np.ndarray:
    """(C,) robust standard deviation of white noise that would explain `differences`: faults in places are none."""
    found = differences(image)
    if not len(found):
        return np.zeros(image.shape[2])
    middle = np.median(np.abs(found), axis=0)
    deviation = middle / MEDIAN_DEVIATION
    return np.asarray(deviation / np.sqrt(ROUGHNESS_OF_NOISE))
