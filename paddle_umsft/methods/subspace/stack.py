"""The own result against hypersharpening, the plain method that it must not lose to, judged one step coarser.

Errors on LR pixels left out of a fit say how well a map does between pixels that are as blurred as those it was fitted
on. HR pixels are sharper, their colours purer and brighter, and there a map that bends may fall behind a linear mix.
So the LR-HSI is degraded once more, by two, and fused with the MSI as LR pixels see it, by the very same steps: its
truth is the LR-HSI itself. How the two share each band there is how they share it in the result.

References:
    L. Wald, T. Ranchin, M. Mangolini: Fusion of satellite images of different spatial resolutions: assessing the
    quality of resulting images. PE&RS 63(6), 1997 (degrading once more).
    L. Breiman: Stacked regressions. Machine Learning 24, 1996.
    B. Aiazzi, S. Baronti, M. Selva: IEEE TGRS 45(10), 2007, and M. Selva et al.: IEEE JSTARS 8(6), 2015 (the plain
    method: what the sharp partner of a band leaves of it is interpolated and added).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, Union

import numpy as np

from paddle_umsft.cameras.psf import box_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import Observation
from paddle_umsft.methods.subspace.blend import linear_bands, parts_of, shares
from paddle_umsft.methods.subspace.ground import Ground, fit_weights
from paddle_umsft.methods.subspace.map_features import PixelInputs
from paddle_umsft.preparation.below_zero import lifted
from paddle_umsft.preparation.prepared import untouched

# The LR-HSI is degraded by so much once more.
STEP = 2
# The mean of so many LR pixels is one of the coarser LR-HSI: their noise shrinks to one part of it in variance.
CELL_PIXELS = STEP * STEP
NOISE_SEED = 0
# Fewer pixels than this in the coarser LR-HSI, per MSI band and besides, tell nothing.
PIXELS_PER_BAND = 4
LEAST_PIXELS = 12
# With so many, half of what they say is believed: a map learns more from four times as many than a linear mix does.
ONE_MAP_HALF_BELIEVED = 32
# A trial looks at so many LR pixels at most, a block in the middle of the picture: more tell nothing new.
MOST_JUDGED = 2**18
# Dark spectra count by what their errors are of their brightness, down to this share of the mean brightness.
DARKEST = 0.05


def _cells(image: np.ndarray) -> np.ndarray:
    """(h / 2, w / 2, 4, B) pixels of each cell of (h, w, B), h and w even."""
    height, width, bands = image.shape
    rows, columns = height // STEP, width // STEP
    cells = image.reshape(rows, STEP, columns, STEP, bands).swapaxes(1, 2)
    return np.asarray(cells.reshape(rows, columns, CELL_PIXELS, bands))


def _noise_again(ground: Ground, lr_hsi: np.ndarray, hr_msi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give both images of the coarser pair the noise that averaging took from them.

    A linear mix carries the MSI's noise into every band, the own steps subdue it: without it the mix would look better
    than it is.

    Args:
        ground: Tells the noise of the pair as it was recorded.
        lr_hsi: (h', w', C) means of cells of the LR-HSI.
        hr_msi: (h, w, M) MSI as LR pixels see it.

    Returns:
        Both as float32.
    """
    random = np.random.default_rng(NOISE_SEED)
    left_by_psf = float(np.sum(ground.degradations.psf**2))
    lost_of_msi = ground.msi_noise * np.sqrt(max(1.0 - left_by_psf, 0.0))
    lost_of_hsi = ground.band_noise * np.sqrt(1.0 - 1.0 / CELL_PIXELS)  # (C,)
    noisy_msi = hr_msi + lost_of_msi * random.standard_normal(hr_msi.shape)
    noisy_hsi = lr_hsi + lost_of_hsi * random.standard_normal(lr_hsi.shape)
    return noisy_hsi.astype(np.float32), noisy_msi.astype(np.float32)


def judged_block(lr_shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the LR pixels that a trial looks at: an even number of both, of most pictures all.

    Args:
        lr_shape: (h, w).
    """
    height, width = lr_shape
    shrink = min(1.0, (MOST_JUDGED / (height * width)) ** 0.5)
    block = []
    for length in (height, width):
        wanted = int(length * shrink) // STEP * STEP
        # An even number of pixels before it, too: cells of all trials are the same.
        first = (length - wanted) // (2 * STEP) * STEP
        block.append(slice(first, first + wanted))
    return block[0], block[1]


def coarser(ground: Ground) -> Optional[Ground]:
    """The pair one step coarser: LR-HSI and MSI as LR pixels see them take the places of truth and MSI.

    Args:
        ground: See `Ground`.

    Returns:
        The same with another pair, level 1; None where too few pixels would be left.
    """
    block = judged_block(ground.lr_hsi.shape[:2])
    bands = ground.hr_msi.shape[2]
    kept = ground.kept[block]
    usable = np.all(_cells(kept[..., None]), axis=(2, 3))
    if usable.sum() < max(LEAST_PIXELS, PIXELS_PER_BAND * bands):
        return None
    fine_hsi = ground.lr_hsi[block]
    mean_hsi = _cells(fine_hsi).mean(axis=2)
    seen = ground.operator.forward(ground.hr_msi)[block]  # (h, w, M)
    lr_hsi, hr_msi = _noise_again(ground, mean_hsi, seen)
    pair = Observation(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        scale=STEP,
        mask_hsi=usable,
        mask_msi=kept,
    )
    return replace(
        ground,
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        level=1.0,
        operator=SpatialDegradation(box_psf(STEP), STEP, "reflect"),
        inputs=PixelInputs.of(lifted(hr_msi)),
        recorded=lr_hsi,
        inside=np.ones(lr_hsi.shape[:2]),
        prepared=untouched(pair),
        band_operators=None,
    )


@dataclass(frozen=True)
class Plain:
    """Plain hypersharpening of a pair.

    Attributes:
        slopes: (M, C) float32.
        constants: (C,) float32.
        left: (h, w, C) float32 what the linear mix leaves of the LR-HSI; anything that gives rows of it.
    """

    slopes: np.ndarray
    constants: np.ndarray
    left: Any

    def missed(self, operator: SpatialDegradation) -> np.ndarray:
        """(h, w) mean square over bands of what the plain cube misses of the LR-HSI, over `level` squared.

        The linear mix misses `left`, of which the PSF takes the finer part once it is interpolated.

        Args:
            operator: Of the whole picture.
        """
        seen = operator.forward_enlarged(self.left)  # (h, w, C)
        missed = np.empty(seen.shape[:2])
        for row in range(len(seen)):
            own = self.left[row : row + 1]
            rest = own[0] - seen[row]  # (w, C)
            missed[row] = np.mean(rest**2, axis=1)
        return missed

    def cube(
        self,
        operator: SpatialDegradation,
        hr_msi: np.ndarray,
        rows: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        """(H, W, C) linear mix of the MSI for every band, and what it leaves of the LR-HSI interpolated, over `level`.

        Args:
            operator: Of the whole picture.
            hr_msi: (H, W, M), or some of its rows.
            rows: Which; None: all.
        """
        if rows is None:
            cube = operator.enlarge(self.left[:])
        else:
            cube = operator.enlarge_rows(self.left, rows)
        cube += hr_msi.astype(np.float32) @ self.slopes
        cube += self.constants
        return np.asarray(cube)


class LinearRest:
    """What a linear mix leaves of the LR-HSI, made of the rows that are asked for: all of it is as large as that.

    Args:
        lr_hsi: (h, w, C).
        seen: (h, w, M) MSI as LR pixels see it.
        slopes: (M, C) float32.
        constants: (C,) float32.
        kept: (h, w) LR pixels that count; of the others nothing is left.
    """

    def __init__(
        self,
        lr_hsi: np.ndarray,
        seen: np.ndarray,
        slopes: np.ndarray,
        constants: np.ndarray,
        kept: np.ndarray,
    ) -> None:
        self._lr_hsi = lr_hsi
        self._seen = seen
        self._slopes = slopes
        self._constants = constants
        self._kept = kept
        self.shape = lr_hsi.shape
        self.dtype = np.result_type(seen, slopes)

    def __getitem__(self, rows: Union[slice, np.ndarray]) -> np.ndarray:
        """(n, w, C) of some rows."""
        left = self._seen[rows] @ self._slopes
        left += self._constants
        np.subtract(self._lr_hsi[rows], left, out=left)
        left[~self._kept[rows]] = 0.0
        return np.asarray(left)


def plain_of(ground: Ground, fitted: Optional[np.ndarray] = None) -> Plain:
    """Fit plain hypersharpening.

    Args:
        ground: See `Ground`; its images may lie in files.
        fitted: (h, w) LR pixels that the linear mix is fitted on; None: all that are kept.
    """
    kept = ground.kept
    if fitted is None:
        fitted = kept
    trust = np.sqrt(fit_weights(ground)[fitted]).reshape(-1, 1)
    hr_msi = ground.hr_msi[:]
    weights, constants = linear_bands(ground.lr_hsi[:], hr_msi, ground.operator, trust, fitted)
    slopes = weights.astype(np.float32)
    constants = constants.astype(np.float32)
    return Plain(
        slopes=slopes,
        constants=constants,
        left=LinearRest(ground.lr_hsi, ground.operator.forward(hr_msi), slopes, constants, kept),
    )


def plain_cube(ground: Ground) -> np.ndarray:
    """(H, W, C) plain hypersharpening, over `level`."""
    return plain_of(ground).cube(ground.operator, ground.hr_msi)


def own_shares(
    ground: Ground,
    fuse: Callable[[Ground], np.ndarray],
    half_believed: int = ONE_MAP_HALF_BELIEVED,
) -> np.ndarray:
    """The own result's share of each band, (C,), judged one step coarser; all of it where nothing can be told.

    Errors count as they are, and by what they are of a pixel's brightness: the mean of both serves PSNR and SAM.

    Args:
        ground: See `Ground`.
        fuse: The own steps, from a ground to its cube.
        half_believed: Of so many coarser LR pixels half of what they say is believed.
    """
    coarse = coarser(ground)
    if coarse is None:
        return np.ones(ground.lr_hsi.shape[2])
    block = judged_block(ground.lr_hsi.shape[:2])
    judged = ground.kept[block]
    truth = ground.lr_hsi[block]
    energy = np.einsum("rwc,rwc->rw", truth, truth, dtype=np.float64)
    brightness = np.sqrt(energy[judged])[:, None]  # (n, 1)
    brightness = brightness + DARKEST * brightness.mean()
    own = fuse(coarse)
    plain = plain_cube(coarse)
    plain_shares = []
    for some in parts_of(truth.shape[2], len(brightness)):
        wanted = truth[..., some][judged].astype(np.float64)  # (n, bands)
        own_error = own[..., some][judged] - wanted
        plain_error = plain[..., some][judged] - wanted
        own_share = shares(own_error, plain_error)
        shaded = shares(own_error / brightness, plain_error / brightness)
        plain_shares.append(1.0 - 0.5 * (own_share + shaded))
    plain_share = np.concatenate(plain_shares)
    pixels = int(coarse.kept.sum())
    believed = pixels / (pixels + half_believed)
    return np.asarray(1.0 - believed * plain_share)


def stack(
    ground: Ground,
    fused: np.ndarray,
    fuse: Callable[[Ground], np.ndarray],
    half_believed: int = ONE_MAP_HALF_BELIEVED,
    missed: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Move each band towards the plain cube, as far as the pair one step coarser asks for it; in places all the way.

    Args:
        ground: See `Ground`.
        fused: (H, W, C), changed in place.
        fuse: The steps that `fused` was made by, from a ground to its cube.
        half_believed: See `own_shares`.
        missed: (h, w) see `own_places`; None: the own result counts alike everywhere.

    Returns:
        (C,) share of the plain cube in each band of `fused`, where nothing is amiss.
    """
    bands = fused.shape[2]
    share = own_shares(ground, fuse, half_believed)
    is_astray = missed is not None and bool(np.any(missed > ground.lr_error))
    if np.all(share == 1) and not is_astray:
        return np.zeros(bands)
    plain = plain_of(ground)
    places: Optional[np.ndarray] = None
    if is_astray:
        assert missed is not None
        own = own_places(missed, plain.missed(ground.operator), ground.lr_error)
        places = ground.operator.enlarge(own)
    other = plain.cube(ground.operator, ground.hr_msi)
    mix_with(fused, other, share, places, level=ground.level, floor=ground.floor)
    return 1.0 - share


def own_places(
    missed: np.ndarray,
    plain_missed: np.ndarray,
    allowed: float,
) -> np.ndarray:
    """How far the own result counts at each LR pixel: less where it says less of the LR-HSI than the plain one does.

    A map is fitted through the PSF: what LR pixels see of the picture's rim, or of what only a few of them see, fits a
    sum of HR pixels of which some are far too bright and others below zero, where they are cut off. Then the sum is no
    longer right, and far more is missed than by a linear mix, which has no freedom for that.

    Args:
        missed: (h, w) mean squares of what the own result misses of the LR-HSI.
        plain_missed: (h, w) the same of the plain one.
        allowed: What may be missed, see `Ground.lr_error`.

    Returns:
        (h, w, 1) float32 between 0 and 1.
    """
    share = (plain_missed + allowed) / np.maximum(missed, allowed)
    own = np.minimum(share, 1.0).astype(np.float32)
    return np.asarray(own[..., None])


def mix_with(
    fused: np.ndarray,
    other: np.ndarray,
    share: np.ndarray,
    places: Optional[np.ndarray] = None,
    *,
    level: float,
    floor: float,
) -> None:
    """Move a cube towards the plain one.

    Args:
        fused: (H, W, C) in the units of the input, changed in place.
        other: (H, W, C) over `level`, changed too.
        share: (C,) of the own result in each band.
        places: (H, W, 1) how much of that at each pixel, see `own_places`, interpolated; None: all of it.
        level: See `Ground`.
        floor: Smallest value of the result, over `level`.
    """
    other *= np.float32(level)
    kept_share = share.astype(np.float32)
    if places is None:
        fused *= kept_share
        fused += (1 - kept_share) * other
    else:
        # Interpolation overshoots.
        here = np.clip(places, 0.0, 1.0)
        for row in range(len(fused)):
            kept_here = here[row] * kept_share  # (W, C)
            fused[row] *= kept_here
            fused[row] += (1 - kept_here) * other[row]
    np.maximum(fused, np.float32(floor * level), out=fused)
