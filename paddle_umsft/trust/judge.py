"""A result judged: the same checks for every method, after it has run, and without the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.psf import box_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.data.trust import Reason, Trust, Verdict
from paddle_umsft.preparation.noise import band_noise
from paddle_umsft.preparation.srf_fit import fit_srf
from paddle_umsft.trust.apart import Ground
from paddle_umsft.trust.evidence import Evidence, fine_differences
from paddle_umsft.trust.expected import Levels, error_and_levels
from paddle_umsft.trust.linear import common_share, linear_view, noise_behind
from paddle_umsft.trust.reasons import (
    about_agreement,
    about_belonging,
    about_error,
    about_findings,
    about_support,
)
from paddle_umsft.trust.support import is_seen, support_classes

# LR pixels that see less of the picture than this, beyond its border, tell of the border and not of the method.
WHOLE = 0.95
# Unless hardly any of those that hold data are left.
LEAST_USED = 0.25
# LR pixels of whose MSI less than this holds data say nothing of whether the images belong together.
LEAST_OF_MSI = 0.75


@dataclass(frozen=True)
class Examined:
    """What was found of a pair before a method got it.

    Attributes:
        found: Effects that were found, by name.
        psf: (k, k); None: not known.
        srf: (M, C); None: not known.
        border: What lies beyond the picture.
        trusted: (h, w) LR pixels that show the scene as it is; None: all.
        doubted: (H, W) how little the MSI's pixels are trusted, 0 to 1; None: all are.
        unsure_light: (H, W) how much the light may differ from what was undone, as a part of a pixel's values; None: no
            light was undone.
    """

    found: Mapping[str, Any] = field(default_factory=dict)
    psf: Optional[np.ndarray] = None
    srf: Optional[np.ndarray] = None
    border: Any = "wrap"
    trusted: Optional[np.ndarray] = None
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None


def examined_by(result: FusionResult) -> Examined:
    """The same for a method that examines pairs itself, or has a PSF and an SRF of its own."""
    return Examined(
        found=result.extras.get("found", {}),
        psf=result.psf,
        srf=result.srf,
        border=result.extras.get("border", "wrap"),
        doubted=result.doubted,
        unsure_light=result.unsure_light,
    )


def judged(result: FusionResult, observation: Observation, examined: Optional[Examined] = None) -> FusionResult:
    """A result with its trust, the verdict first among the notes.

    Args:
        result: What a method returned.
        observation: The pair that it was given.
        examined: What was found of the pair; None: what the method says.
    """
    return judged_with_levels(result, observation, examined)[0]


def judged_with_levels(
    result: FusionResult,
    observation: Observation,
    examined: Optional[Examined] = None,
) -> tuple[FusionResult, Levels]:
    """The same, and what its expected error shares with other rows of the scene; arguments as of `judged`."""
    started = time.perf_counter()
    if examined is None:
        examined = examined_by(result)
    pair = observation
    if result.pair is not None:
        pair = result.pair
    ground: Optional[Ground] = None
    if pair.grid is not None:
        ground = Ground(pair)
    evidence, share = _evidence(result, pair, examined, ground)
    expected, levels = error_and_levels(evidence)
    if ground is not None:
        expected = ground.told(expected, result.fused)
    size = float(np.sqrt(np.mean(expected.bands**2)))
    level = float(np.sqrt(np.mean(expected.light**2)))
    belonging = about_belonging(share)
    learned: Optional[np.ndarray] = None
    if belonging.kind == "good":
        # What was learned of a pair that hardly agrees is no news of a camera.
        learned = evidence.srf
    support = support_classes(is_seen(pair, learned), pair.wavelengths_nm)
    reasons: list[Optional[Reason]] = [belonging]
    if belonging.kind != "bad":
        # Of a pair that is none, nothing else can be told.
        reasons += [
            about_agreement(_given_back(evidence)),
            about_support(support, pair.wavelengths_nm),
            about_error(size, expected.interpolated, level),
            *about_findings(examined.found),
        ]
    verdict = Verdict.of([reason for reason in reasons if reason is not None])
    trust = Trust(
        expected=expected,
        support=support,
        verdict=verdict,
        seconds=time.perf_counter() - started,
    )
    return replace(result, trust=trust, notes=(verdict.line, *result.notes)), levels


def _evidence(
    result: FusionResult,
    pair: Observation,
    examined: Examined,
    ground: Optional[Ground] = None,
) -> tuple[Evidence, float]:
    """What the expected error is read from, and what the two images have in common."""
    psf = examined.psf
    if psf is None:
        psf = result.psf
    if psf is None:
        psf = box_psf(pair.scale)
    degrade = result.degrade
    height, width = pair.lr_hsi.shape[:2]
    used = np.ones((height, width), dtype=bool)
    if degrade is None:
        operator = SpatialDegradation(psf, pair.scale, examined.border)
        degrade = operator.forward
        used = operator.inside((height, width)) > WHOLE
    lr_msi = degrade(pair.hr_msi.astype(np.float32))
    again = degrade(result.fused)
    shows_msi = np.ones(lr_msi.shape[:2], dtype=bool)
    if pair.mask_msi is not None:
        seen_of_msi = degrade(pair.mask_msi[:, :, None].astype(np.float32))  # (h, w, 1)
        shows_msi = seen_of_msi[:, :, 0] > LEAST_OF_MSI
    if ground is not None:
        pair, result = ground.brought(pair, result)
        used = np.ones(pair.lr_hsi.shape[:2], dtype=bool)
    inside = used.copy()
    known = np.ones_like(used)
    if pair.mask_hsi is not None:
        known = pair.mask_hsi
        used &= known
    if examined.trusted is not None:
        used &= examined.trusted
    if result.held_out is not None:
        used &= np.isfinite(result.held_out).all(axis=2)
    lost = inside & ~used
    if not known.any():
        # Of a baseline's rows so few may be judged that all of them see others.
        known = np.ones_like(used)
    if used.sum() < LEAST_USED * known.sum():
        # Not what was filled under a mask: it has nothing in common with the other image.
        used = known.copy()
    srf = examined.srf
    if srf is None:
        whole = ((0, pair.bands),) * pair.msi_bands
        srf = fit_srf(pair.lr_hsi, lr_msi, pair.supports or whole, wavelengths_nm=pair.wavelengths_nm)
    share, missed = common_share(pair.lr_hsi, lr_msi, used & shows_msi)
    # Noise of the MSI is what its finest differences hold at most, and what nothing explains behind the PSF.
    white = float(np.sqrt(np.sum(np.square(psf))))
    behind = noise_behind(missed) / white
    held_out: Optional[np.ndarray] = None
    if result.held_out is not None:
        held_out = np.where(used[:, :, None], result.held_out, np.nan)
    evidence = Evidence(
        lr_hsi=pair.lr_hsi,
        hr_msi=pair.hr_msi,
        lr_msi=lr_msi,
        fused=result.fused,
        again=again,
        srf=srf,
        white=white,
        linear=linear_view(pair.lr_hsi, lr_msi, used),
        used=used,
        hsi_noise=band_noise(pair.lr_hsi[used]),
        msi_noise=np.minimum(fine_differences(pair.hr_msi), behind),
        held_out=held_out,
        lost=lost,
        doubted=_doubted(pair, examined),
        unsure_light=_unsure_light(pair, examined),
        is_refined=result.extras.get("refined", 0) > 0,
    )
    return evidence, share


def _doubted(pair: Observation, examined: Examined) -> Optional[np.ndarray]:
    """(H, W) how little the MSI's pixels are trusted, by what was found, else by the mask; None: all are."""
    doubted = examined.doubted
    if doubted is None and pair.mask_msi is not None:
        doubted = (~pair.mask_msi).astype(np.float32)
    if doubted is None or doubted.shape != pair.hr_msi.shape[:2]:
        return None
    return doubted


def _unsure_light(pair: Observation, examined: Examined) -> Optional[np.ndarray]:
    """(H, W) how unsure the light is, where it was undone on the very pixels of the pair; None: nothing was undone."""
    shape = pair.hr_msi.shape[:2]
    unsure = examined.unsure_light
    if unsure is not None and unsure.shape != shape:
        unsure = None
    spread = examined.found.get("stripes")
    if spread is None:
        return unsure
    # Gains of lines are undone to a mean of 1; what their mean was nobody knows but by how they differ.
    lines = min(pair.lr_hsi.shape[:2])
    of_all = np.float32(spread / np.sqrt(lines))
    if unsure is None:
        return np.full(shape, of_all)
    return np.asarray(np.hypot(unsure, of_all))


def _given_back(seen: Evidence) -> float:
    """Part of the LR-HSI's contrast that PSF(result) explains; bands of nothing but noise count for little."""
    recorded = seen.lr_hsi[seen.used].astype(np.float64)  # (n, C)
    contrast = float(np.mean((recorded - recorded.mean(axis=0)) ** 2))
    if contrast == 0:
        return 1.0
    missed = float(np.mean((recorded - seen.again[seen.used]) ** 2))
    return 1.0 - missed / contrast
