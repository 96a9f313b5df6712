"""A prepared pair for methods that know nothing of placements and masks: the HSI interpolated where it has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Optional

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.placed import PlacedDegradation
from paddle_umsft.cameras.placement import Placement
from paddle_umsft.cameras.psf import box_psf
from paddle_umsft.cameras.spatial import SpatialDegradation
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import FusionResult, Observation
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.layout import Layout
from paddle_umsft.preparation.prepare import LEAST_PIXELS
from paddle_umsft.preparation.prepared import Prepared, untouched

# Standard deviation, in LR pixels, of the neighbourhood that fills an LR pixel nobody trusts.
NEIGHBOURHOOD = 1.0
# Keeps the mean finite where no pixel of a neighbourhood is trusted.
LEAST_WEIGHT = 1e-9
CUBIC = 3

INTERPOLATED = "this method knows no places between the grids: the HSI was interpolated to where the MSI lies"
RESAMPLED = (
    "this method knows two plain grids only: the MSI was resampled to {scale} times the HSI's pixels, "
    "the result back to its own"
)
MASKED = "this method knows no masks: it was given what is masked filled from valid pixels"
FILLED = "this method knows no masks: LR pixels that do not belong were filled from their neighbours"

# Brings a result to the pixels of the MSI that was given.
Back = Callable[[FusionResult], FusionResult]


@dataclass(frozen=True)
class Gridded:
    """A pair laid out for a method that knows two plain grids.

    Attributes:
        observation: The pair, the very one where nothing was found.
        notes: What a user should know of it.
        found: What was found, for programs.
        psf: (k, k) that results are judged by; None: resampling has made another one of it, or nobody knows.
        srf: (M, C); None: there are too few pixels to tell, or nobody has looked.
        border: What lies beyond the picture.
        trusted: (h, w) LR pixels that show the scene as it is; None: all.
        doubted: (H, W) how little the MSI's pixels are trusted; None: all are.
        unsure_light: (H, W) see `Prepared`.
        back: Brings a result to the pixels of the MSI that was given; None: it lies there.
        recorded: The pair whose HSI was not interpolated, which results are judged by; None: `observation`.
        degrade: What that HSI sees of a cube, (H, W, C) -> (h, w, C); None: what a plain grid does.
    """

    observation: Observation
    notes: tuple[str, ...] = ()
    found: dict[str, object] = field(default_factory=dict)
    psf: Optional[np.ndarray] = None
    srf: Optional[np.ndarray] = None
    border: Border = "wrap"
    trusted: Optional[np.ndarray] = None
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None
    back: Optional[Back] = None
    recorded: Optional[Observation] = None
    degrade: Optional[Callable[[np.ndarray], np.ndarray]] = None


def _filled(lr_hsi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Untrusted LR pixels replaced by the weighted mean of the trusted ones around."""
    if trusted.all() or not trusted.any():
        return lr_hsi
    known = trusted.astype(np.float64)
    weight = gaussian_filter(known, NEIGHBOURHOOD, mode="nearest") + LEAST_WEIGHT
    spread = (NEIGHBOURHOOD, NEIGHBOURHOOD, 0)
    total = gaussian_filter(lr_hsi * known[..., None], spread, mode="nearest")
    return np.where(trusted[..., None], lr_hsi, total / weight[..., None])


def _moved(
    lr_hsi: np.ndarray,
    placement: Placement,
) -> np.ndarray:
    """(h, w, C) LR-HSI as it would be if it lay where the MSI's grid says."""
    height, width, bands = lr_hsi.shape
    scale = placement.scale
    origins = placement.origins((height * scale, width * scale))
    # Where the MSI's own LR pixels come from: the middle of each lies between HR pixels.
    first = (scale - 1) // 2
    second = scale // 2
    middles = 0.5 * (origins[first::scale, first::scale] + origins[second::scale, second::scale])
    index = np.moveaxis((middles - (scale - 1) / 2) / scale, 2, 0)
    moved = np.empty((height, width, bands))
    for band in range(bands):
        moved[..., band] = map_coordinates(lr_hsi[..., band], index, order=CUBIC, mode="nearest")
    return moved


def on_the_grid(prepared: Prepared) -> Observation:
    """The pair with the HSI where the MSI's grid says, to the price of one interpolation.

    Args:
        prepared: See `prepare_pair`.

    Returns:
        The observation; as it was where nothing moved and all is trusted.
    """
    observation = prepared.observation
    # Those that see beyond the MSI are good spectra, only the others are to be filled.
    lr_hsi = _filled(observation.lr_hsi.astype(np.float64), prepared.own_trust)
    if prepared.placement is None:
        return replace(observation, lr_hsi=lr_hsi.astype(np.float32))
    if prepared.layout is not None:
        # The grids differ anyhow: the MSI is the one that has pixels to spare.
        hr_msi = prepared.on_the_hsi.hr_msi
        return replace(observation, lr_hsi=lr_hsi.astype(np.float32), hr_msi=hr_msi.astype(np.float32))
    lr_hsi = _moved(lr_hsi, prepared.placement)
    return replace(observation, lr_hsi=lr_hsi.astype(np.float32))


def on_the_msi(
    layout: Layout,
    placement: Optional[Placement],
    result: FusionResult,
) -> FusionResult:
    """A result that was fused on the HSI's ground, brought to the MSI's pixels.

    Args:
        layout: How the pair was laid out.
        placement: Where the HSI's ground lies on the MSI; None: where the grids say.
        result: Its cube on the ground, (h * s, w * s, C).
    """
    fused = result.fused
    if placement is not None:
        origins = placement.origins((fused.shape[0], fused.shape[1]))
        index = np.moveaxis(layout.cut(origins), 2, 0)  # (2, H, W)
        bands = []
        for band in range(fused.shape[2]):
            bands.append(map_coordinates(fused[..., band], index, order=CUBIC, mode="nearest"))
        fused = np.stack(bands, axis=2).astype(np.float32)
    else:
        fused = layout.cut(fused)
    psf = result.psf
    if psf is None:
        psf = box_psf(layout.observation.scale)
    return replace(
        result,
        fused=fused,
        pair=layout.pair(layout.observation),
        degrade=partial(_degraded, layout, placement, psf),
        area=layout.area,
    )


def _degraded(
    layout: Layout,
    placement: Optional[Placement],
    psf: np.ndarray,
    cube: np.ndarray,
) -> np.ndarray:
    """(h, w, C) what the HSI sees of a cube on the MSI's pixels, (H, W, C)."""
    ground = layout.filled_up(cube)
    if placement is not None:
        ground = placement.on_the_hsi(ground, "reflect")
    return SpatialDegradation(psf, layout.observation.scale, "reflect").forward(ground)


def _with_border(observation: Observation, degradations: Optional[Degradations]) -> Observation:
    """The pair with what was found to lie beyond it, where nobody has said that."""
    if degradations is None or degradations.border == "wrap" or "observe" in observation.meta:
        return observation
    return replace(observation, meta={**observation.meta, "observe": {"border": degradations.border}})


def for_grids(
    observation: Observation,
    settings: SubspaceSettings,
    preparation: PreparationSettings,
) -> Gridded:
    """A pair examined, and laid out for a method that knows two plain grids.

    Args:
        observation: The image pair.
        settings: How degradations are estimated on the way.
        preparation: What may be looked for.

    Returns:
        The pair, what was found and what a user should know of it, and what brings a result back to the MSI's pixels.
    """
    height, width = observation.lr_hsi.shape[:2]
    degradations: Optional[Degradations] = None
    if not preparation.for_all or height * width < LEAST_PIXELS:
        prepared = untouched(observation)
    else:
        prepared, degradations = examine(observation, settings, preparation)
    if not prepared.found:
        return _told(Gridded(_with_border(observation, degradations)), degradations)
    notes = list(prepared.notes)
    back: Optional[Back] = None
    if prepared.layout is not None:
        back = partial(on_the_msi, prepared.layout, prepared.placement)
    if prepared.placement is not None:
        note = INTERPOLATED
        if prepared.layout is not None:
            note = RESAMPLED.format(scale=prepared.observation.scale)
        notes.append(note)
    if not prepared.own_trust.all():
        notes.append(FILLED)
    doubted: Optional[np.ndarray] = None
    unsure_light: Optional[np.ndarray] = None
    if prepared.layout is None:
        doubted = prepared.doubted
        unsure_light = prepared.unsure_light
    gridded = Gridded(
        observation=_with_border(on_the_grid(prepared), degradations),
        notes=tuple(notes),
        found=prepared.found,
        trusted=prepared.use_trust,
        doubted=doubted,
        unsure_light=unsure_light,
        back=back,
    )
    gridded = _told(gridded, degradations)
    if prepared.placement is None:
        return gridded
    if degradations is not None and prepared.layout is None:
        # What interpolation does to an HSI is no error of the result: it is judged by what the camera saw.
        operator = PlacedDegradation(degradations.psf, prepared.placement, degradations.border)
        return replace(gridded, recorded=prepared.observation, degrade=operator.forward)
    # Resampling has made another PSF of it.
    return replace(gridded, psf=None)


def _told(gridded: Gridded, degradations: Optional[Degradations]) -> Gridded:
    """A pair with what was found of its cameras; as it is where nobody has looked."""
    if degradations is None:
        return gridded
    return replace(
        gridded,
        psf=degradations.psf,
        srf=degradations.srf,
        border=degradations.border,
    )
