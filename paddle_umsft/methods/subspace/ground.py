"""What an observation says before any fusion: PSF and SRF, subspace, noise, and the linear estimate of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.checks import check_cube, check_grids
from paddle_umsft.data.scene import Observation
from paddle_umsft.machine.memory import give_back
from paddle_umsft.methods.subspace.map_features import PixelInputs
from paddle_umsft.methods.subspace.rank import choose_rank, spectra_svd
from paddle_umsft.preparation.band_widths import BandOperators, linearly_alike
from paddle_umsft.preparation.below_zero import least_of, lifted
from paddle_umsft.preparation.block import examine_block
from paddle_umsft.preparation.border_doubt import variance_ratio
from paddle_umsft.preparation.estimate import Degradations, operator_of
from paddle_umsft.preparation.noise import pixel_noise
from paddle_umsft.preparation.outside import without_outside
from paddle_umsft.preparation.prepared import Prepared

# Standard deviation of a spectrum beyond the picture, once its MSI bands are accounted for, over the map's own errors.
OUTSIDE_DOUBT = 30.0
# LR pixels with less of their PSF on the picture are told of.
ALL_INSIDE = 0.99
# What the images contradict each other by is no noise that averages out: it counts as an error of the LR-HSI this many
# times. Ten takes the rings off a real pair with a PSF of a whole LR pixel; a hundred would cost others 0.04 dB.
CLASH_WEIGHT = 10.0
# Added to the covariance of the MSI, relative to its mean variance: bands that copy each other can be inverted.
COVARIANCE_RIDGE = 1e-9
# Spectra that the subspace and the noise are found from, at most: far more than there are bands.
MOST_SPECTRA = 2**17
# Rows of an image that are squared at a time.
ROWS_AT_ONCE = 256
TINY = 1e-30


@dataclass
class Ground:
    """Everything about an observation that the solver and the correction on top of it share.

    Attributes:
        lr_hsi: (h, w, C) float32, divided by `level`; as if every band had the common PSF, and the mirrored picture
            were what lies outside.
        hr_msi: (H, W, M) float32, divided by `level`.
        level: Root mean square of the LR-HSI, so that the arithmetic is about 1.
        degradations: PSF and SRF.
        operator: The PSF as an operator.
        rank: K.
        basis: (C, K) orthonormal spectral basis.
        msi_noise: Noise standard deviation of the MSI, relative to `level`.
        band_noise: (C,) the same for every band of the LR-HSI.
        clash: What PSF(MSI) and SRF(LR-HSI) differ by, noise or not: root mean square per coefficient of the spectrum
            that it stands for, relative to `level`.
        lift: (C, M) linear estimate of a spectrum from its MSI pixel.
        inputs: Prepared MSI.
        recorded: (h, w, C) LR-HSI as it was recorded, divided by `level`; none of its rows where a scene goes by
            strips: what is asked for there is made of `prepared.observation`.
        inside: (h, w) share of each LR pixel's PSF that lies on the picture.
        prepared: What was found in the pair, and which pixels are trusted.
        band_operators: Every HSI band's own PSF, where they differ.
    """

    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    level: float
    degradations: Degradations
    operator: SpatialDegradation
    rank: int
    basis: np.ndarray
    msi_noise: float
    band_noise: np.ndarray
    clash: float
    lift: np.ndarray
    inputs: PixelInputs
    recorded: np.ndarray
    inside: np.ndarray
    prepared: Prepared
    band_operators: Optional[BandOperators] = None

    @property
    def kept(self) -> np.ndarray:
        """(h, w) LR pixels that the result has to agree with."""
        return self.prepared.use_trust

    @property
    def hsi_noise(self) -> float:
        """Noise standard deviation of the LR-HSI, root mean square over bands, relative to `level`."""
        return float(np.sqrt(np.mean(self.band_noise**2)))

    @property
    def lr_error(self) -> float:
        """Mean square by which an LR pixel may be missed: its noise, and what the images contradict each other by."""
        return self.hsi_noise**2 + CLASH_WEIGHT * self.clash**2

    @property
    def pixel(self) -> float:
        """Length of a pixel of the PSF in pixels of the given MSI: below 1 where the ratio is no whole number."""
        if self.prepared.layout is None or self.prepared.layout.placement is None:
            return 1.0
        return self.prepared.layout.placement.zoom

    @property
    def floor(self) -> float:
        """Smallest value of the result: what light leaves at least, but nothing that the LR-HSI holds is cut off."""
        return least_of(self.recorded, self.kept)


def check_observation(observation: Observation) -> None:
    """Refuse what cannot be fused.

    Raises:
        DataError: Wrong number of axes, sizes that do not agree, values not finite or all alike.
    """
    images = {"lr_hsi": observation.lr_hsi, "hr_msi": observation.hr_msi}
    for name, image in images.items():
        check_cube(image, name)
    check_grids(
        observation.lr_hsi.shape,
        observation.hr_msi.shape,
        observation.scale,
        observation.grid,
        minimum=1,
    )


def linear_lift(
    basis: np.ndarray,
    power: np.ndarray,
    srf: np.ndarray,
    msi_noise: float,
) -> np.ndarray:
    """The linear estimate of a spectrum from its MSI pixel that errs least on average (Wiener's).

    With coefficients of variance `power`, MSI = mix coefficients + noise, it is
    basis Cov(coefficients, MSI) Cov(MSI)^-1.

    Args:
        basis: (C, K).
        power: (K,) mean squares of the coefficients.
        srf: (M, C).
        msi_noise: Standard deviation of the MSI's noise.

    Returns:
        (C, M) float64.
    """
    mix = srf @ basis  # (M, K)
    crossed = power[:, None] * mix.T  # (K, M), covariance of coefficients and MSI
    seen = mix @ crossed  # (M, M), covariance of the MSI without noise
    bands = len(seen)
    ridge = msi_noise**2 + COVARIANCE_RIDGE * np.trace(seen) / bands + TINY
    inverse = np.linalg.inv(seen + ridge * np.eye(bands))
    lift = basis @ crossed @ inverse
    return np.asarray(lift)


def some_of(kept: np.ndarray) -> np.ndarray:
    """(h, w) of the pixels kept all, or of a large picture evenly spread ones: a subspace needs no more."""
    step = -(-int(kept.sum()) // MOST_SPECTRA)
    if step <= 1:
        return kept
    chosen = np.zeros_like(kept)
    chosen.ravel()[np.flatnonzero(kept)[::step]] = True
    return chosen


def _level(lr_hsi: np.ndarray, kept: np.ndarray) -> float:
    """Root mean square of the pixels kept, whose squares are never all there in float64."""
    total = 0.0
    for top in range(0, len(lr_hsi), ROWS_AT_ONCE):
        some = slice(top, top + ROWS_AT_ONCE)
        total += float(np.sum(np.square(lr_hsi[some][kept[some]], dtype=np.float64)))
    return float(np.sqrt(total / (kept.sum() * lr_hsi.shape[2])))


def over_level(image: np.ndarray, level: float) -> np.ndarray:
    """An image divided by a number, float32."""
    return np.asarray(image / level, dtype=np.float32)


def lay_ground(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
    *,
    in_windows: bool = False,
) -> Ground:
    """Prepare the pair; find degradations, subspace, noise and the linear estimate.

    Args:
        observation: The image pair.
        settings: See `SubspaceSettings`.
        preparation: What may be found in the pair and undone.
        in_windows: Whether the inputs of the map are to be made window by window: here they are left out. Nor is the
            LR-HSI as it was recorded held beside what is made of it.

    Returns:
        What both methods build on.

    Raises:
        DataError: See `check_observation` and `estimate`.
    """
    check_observation(observation)
    prepared, degradations = examine_block(observation, settings, preparation)
    if in_windows:
        # What was let go of in the meantime stays with the allocator otherwise, four times as much as the LR-HSI takes.
        give_back()
    observation = prepared.observation
    kept = prepared.use_trust
    level = _level(observation.lr_hsi, kept)
    recorded = over_level(observation.lr_hsi, level)
    hr_msi = over_level(observation.hr_msi, level)
    operator = operator_of(degradations.psf, prepared, degradations.border)
    height, width = recorded.shape[:2]
    inside = operator.inside((height, width))
    lr_hsi = recorded
    band_operators: Optional[BandOperators] = None
    if degradations.band_psfs is not None:
        band_operators = BandOperators(degradations.band_psfs, operator)
        trust = 1.0 / np.sqrt(variance_ratio(inside.ravel(), degradations.doubt))
        trust = trust * kept.ravel()
        lr_hsi = linearly_alike(recorded, hr_msi, band_operators, trust).astype(np.float32)

    pixels = lr_hsi[some_of(kept)]  # (n, C)
    count, bands = pixels.shape
    rank, band_noise = choose_rank(pixels, settings.max_rank, least=observation.msi_bands)
    if settings.rank is not None:
        rank = min(settings.rank, bands, count)
    values, right = spectra_svd(pixels)
    del pixels
    basis = right[:rank].T  # (C, K)
    power = values[:rank] ** 2 / count

    # What PSF(msi) and SRF(lr_hsi) disagree by bounds the noise of both. Behind the PSF noise shrinks by its norm. What
    # is smooth in the disagreement is no noise at all.
    disagreement = degradations.residual / level
    psf_norm = np.sqrt(np.sum(degradations.psf**2))
    bounds = (pixel_noise(hr_msi), disagreement / psf_norm, degradations.noise_bound / level)
    msi_noise = min(bounds)
    lift = linear_lift(basis, power, degradations.srf, msi_noise)
    lr_msi = operator.forward(hr_msi)
    whole = kept & (inside > ALL_INSIDE)
    if not whole.any():
        whole = kept
    some = some_of(whole)
    apart = lr_hsi[some] @ degradations.srf.T - lr_msi[some]  # (n, M)
    spectra = apart @ lift.T  # (n, C)
    clash = float(np.sqrt(np.sum(spectra**2) / (len(spectra) * rank)))
    del apart, spectra
    if degradations.border == "reflect":
        lr_hsi = without_outside(lr_hsi, lr_msi, degradations.srf, lift, inside, in_place=in_windows)
    if in_windows:
        recorded = np.empty((0, width, bands), dtype=np.float32)
        inputs = PixelInputs.none_of(hr_msi.shape)
    else:
        inputs = PixelInputs.of(lifted(hr_msi))
    return Ground(
        lr_hsi=lr_hsi,
        hr_msi=hr_msi,
        level=level,
        degradations=degradations,
        operator=operator,
        rank=rank,
        basis=basis,
        msi_noise=float(msi_noise),
        band_noise=band_noise,
        clash=clash,
        lift=lift.astype(np.float32),
        inputs=inputs,
        recorded=recorded,
        inside=inside,
        prepared=prepared,
        band_operators=band_operators,
    )


def with_sharper_bands(ground: Ground, coeffs: np.ndarray) -> Ground:
    """The ground with the difference between the bands' own PSFs taken from a fused cube, no longer from the MSI.

    Args:
        ground: See `Ground`; its bands have PSFs of their own.
        coeffs: (H, W, K) coefficients of the cube.
    """
    assert ground.band_operators is not None
    cube = coeffs @ ground.basis.T.astype(np.float32)  # (H, W, C)
    alike = ground.recorded - ground.band_operators.excess(cube)
    lr_hsi = alike.astype(np.float32)
    if ground.operator.border == "reflect":
        lr_msi = ground.operator.forward(ground.hr_msi)
        lr_hsi = without_outside(lr_hsi, lr_msi, ground.degradations.srf, ground.lift, ground.inside)
    return replace(ground, lr_hsi=lr_hsi)


def lr_weights(ground: Ground) -> np.ndarray:
    """(h, w) weights of the LR pixels: 1 for those that see nothing but the picture, 0 for those left out."""
    return np.asarray(ground.kept / variance_ratio(ground.inside, OUTSIDE_DOUBT))


def fit_weights(ground: Ground) -> np.ndarray:
    """(h, w) weights of the LR pixels where the MSI explains them: less for those that see masked pixels of it."""
    weights = lr_weights(ground)
    has_data = ground.prepared.msi_trust > 0  # (H, W)
    if has_data.all():
        return weights
    share = ground.operator.forward(has_data[..., None].astype(np.float64))[..., 0]
    seen = np.clip(share, 0.0, 1.0)
    return np.asarray(weights / variance_ratio(seen, OUTSIDE_DOUBT))
