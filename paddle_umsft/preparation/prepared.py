"""A pair ready for a solver: what was found undone, and which pixels are to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.layout import Layout, lay_out
from paddle_umsft.preparation.masked import lr_pixels_to_fit, lr_pixels_with_data, msi_weights
from paddle_umsft.preparation.offset import offset_note

# Share of an LR pixel's own area on the MSI from which on it counts in fits, and the result has to agree with it.
WHOLE = 0.98
USABLE = 0.7
# Weight of MSI pixels that were filled: the LR-HSI may correct them.
FILLED_TRUST = 0.01


@dataclass
class Prepared:
    """A pair ready for a solver.

    Attributes:
        observation: The pair with what was found undone; PSF and SRF as they were given.
        placement: Where LR pixels lie on the MSI; None: where the grids say.
        fit_trust: (h, w) LR pixels that PSF and SRF may be fitted on.
        use_trust: (h, w) LR pixels that the result has to agree with.
        own_trust: (h, w) LR pixels that are no strangers, wherever they lie.
        msi_trust: (H, W) weight of the MSI's pixels, 1 where they are as they were, 0 where they are masked.
        unsure_light: (H, W) how much the light may differ from what was undone, as a part of a pixel's values; None: no
            light was undone.
        offset: Whether the SRF's fit should look once more for a constant.
        layout: How the given grids were laid out as two that tile each other; None: they do.
        notes: What was found, one line each, for the user.
        found: The same for programs: name -> value.
    """

    observation: Observation
    placement: Optional[Placement]
    fit_trust: np.ndarray
    use_trust: np.ndarray
    own_trust: np.ndarray
    msi_trust: np.ndarray
    unsure_light: Optional[np.ndarray] = None
    offset: bool = False
    layout: Optional[Layout] = None
    notes: list[str] = field(default_factory=list)
    found: dict[str, object] = field(default_factory=dict)

    @property
    def doubted(self) -> Optional[np.ndarray]:
        """(H, W) float32, how little the MSI's pixels are trusted, 0 to 1; None: all are as they were."""
        if np.all(self.msi_trust == 1):
            return None
        return np.asarray(1.0 - self.msi_trust, dtype=np.float32)

    @property
    def on_the_hsi(self) -> Observation:
        """The pair with the MSI where the HSI's grid says: what a PSF can be fitted on."""
        if self.placement is None:
            return self.observation
        hr_msi = self.placement.on_the_hsi(self.observation.hr_msi, "reflect")
        return replace(self.observation, hr_msi=hr_msi)


def untouched(observation: Observation) -> Prepared:
    """A pair taken as it is, its grids laid out where they do not tile each other; what masks hide is not trusted."""
    if observation.grid is not None:
        return _laid_out(lay_out(observation))
    has_data = lr_pixels_with_data(observation)
    return Prepared(
        observation=observation,
        placement=None,
        fit_trust=lr_pixels_to_fit(observation),
        use_trust=has_data.copy(),
        own_trust=has_data.copy(),
        msi_trust=msi_weights(observation),
    )


def _laid_out(layout: Layout) -> Prepared:
    """A pair taken as it is laid out: LR pixels beside the MSI do not count, and what fills it up weighs little."""
    observation = layout.observation
    grid = layout.upright.grid
    assert grid is not None
    msi_trust = msi_weights(observation)
    if layout.placement is not None:
        rows, columns = (layout.placement.span(axis, observation.shape[axis]) for axis in (0, 1))
        recorded = np.zeros(observation.shape, dtype=bool)
        recorded[slice(*rows), slice(*columns)] = True
        msi_trust[~recorded] = np.minimum(msi_trust[~recorded], FILLED_TRUST)
    has_data = lr_pixels_with_data(layout.upright)
    return Prepared(
        observation=observation,
        placement=layout.placement,
        fit_trust=lr_pixels_to_fit(layout.upright) & (layout.own_part > WHOLE),
        use_trust=has_data & (layout.own_part > USABLE),
        own_trust=has_data.copy(),
        msi_trust=msi_trust,
        layout=layout,
        notes=[layout.note],
        found={"grid": {"ratios": grid.ratios.tolist(), "area": list(layout.area)}},
    )


def with_offset(prepared: Prepared, more: np.ndarray) -> Prepared:
    """A constant taken off once more, after the PSF is known, and the note that names the whole of it.

    Args:
        prepared: The pair, an offset found.
        more: (M,) what the MSI still held.
    """
    before = np.asarray(prepared.found["offset"], dtype=np.float64)
    whole = before + more
    observation = prepared.observation
    hr_msi = observation.hr_msi - more.astype(np.float32)
    notes = []
    for line in prepared.notes:
        if line == offset_note(before):
            line = offset_note(whole)
        notes.append(line)
    return replace(
        prepared,
        observation=replace(observation, hr_msi=hr_msi),
        notes=notes,
        found={**prepared.found, "offset": whole.tolist()},
    )
