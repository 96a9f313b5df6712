"""What a fusion says of itself: the result with notes, choices and what a caller needs to judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

import numpy as np

from paddle_umsft.cameras.placed import turned_with
from paddle_umsft.cameras.psf_families import OTHERS, ROUND, sharpness
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.methods.subspace.ground import ALL_INSIDE, Ground
from paddle_umsft.preparation.below_zero import note_below_zero

# Below this share of explained variance the two images hardly show the same scene through one PSF and one SRF.
AGREEMENT = 0.9
# What an LR pixel with less of its PSF on the picture misses is the border's fault.
MOSTLY_INSIDE = 0.95
# From this share on a band of the result is plain hypersharpening more than anything else.
MOSTLY_PLAIN = 0.5
# Families whose finding is news to a user: simulators do not have them.
UNCUT = {ROUND.name} | {family.name for family in OTHERS}


def notes_on(ground: Ground) -> tuple[str, ...]:
    """What a user should know before trusting the result, else what was found that no simulator does; a line each."""
    degradations = ground.degradations
    notes = list(ground.prepared.notes)
    notes += note_below_zero("lr_hsi", ground.lr_hsi, ground.kept)
    notes += note_below_zero("hr_msi", ground.hr_msi)
    if degradations.agreement < AGREEMENT:
        percent = 100 * max(degradations.agreement, 0.0)
        note = (
            f"PSF and SRF explain only {percent:.0f} % of what the two images share: are they of one "
            "scene, aligned, linear (no gamma) and, if PSF or SRF were given, on one scale? "
            "method=gsa depends less on that"
        )
        # What else was found of the PSF would be an explanation of what is none.
        return (*notes, note)
    if degradations.psf_family in UNCUT:
        sigma = sharpness(degradations.psf) * ground.pixel
        relative = sharpness(degradations.psf) / ground.operator.scale
        notes.append(
            f"PSF: {degradations.psf_family}, as sharp as a Gaussian of sigma {sigma:.2f} HR pixels "
            f"({relative:.2f} LR pixels), with its tails"
        )
    if degradations.border == "reflect":
        unsure = np.mean(ground.inside < ALL_INSIDE)
        notes.append(
            f"border: the picture is continued beyond its edge, not wrapped around; {100 * unsure:.0f} % of the LR "
            "pixels see something that is not in it and weigh less"
        )
    if degradations.band_psfs is not None:
        first, last = (ground.pixel * sigma for sigma in band_sigmas(degradations.band_psfs))
        notes.append(
            f"PSF: its width depends on the wavelength, from sigma {first:.2f} HR pixels in the first band "
            f"to {last:.2f} in the last"
        )
    return tuple(notes)


def band_sigmas(band_psfs: list[np.ndarray]) -> list[float]:
    """Sharpness of the first and the last band's PSF, as standard deviations in HR pixels."""
    return [sharpness(band_psfs[0]), sharpness(band_psfs[-1])]


def plain_notes(plain_share: Sequence[float]) -> tuple[str, ...]:
    """What a user is told where the plain method was preferred on the whole.

    Args:
        plain_share: (C,) its share of each band.
    """
    preferred = sum(share > MOSTLY_PLAIN for share in plain_share)
    if 2 * preferred <= len(plain_share):
        return ()
    return (
        f"in {preferred} of {len(plain_share)} bands most of the result is plain hypersharpening (as GSA does it): it "
        "errs less one step coarser",
    )


def held_out_image(
    ground: Ground,
    left_out: np.ndarray,
    fitted: np.ndarray,
    rows: Optional[np.ndarray] = None,
) -> np.ndarray:
    """(h, w, C) leave-one-out residuals in the units of the input, NaN at LR pixels left out or partly off the picture.

    Args:
        ground: See `Ground`.
        left_out: (n, K) residuals at the n LR pixels that were fitted.
        fitted: (h, w) these.
        rows: (m,) LR rows that are wanted; None: all.
    """
    height, width, bands = ground.lr_hsi.shape
    if rows is None:
        rows = np.arange(height)
    residuals = ground.level * (left_out @ ground.basis.T)
    # Where among the n residuals those of each LR pixel are.
    places = np.cumsum(fitted.ravel()).reshape(fitted.shape) - 1
    wanted = fitted[rows]
    image = np.full((len(rows), width, bands), np.nan, dtype=np.float32)
    image[wanted] = residuals[places[rows][wanted]]
    image[ground.inside[rows] < MOSTLY_INSIDE] = np.nan
    return image


def finished(
    ground: Ground,
    fused: np.ndarray,
    left_out: Optional[np.ndarray] = None,
    *,
    extras: dict[str, Any],
    **more: Any,
) -> FusionResult:
    """The result with what was found on the way.

    Args:
        ground: See `Ground`.
        fused: (H, W, C).
        left_out: (n, K) leave-one-out residuals of the map that it comes from, if there was one.
        extras: What was chosen; `plain_share` is told where it is large.
        more: What the method has to say besides.
    """
    notes = notes_on(ground) + plain_notes(extras.get("plain_share", ()))
    pair: Optional[Observation] = None
    if ground.prepared.found:
        pair = ground.prepared.observation
    degrade: Optional[Callable[[np.ndarray], np.ndarray]] = None
    psf = ground.degradations.psf
    placement = ground.prepared.placement
    if placement is not None:
        degrade = ground.operator.forward
    layout = ground.prepared.layout
    area: Optional[tuple[int, int, int, int]] = None
    if layout is not None:
        fused = layout.cut(fused)
        area = layout.area
        assert pair is not None
        pair = layout.pair(pair)
        operator = ground.operator

        def degrade(cube: np.ndarray) -> np.ndarray:
            return operator.forward(layout.filled_up(cube))

        if placement is not None:
            # In pixels of the MSI, no longer of the whole ratio.
            psf = turned_with(psf, placement)
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None
    if layout is None:
        doubted = ground.prepared.doubted
        unsure_light = ground.prepared.unsure_light
    held_out: Optional[np.ndarray] = None
    if left_out is not None:
        held_out = held_out_image(ground, left_out, ground.kept)
    return FusionResult(
        fused=fused,
        psf=psf,
        srf=ground.degradations.srf,
        notes=notes,
        extras=extras,
        pair=pair,
        degrade=degrade,
        area=area,
        held_out=held_out,
        doubted=doubted,
        unsure_light=unsure_light,
        **more,
    )


def choices_on(ground: Ground) -> dict[str, Any]:
    """What was chosen and found, for `FusionResult.extras`; noise in the units of the input."""
    degradations = ground.degradations
    choices = {
        "rank": ground.rank,
        "psf_family": degradations.psf_family,
        "psf_sigma": sharpness(degradations.psf) * ground.pixel,
        "border": degradations.border,
        "supports": degradations.supports,
        "msi_noise": ground.msi_noise * ground.level,
        "hsi_noise": ground.hsi_noise * ground.level,
        "agreement": degradations.agreement,
        "found": ground.prepared.found,
    }
    if degradations.band_psfs is not None:
        choices["psf_sigma_first_last_band"] = [ground.pixel * sigma for sigma in band_sigmas(degradations.band_psfs)]
    return choices
