"""A prepared pair for methods that know nothing of placements and masks: the HSI interpolated where it has to be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.config.preparation import PreparationSettings
from paddle_umsft.config.subspace import SubspaceSettings
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.estimate import Degradations
from paddle_umsft.preparation.examine import examine
from paddle_umsft.preparation.prepare import LEAST_PIXELS
from paddle_umsft.preparation.prepared import Prepared

# Standard deviation, in LR pixels, of the neighbourhood that fills an LR pixel nobody trusts.
NEIGHBOURHOOD = 1.0
# Keeps the mean finite where no pixel of a neighbourhood is trusted.
LEAST_WEIGHT = 1e-9
CUBIC = 3

INTERPOLATED = "this method knows no places between the grids: the HSI was interpolated to where the MSI lies"
MASKED = "this method knows no masks: it was given what is masked filled from valid pixels"
FILLED = "this method knows no masks: LR pixels that do not belong were filled from their neighbours"


@dataclass(frozen=True)
class Gridded:
    """A pair laid out for a method that knows two plain grids.

    Attributes:
        observation: The pair, the very one where nothing was found.
        notes: What a user should know of it.
        found: What was found, for programs.
        degradations: PSF and SRF of the pair; None: there are too few pixels to tell.
    """

    observation: Observation
    notes: tuple[str, ...] = ()
    found: dict[str, object] = field(default_factory=dict)
    degradations: Optional[Degradations] = None


def _filled(lr_hsi: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Untrusted LR pixels replaced by the weighted mean of the trusted ones around."""
    if trusted.all() or not trusted.any():
        return lr_hsi
    known = trusted.astype(np.float64)
    weight = gaussian_filter(known, NEIGHBOURHOOD, mode="nearest") + LEAST_WEIGHT
    spread = (NEIGHBOURHOOD, NEIGHBOURHOOD, 0)
    total = gaussian_filter(lr_hsi * known[..., None], spread, mode="nearest")
    return np.where(trusted[..., None], lr_hsi, total / weight[..., None])


def _moved(lr_hsi: np.ndarray, placement: Placement) -> np.ndarray:
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
    if prepared.placement is not None:
        lr_hsi = _moved(lr_hsi, prepared.placement)
    return replace(observation, lr_hsi=lr_hsi.astype(np.float32))


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
        The pair, what was found and what a user should know of it.
    """
    height, width = observation.lr_hsi.shape[:2]
    if height * width < LEAST_PIXELS:
        return Gridded(observation)
    prepared, degradations = examine(observation, settings, preparation)
    if not prepared.found:
        return Gridded(observation, degradations=degradations)
    notes = list(prepared.notes)
    if prepared.placement is not None:
        notes.append(INTERPOLATED)
    if not prepared.own_trust.all():
        notes.append(FILLED)
    return Gridded(
        observation=on_the_grid(prepared),
        notes=tuple(notes),
        found=prepared.found,
        degradations=degradations,
    )
