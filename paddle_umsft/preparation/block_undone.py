"""What was found in a block of a very large pair, undone in all of it, where that can be done a few rows at a time.

A constant that was taken off, a gain, a tone curve: whatever they are and in whichever order they were undone, each
value of an MSI band became another one, the same wherever it stands. The block shows which one, and the whole follows.
Dead pixels of the MSI are told by their neighbours alone, in the block as anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
from scipy.ndimage import binary_dilation

from paddle_umsft.cameras.placement import Placement
from paddle_umsft.data.scene import Observation
from paddle_umsft.preparation.block_gains import NAMES as GAINS
from paddle_umsft.preparation.block_gains import SHADING
from paddle_umsft.preparation.block_saturation import NAME as SATURATION
from paddle_umsft.preparation.dead_msi import filled, suspects
from paddle_umsft.preparation.drowned import without_drowned_in_large
from paddle_umsft.preparation.illumination import HALF_LIGHT
from paddle_umsft.preparation.prepared import FILLED_TRUST, Prepared, untouched
from paddle_umsft.preparation.told_strangers import NAMES as STRANGERS
from paddle_umsft.preparation.told_strangers import is_on_strangers

DEAD = "dead MSI pixels"
GRID = "grid"
DROWNED = "drowned bands"
POINTWISE = {"offset", "tone curve"}
# What a user is told of and nothing is done about.
TOLD = {"warp"}
# All that a whole can follow a block in; what is placed elsewhere is told by `block_placed.py`, gains, saturation and
# strangers are found in all of it, by `block_gains.py`, `block_saturation.py` and `block_strangers.py`.
UNDONE = POINTWISE | TOLD | GAINS | STRANGERS | {SATURATION, DEAD, DROWNED, GRID, "shift", "affine"}
# Knots of a curve that was read off a block: so dense that straight lines between them are as good as the curve.
KNOTS = 4096
# Beyond what the block holds the curve goes on as it does over this part of its knots.
END = 64
# A band is no function of what it was where values differ from it by more than this part of its range.
EXACT = 1e-4
# HR pixels that are changed at a time, and rows beside them that their neighbourhoods and the filling may reach.
AT_ONCE = 2**20
REACH = 16


@dataclass(frozen=True)
class _Curve:
    """What the values of a band became.

    Attributes:
        before: (k,) rising.
        after: (k,).
    """

    before: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> Optional[_Curve]:
        """Read it off (n,) values; None: there is none, what they became depends on where they stand."""
        values, places = np.unique(before, return_index=True)
        if len(values) <= END:
            return None
        spread = np.linspace(0, len(values) - 1, KNOTS)
        chosen = np.unique(spread.astype(int))
        became = after[places[chosen]]
        curve = cls(
            before=values[chosen].astype(np.float64),
            after=became.astype(np.float64),
        )
        apart = np.abs(curve(before) - after)
        span = float(np.ptp(after))
        if apart.max() > EXACT * span:
            return None
        return curve

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values of the band -> what they became, float64."""
        made = np.interp(values, self.before, self.after)
        below = values < self.before[0]
        above = values > self.before[-1]
        made[below] = self._beyond(values[below], 0, END)
        made[above] = self._beyond(values[above], -1, -1 - END)
        return np.asarray(made)

    def _beyond(
        self,
        values: np.ndarray,
        end: int,
        inner: int,
    ) -> np.ndarray:
        """What values beyond an end become: the curve goes on as straight as it was from an inner knot to the end."""
        rise = self.after[end] - self.after[inner]
        run = self.before[end] - self.before[inner]
        distance = values - self.before[end]
        return np.asarray(self.after[end] + rise / run * distance)


def undone_in_all(
    observation: Observation,
    part: Observation,
    prepared: Prepared,
) -> Optional[Prepared]:
    """Undo in a whole pair what was found in a block of it.

    Args:
        observation: The whole.
        part: The block as it was.
        prepared: The block with everything undone.

    Returns:
        The whole as `prepared`; None: it takes the whole pair in memory to undo that.
    """
    found = set(prepared.found)
    if not found <= UNDONE:
        return None
    if not found - {GRID}:
        return untouched(observation)
    hr_msi = observation.hr_msi
    unsure = np.zeros(hr_msi.shape[:2], dtype=bool)
    if DEAD in found:
        hr_msi, unsure = _without_dead(hr_msi)
    if found & POINTWISE:
        # As it is laid out, where its grids do not tile each other.
        curves = _curves(untouched(part).observation, prepared)
        if curves is None:
            return None
        hr_msi = _through(hr_msi, curves)
    lr_hsi = observation.lr_hsi
    if DROWNED in found:
        bands = np.array(prepared.found[DROWNED])
        lr_hsi = without_drowned_in_large(lr_hsi, bands)
    whole = untouched(replace(observation, lr_hsi=lr_hsi, hr_msi=hr_msi))
    if whole.layout is not None:
        unsure = whole.layout.laid_out(unsure)
    # What is masked besides stays at nought.
    trust = whole.msi_trust[unsure]
    whole.msi_trust[unsure] = np.minimum(trust, FILLED_TRUST)
    whole.offset = prepared.offset
    # What the block says of its own area is not true of the whole, nor where its strangers are.
    own = untouched(part).notes
    for note in prepared.notes:
        if note not in own and not is_on_strangers(note):
            whole.notes.append(note)
    for name in prepared.found:
        if name != GRID and name not in STRANGERS:
            whole.found[name] = prepared.found[name]
    return whole


def only_in_small_ones(prepared: Prepared) -> list[str]:
    """Names of what was found in a block that cannot be undone in the whole."""
    others = [name for name in prepared.found if name not in UNDONE]
    if others:
        return others
    # What became of a value is told by no curve where it depends on the place.
    return [name for name in prepared.found if name in POINTWISE | {SHADING}]


def _curves(part: Observation, prepared: Prepared) -> Optional[list[_Curve]]:
    """What became of each band's values in a block; None: they became nothing of the kind."""
    as_it_is = (prepared.msi_trust == 1) & ~_relit(prepared)
    curves = []
    for band in range(part.msi_bands):
        before = part.hr_msi[as_it_is, band]
        after = prepared.observation.hr_msi[as_it_is, band]
        curve = _Curve.of(before, after)
        if curve is None:
            return None
        curves.append(curve)
    return curves


def _relit(prepared: Prepared) -> np.ndarray:
    """(H, W) pixels of a block whose light may have been changed."""
    scale = prepared.observation.scale
    if prepared.unsure_light is None:
        return np.zeros(prepared.msi_trust.shape, dtype=bool)
    lit = prepared.own_trust & ~prepared.fit_trust
    around = binary_dilation(lit, iterations=HALF_LIGHT + 1)
    placement = prepared.placement or Placement(scale)
    reached = placement.enlarged(around[:, :, None].astype(np.float32))
    return np.asarray(reached[:, :, 0] > 0)


def _through(hr_msi: np.ndarray, curves: list[_Curve]) -> np.ndarray:
    """(H, W, M) float32 with every band's values as its curve has them, a few rows at a time."""
    changed = np.empty(hr_msi.shape, dtype=np.float32)
    height, width = hr_msi.shape[:2]
    rows = max(1, AT_ONCE // width)
    for top in range(0, height, rows):
        some = slice(top, top + rows)
        for band, curve in enumerate(curves):
            values = hr_msi[some, :, band]
            changed[some, :, band] = curve(values)
    return changed


def _without_dead(hr_msi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The MSI with dead pixels filled, float32, and (H, W) which they are; a few rows at a time."""
    height, width = hr_msi.shape[:2]
    changed = np.empty(hr_msi.shape, dtype=np.float32)
    dead = np.zeros((height, width), dtype=bool)
    rows = max(1, AT_ONCE // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first = max(top - REACH, 0)
        around = hr_msi[first : bottom + REACH]
        around = around.astype(np.float64)
        unknown = suspects(around)
        whole = filled(around, unknown)
        # The rows themselves, without those beside them.
        own = slice(top - first, bottom - first)
        changed[top:bottom] = whole[own]
        dead[top:bottom] = np.any(unknown[own], axis=2)
    return changed, dead
